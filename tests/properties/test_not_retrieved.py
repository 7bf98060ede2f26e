"""What was not read completely can only take certainty away."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.assess import assess
from cds.core.criterion import Characteristic, Status
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.engine.finding import Finding
from cds.engine.lab import Absent, Lab
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone
from cds.fhir.record import record_from_bundle
from cds.fhir.retrieved import KINDS, OBSERVATION_CATEGORIES, Coverage

if TYPE_CHECKING:
    from collections.abc import Iterator

_ALLOWED = {
    Status.PASS: {Status.PASS, Status.UNKNOWN},
    Status.FAIL: {Status.FAIL, Status.UNKNOWN},
    Status.UNKNOWN: {Status.UNKNOWN},
    Status.REVIEW: {Status.REVIEW, Status.UNKNOWN},
}
"""What each status may become; that nothing found proves nothing is the only reason."""


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    parts = list(form.parts())
    if not parts:
        yield form
    for part in parts:
        yield from _leaves(part)


def _measured(decision: Any) -> bool:
    """Whether values that are there decided, so that nothing hangs on what is not there."""
    return bool(decision.evidence) and all(
        isinstance(leaf, Lab) and not leaf.any_result and leaf.absent is Absent.UNKNOWN
        for leaf in _leaves(decision.criterion.form)
    )


def _decisions(assessment: Any) -> dict[tuple[str, str], Any]:
    return {
        (one.trial.id, decision.criterion.id): decision
        for one in assessment.determinations
        for decision in one.decisions
    }


@settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_a_list_not_read_completely_turns_nothing_into_pass_or_fail(
    data: st.DataObject, charts: Any, content: Any
) -> None:
    chart = data.draw(charts)
    record = record_from_bundle(chart.data)
    names = [*KINDS.values(), *(f"Observation:{one}" for one in OBSERVATION_CATEGORIES)]
    # The whole type stands for its categories, so one of them is lost only where the rest is
    # counted one by one.
    coverage = dict(record.coverage)
    for one in OBSERVATION_CATEGORIES:
        coverage[f"Observation:{one}"] = coverage["Observation"]
    coverage.pop("Observation")
    states = st.sampled_from([Retrieval.PARTIAL, Retrieval.NOT_RETRIEVED])
    names.remove("Observation")
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True)):
        coverage[name] = Coverage(data.draw(states), "for this test")
    asked = Evaluation.of(chart.day)
    before = _decisions(assess(record, content, asked))
    after = _decisions(assess(msgspec.structs.replace(record, coverage=coverage), content, asked))
    for key in before.keys() & after.keys():
        was, now = before[key], after[key]
        assert now.status in _ALLOWED[was.status], (key, was.reason, now.reason)
        if _measured(was):
            assert now.status is was.status, (key, was.reason, now.reason)


@settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_an_exclusion_that_an_entry_decided_stays_one_whatever_else_is_not_read(
    data: st.DataObject, charts: Any, content: Any
) -> None:
    """Evidence that rules a patient out is there, however little of the rest was read."""
    chart = data.draw(charts)
    record = record_from_bundle(chart.data)
    nothing = Coverage(Retrieval.NOT_RETRIEVED, "for this test")
    asked = Evaluation.of(chart.day)
    before = _decisions(assess(record, content, asked))
    blind = msgspec.structs.replace(record, coverage=dict.fromkeys(record.coverage, nothing))
    after = _decisions(assess(blind, content, asked))
    ruled_out = [
        key
        for key, one in before.items()
        if one.status is Status.FAIL and one.criterion.kind.value == "exclusion"
    ]
    assert {key: after[key].status for key in ruled_out} == dict.fromkeys(ruled_out, Status.FAIL)


@settings(
    derandomize=True,
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_nothing_found_where_nothing_was_read_is_no_pass(
    data: st.DataObject, charts: Any, content: Any
) -> None:
    """An exclusion by conditions, procedures or drugs alone needs their lists to be read."""
    chart = data.draw(charts)
    record = record_from_bundle(chart.data)
    nothing = Coverage(Retrieval.NOT_RETRIEVED, "for this test")
    blind = msgspec.structs.replace(record, coverage=dict.fromkeys(record.coverage, nothing))
    for key, one in _decisions(assess(blind, content, Evaluation.of(chart.day))).items():
        leaves = list(_leaves(one.criterion.form))
        entries = all(isinstance(leaf, Finding | Medication | ProcedureDone) for leaf in leaves)
        if one.criterion.kind.value == "exclusion" and entries:
            assert one.status is not Status.PASS, (key, one.reason)
