"""The patients of one trial whom somebody should look at: who could join, now, soon or perhaps."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cds.cohort.research import JOINED, REFUSES

if TYPE_CHECKING:
    from datetime import date

    from cds.cohort.catalogue import TrialTold
    from cds.cohort.report.results import Results

LISTED = 200
"""Patients that a list on the page names; the tables hold all."""

SOON = 30
"""Days within which a trial that rules out by time only is worth a second look."""


class Candidate(NamedTuple):
    """A patient whom nothing excludes.

    `unknown` and `review` count criteria; `missing` names the results that are not there.
    `research`: what the record says of research, in words; empty where it says nothing.
    """

    patient: str
    overall: str
    unknown: int
    review: int
    missing: tuple[str, ...]
    research: str


class NearMiss(NamedTuple):
    """A patient whom one criterion alone excludes; the reason says by how much.

    `unknown`: how many criteria are open besides.
    """

    patient: str
    criterion: str
    reading: str
    reason: str
    clears_on: date | None
    unknown: int
    research: str


class Soon(NamedTuple):
    """A patient whom only the passing of time keeps out, and not for long."""

    patient: str
    clears_on: date
    days: int
    fails: str
    unknown: int
    research: str


class PossibleTarget(NamedTuple):
    """A patient whose target diagnosis is open."""

    patient: str
    what: str
    reference: str
    why: str
    research: str


def research_words(says: str) -> str:
    """What the record says of research, in words."""
    words = {REFUSES: "refuses research", JOINED: "on this trial already"}
    return ", ".join(words[word] for word in says.split())


def with_word(results: Results, trial: TrialTold, word: str) -> int:
    """How many patients whom nothing excludes the record says a word of."""
    count: int = results.one(
        "select count(*) from told where trial = ? and overall <> 'ineligible' "
        "and list_contains(str_split(research, ' '), ?)",
        trial.id,
        word,
    )
    return count


def candidates(results: Results, trial: TrialTold) -> tuple[Candidate, ...]:
    """Whom nothing excludes, those of whom least is missing first."""
    labels = results.catalogue.labels
    rows = results.rows(_CANDIDATES, trial.id, LISTED)
    return tuple(
        Candidate(
            patient,
            overall,
            len(unknown.split()),
            len(review.split()),
            tuple(sorted({labels.get(key, key) for key in missing or ()})),
            research_words(research),
        )
        for patient, overall, unknown, review, research, missing in rows
    )


_CANDIDATES = """
with listed as (
  select patient, overall, unknown, review, research from told
  where trial = $1 and overall <> 'ineligible'
  order by overall = 'undetermined',
           len(str_split(unknown, ' ')) - (unknown = '')::int,
           len(str_split(review, ' ')) - (review = '')::int, patient limit $2),
gap as (
  select patient, list_distinct(list(g.concept)) as missing
  from criteria join listed using (patient), unnest(gaps) as u(g)
  where trial = $1 and status = 'unknown' and g.gap <> 'judgement' group by patient)
select listed.*, missing from listed left join gap using (patient)
order by overall = 'undetermined',
         len(str_split(unknown, ' ')) - (unknown = '')::int,
         len(str_split(review, ' ')) - (review = '')::int, patient
"""


def near_misses(results: Results, trial: TrialTold) -> tuple[NearMiss, ...]:
    """Patients with the target diagnosis whom one criterion alone excludes."""
    rows = results.rows(
        "select c.patient, c.criterion, c.reason, c.clears_on, d.unknown, d.research "
        "from criteria c join told d on d.patient = c.patient and d.trial = c.trial "
        "where c.trial = ? and c.status = 'fail' and d.fail = c.criterion and c.criterion <> ? "
        "order by c.criterion, c.patient",
        trial.id,
        trial.target,
    )
    readings = trial.readings
    return tuple(
        NearMiss(
            patient,
            criterion,
            readings[criterion],
            reason,
            clears,
            len(unknown.split()),
            research_words(research),
        )
        for patient, criterion, reason, clears, unknown, research in rows
    )


def soon(results: Results, trial: TrialTold, on: date) -> tuple[Soon, ...]:
    """Patients who are ruled out by time only, until a day within the next weeks."""
    rows = results.rows(
        "select patient, clears_on, clears_on - ?::date, fail, unknown, research from told "
        "where trial = ? and clears_on - ?::date between 0 and ? order by clears_on, patient",
        on,
        trial.id,
        on,
        SOON,
    )
    return tuple(
        Soon(patient, day, days, fails, len(unknown.split()), research_words(research))
        for patient, day, days, fails, unknown, research in rows
    )


def possible_targets(results: Results, trial: TrialTold) -> tuple[PossibleTarget, ...]:
    """Patients whose target diagnosis a human must look at; `why` says what leaves it open."""
    open_ones = results.rows(
        "select c.patient, coalesce(evidence[1].display, ''), "
        "coalesce(evidence[1].reference, ''), reason, d.research "
        "from criteria c join told d on d.patient = c.patient and d.trial = c.trial "
        "where c.trial = ? and criterion = ? and status = 'review' order by c.patient",
        trial.id,
        trial.target,
    )
    unspecific = results.rows(
        "select p.patient, display, reference, code, d.research "
        "from possible p join told d on d.patient = p.patient and d.trial = p.trial "
        "where p.trial = ? order by p.patient, reference",
        trial.id,
    )
    labels = results.catalogue.labels
    # The unspecific ones first: the others already have their status in the tables.
    rows = [
        *(
            (patient, display, reference, f"unspecific: {labels.get(code, code)}", research)
            for patient, display, reference, code, research in unspecific
        ),
        *open_ones,
    ]
    return tuple(
        PossibleTarget(patient, what, reference, why, research_words(research))
        for patient, what, reference, why, research in rows
    )
