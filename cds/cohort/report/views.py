"""The views of one trial: who is lost where, what is missing, who is nearly there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import date

    from cds.cohort.catalogue import Catalogue, TrialTold
    from cds.cohort.report.results import Results

LISTED = 200
"""Patients that a list on the page names; the tables hold all."""

SOON = 30
"""Days within which a trial that rules out by time only is worth a second look."""


class Step(NamedTuple):
    """One criterion of the funnel.

    `lost`: patients whom it excludes and none before it did; `left`: who remain after it;
    `fails`: all whom it excludes; `alone`: those whom nothing else excludes.
    """

    id: str
    reading: str
    lost: int
    left: int
    fails: int
    alone: int


class MissingTest(NamedTuple):
    """One concept without which something is unknown.

    `patients`: not excluded, and it is missing; `settles`: those for whom nothing else is.
    """

    concept: str
    label: str
    patients: int
    settles: int
    gaps: str


class MissingSet(NamedTuple):
    """Everything that is missing for some patients together."""

    labels: tuple[str, ...]
    patients: int


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


class Soon(NamedTuple):
    """A patient whom only the passing of time keeps out, and not for long."""

    patient: str
    clears_on: date
    days: int
    fails: str
    unknown: int


class PossibleTarget(NamedTuple):
    """A patient whose target diagnosis is open."""

    patient: str
    what: str
    reference: str
    why: str


class Known(NamedTuple):
    """How often a concept could be answered, of `patients` with (possibly) the target diagnosis."""

    concept: str
    label: str
    patients: int
    known: int


class TrialViews(NamedTuple):
    """Everything that the report says about one trial."""

    trial: TrialTold
    evaluated: int
    overall: dict[str, int]
    funnel: tuple[Step, ...]
    missing: tuple[MissingTest, ...]
    sets: tuple[MissingSet, ...]
    judged: tuple[tuple[str, str, int], ...]
    near: tuple[NearMiss, ...]
    near_total: int
    soon: tuple[Soon, ...]
    possible: tuple[PossibleTarget, ...]
    possible_total: int
    known: tuple[Known, ...]


def trial_views(results: Results, trial: TrialTold, on: date) -> TrialViews:
    """Ask the results everything about one trial."""
    overall = dict(
        results.rows(
            "select overall, count(*) from determinations where trial = ? group by all", trial.id
        )
    )
    evaluated = sum(overall.values())
    near = near_misses(results, trial)
    possible = possible_targets(results, trial)
    return TrialViews(
        trial,
        evaluated,
        overall,
        funnel(results, trial, evaluated),
        missing_tests(results, trial),
        missing_sets(results, trial),
        judged(results, trial),
        near[:LISTED],
        len(near),
        soon(results, trial, on),
        possible[:LISTED],
        len(possible),
        known(results, trial),
    )


def _readings(trial: TrialTold) -> dict[str, str]:
    return {criterion.id: criterion.reading for criterion in trial.criteria}


def funnel(results: Results, trial: TrialTold, evaluated: int) -> tuple[Step, ...]:
    """Who is lost at which criterion; the target diagnosis first, then in protocol order."""
    order = [trial.target, *(c.id for c in trial.criteria if c.id != trial.target)]
    counted = {
        criterion: (lost, fails, alone)
        for criterion, lost, fails, alone in results.rows(_FUNNEL, order, trial.id)
    }
    left = evaluated
    steps: list[Step] = []
    readings = _readings(trial)
    for criterion in order:
        lost, fails, alone = counted.get(criterion, (0, 0, 0))
        left -= lost
        steps.append(Step(criterion, readings[criterion], lost, left, fails, alone))
    return tuple(steps)


_FUNNEL = """
with place as (select unnest($1::varchar[]) as criterion,
                      generate_subscripts($1::varchar[], 1) as n),
     failed as (select patient, criterion, n,
                       min(n) over (partition by patient) as first,
                       count(*) over (partition by patient) as fails
                from criteria join place using (criterion)
                where trial = $2 and status = 'fail')
select criterion, count(*) filter (where n = first), count(*), count(*) filter (where fails = 1)
from failed group by criterion
"""


def missing_tests(results: Results, trial: TrialTold) -> tuple[MissingTest, ...]:
    """What is missing for patients whom nothing excludes, the most useful first."""
    rows = results.rows(_GAPS + _MISSING, trial.id)
    labels = results.catalogue.labels
    return tuple(
        MissingTest(concept, labels.get(concept, concept), patients, settles, ", ".join(gaps))
        for concept, patients, settles, gaps in rows
    )


def missing_sets(results: Results, trial: TrialTold) -> tuple[MissingSet, ...]:
    """Which results together would leave nothing unknown, and for how many patients."""
    labels = results.catalogue.labels
    rows = results.rows(_GAPS + _SETS, trial.id, _SETS_LISTED)
    return tuple(
        MissingSet(tuple(sorted(labels.get(key, key) for key in keys)), patients)
        for keys, patients in rows
    )


_SETS_LISTED = 12
_GAPS = """
with gap as (
  select c.patient, c.criterion, g.concept, g.gap
  from criteria c join determinations d on d.patient = c.patient and d.trial = c.trial,
       unnest(c.gaps) as u(g)
  where c.trial = $1 and c.status = 'unknown' and d.overall = 'undetermined'
    and g.gap <> 'judgement')
