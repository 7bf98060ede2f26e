"""The views of one trial: who is lost where, what is missing, who is nearly there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from cds.cohort.report.patients import (
    LISTED,
    Candidate,
    NearMiss,
    PossibleTarget,
    Soon,
    candidates,
    near_misses,
    possible_targets,
    soon,
    with_word,
)
from cds.cohort.research import JOINED, REFUSES
from cds.core.criterion import Overall

if TYPE_CHECKING:
    from datetime import date

    from cds.cohort.catalogue import Catalogue, TrialTold
    from cds.cohort.report.results import Results


class Step(NamedTuple):
    """One criterion of the funnel.

    `lost`: patients whom it excludes and none before it did; `left`: who remain after it;
    `fails`: all whom it excludes; `alone`: those whom nothing else excludes, None for the target
    diagnosis: of whom it excludes nothing else was asked.
    """

    id: str
    reading: str
    lost: int
    left: int
    fails: int
    alone: int | None


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
    sets_total: int
    judged: tuple[tuple[str, str, int], ...]
    candidates: tuple[Candidate, ...]
    candidates_total: int
    refusing: int
    joined: int
    near: tuple[NearMiss, ...]
    near_total: int
    soon: tuple[Soon, ...]
    possible: tuple[PossibleTarget, ...]
    possible_total: int
    known: tuple[Known, ...]

    @property
    def lacking(self) -> tuple[Known, ...]:
        """The concepts that could not be answered for everybody."""
        return tuple(row for row in self.known if row.known < row.patients)


def trial_views(results: Results, trial: TrialTold, on: date) -> TrialViews:
    """Ask the results everything about one trial."""
    overall = dict(
        results.rows(
            "select overall, count(*) from determinations where trial = ? group by all", trial.id
        )
    )
    evaluated = sum(overall.values())
    sets = missing_sets(results, trial)
    near = near_misses(results, trial)
    possible = possible_targets(results, trial)
    return TrialViews(
        trial,
        evaluated,
        overall,
        funnel(results, trial, evaluated),
        missing_tests(results, trial),
        sets[:SETS_LISTED],
        len(sets),
        judged(results, trial),
        candidates(results, trial),
        evaluated - overall.get(Overall.INELIGIBLE.value, 0),
        with_word(results, trial, REFUSES),
        with_word(results, trial, JOINED),
        near[:LISTED],
        len(near),
        soon(results, trial, on),
        possible[:LISTED],
        len(possible),
        known(results, trial),
    )


def funnel(results: Results, trial: TrialTold, evaluated: int) -> tuple[Step, ...]:
    """Who is lost at which criterion; the target diagnosis first, then in protocol order."""
    order = [trial.target, *(c.id for c in trial.criteria if c.id != trial.target)]
    counted = {
        criterion: (lost, fails, alone)
        for criterion, lost, fails, alone in results.rows(_FUNNEL, order, trial.id)
    }
    left = evaluated
    steps: list[Step] = []
    readings = trial.readings
    for criterion in order:
        lost, fails, alone = counted.get(criterion, (0, 0, 0))
        left -= lost
        told = None if criterion == trial.target else alone
        steps.append(Step(criterion, readings[criterion], lost, left, fails, told))
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
    rows = results.rows(_GAPS + _SETS, trial.id)
    return tuple(
        MissingSet(tuple(sorted(labels.get(key, key) for key in keys)), patients)
        for keys, patients in rows
    )


SETS_LISTED = 12
"""Sets of results that the page lists."""
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
group by concepts order by 2 desc, len(concepts), concepts
"""


def judged(results: Results, trial: TrialTold) -> tuple[tuple[str, str, int], ...]:
    """Criteria that only a human can decide: id, reading, for how many patients."""
    rows = results.rows(
        "select c.criterion, count(*) from criteria c join determinations d "
        "on d.patient = c.patient and d.trial = c.trial where c.trial = ? and c.status = 'review' "
        "and d.overall <> 'ineligible' group by all order by 2 desc, 1",
        trial.id,
    )
    readings = trial.readings
    return tuple((criterion, readings[criterion], count) for criterion, count in rows)


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