"""
_MISSING = """,
     single as (select patient from gap group by patient having count(distinct concept) = 1)
select concept, count(distinct gap.patient), count(distinct single.patient),
       list_sort(list_distinct(list(gap)))
from gap left join single using (patient)
group by concept order by 3 desc, 2 desc, 1
"""
_SETS = """
select concepts, count(*) from
  (select patient, list_sort(list_distinct(list(concept))) as concepts from gap group by patient)
group by concepts order by 2 desc, len(concepts), concepts limit $2
"""


def judged(results: Results, trial: TrialTold) -> tuple[tuple[str, str, int], ...]:
    """Criteria that only a human can decide: id, reading, for how many patients."""
    rows = results.rows(
        "select c.criterion, count(*) from criteria c join determinations d "
        "on d.patient = c.patient and d.trial = c.trial where c.trial = ? and c.status = 'review' "
        "and d.overall <> 'ineligible' group by all order by 2 desc, 1",
        trial.id,
    )
    readings = _readings(trial)
    return tuple((criterion, readings[criterion], count) for criterion, count in rows)


def near_misses(results: Results, trial: TrialTold) -> tuple[NearMiss, ...]:
    """Patients with the target diagnosis whom one criterion alone excludes."""
    rows = results.rows(
        "select c.patient, c.criterion, c.reason, c.clears_on, d.unknown "
        "from criteria c join determinations d on d.patient = c.patient and d.trial = c.trial "
        "where c.trial = ? and c.status = 'fail' and d.fail = c.criterion and c.criterion <> ? "
        "order by c.criterion, c.patient",
        trial.id,
        trial.target,
    )
    readings = _readings(trial)
    return tuple(
        NearMiss(patient, criterion, readings[criterion], reason, clears, len(unknown.split()))
        for patient, criterion, reason, clears, unknown in rows
    )


def soon(results: Results, trial: TrialTold, on: date) -> tuple[Soon, ...]:
    """Patients who are ruled out by time only, until a day within the next weeks."""
    rows = results.rows(
        "select patient, clears_on, clears_on - ?::date, fail, unknown from determinations "
        "where trial = ? and clears_on - ?::date between 0 and ? order by clears_on, patient",
        on,
        trial.id,
        on,
        SOON,
    )
    return tuple(
        Soon(patient, day, days, fails, len(unknown.split()))
        for patient, day, days, fails, unknown in rows
    )


def possible_targets(results: Results, trial: TrialTold) -> tuple[PossibleTarget, ...]:
    """Patients whose target diagnosis must be looked at by a human: unspecific, or by name only."""
    open_ones = results.rows(
        "select patient, coalesce(evidence[1].display, ''), coalesce(evidence[1].reference, ''), "
        "reason from criteria where trial = ? and criterion = ? and status = 'review' "
        "order by patient",
        trial.id,
        trial.target,
    )
    unspecific = results.rows(
        "select patient, display, reference, code from possible where trial = ? "
        "order by patient, reference",
        trial.id,
    )
    labels = results.catalogue.labels
    # The unspecific ones first: the others already have their status in the tables.
    return (
        *(
            PossibleTarget(patient, display, reference, f"unspecific: {labels.get(code, code)}")
            for patient, display, reference, code in unspecific
        ),
        *(PossibleTarget(*row) for row in open_ones),
    )


def known(results: Results, trial: TrialTold) -> tuple[Known, ...]:
    """How complete each concept is among patients whom the target diagnosis does not exclude."""
    relevant = results.one(
        "select count(*) from determinations where trial = ? and target <> 'fail'", trial.id
    )
    gaps = dict(
        results.rows(
            "select g.concept, count(distinct patient) from criteria, unnest(gaps) as u(g) "
            "where trial = ? and g.gap <> 'judgement' group by all",
            trial.id,
        )
    )
    return known_of(results.catalogue, trial, relevant, gaps)


def known_of(
    catalogue: Catalogue, trial: TrialTold, relevant: int, gaps: dict[str, int]
) -> tuple[Known, ...]:
    """The least complete first; concepts that are always answered come last."""
    concepts = {key for criterion in trial.criteria for key in criterion.concepts}
    rows = [
        Known(key, catalogue.labels.get(key, key), relevant, relevant - gaps.get(key, 0))
        for key in concepts | gaps.keys()
    ]
    return tuple(sorted(rows, key=lambda row: (row.known, row.label)))
