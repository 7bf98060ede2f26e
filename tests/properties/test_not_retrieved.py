"""What was not read completely can only take certainty away."""

from __future__ import annotations

from datetime import UTC, date
from typing import TYPE_CHECKING, Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.assess import assess
from cds.core.criterion import Characteristic, Status
from cds.core.facts import Retrieval
from cds.core.when import Evaluation, read_when
from cds.engine.finding import Finding
from cds.engine.lab import Absent, Lab
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone
from cds.fhir.record import record_from_bundle
from cds.fhir.retrieved import COMPLETE, KINDS, OBSERVATION_CATEGORIES, Coverage

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
    states = st.sampled_from([Retrieval.PARTIAL, Retrieval.CUT_OFF, Retrieval.NOT_RETRIEVED])
    names.remove("Observation")
    for name in data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True)):
        coverage[name] = Coverage(data.draw(states), "for this test")
    asked = Evaluation.of(chart.day)
    before = _decisions(assess(record, content, asked))
    after = _decisions(assess(msgspec.structs.replace(record, coverage=coverage), content, asked))
    for key in before.keys() & after.keys():
        was, now = before[key], after[key]
        assert now.status in _ALLOWED[was.status], (key, was.reason, now.reason)
        cut_off = any(one.state is Retrieval.CUT_OFF for one in coverage.values())
        if _measured(was) and not cut_off:
            assert now.status is was.status, (key, was.reason, now.reason)


@settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_what_a_list_that_was_cut_off_decides_the_whole_list_decides_too(
    data: st.DataObject, charts: Any, content: Any
) -> None:
    """Whichever results nobody saw: newer ones, kinder ones, the ones that rule the patient out.

    Where everything since a day came, only results of earlier days are missing.
    """
    chart = data.draw(charts)
    record = record_from_bundle(chart.data)
    whole_since = data.draw(st.none() | st.dates(date(2025, 1, 1), chart.day))
    came = []
    for entry in record.entries["Observation"]:
        when = read_when(_taken(entry.resource), UTC)
        may_miss = whole_since is None or (when is not None and when.last < whole_since)
        if not (may_miss and data.draw(st.booleans())):
            came.append(entry)
    coverage = dict.fromkeys(record.coverage, COMPLETE)
    coverage["Observation"] = Coverage(Retrieval.CUT_OFF, "for this test", since=whole_since)
    short = msgspec.structs.replace(
        record, entries={**record.entries, "Observation": tuple(came)}, coverage=coverage
    )
    asked = Evaluation.of(chart.day)
    before = _decisions(assess(record, content, asked))
    for key, now in _decisions(assess(short, content, asked)).items():
        was = before[key]
        assert now.status in {was.status, Status.UNKNOWN}, (key, was.reason, now.reason)
        if whole_since is None and now.status in {Status.PASS, Status.FAIL}:
            leaves = list(_leaves(now.criterion.form))
            assert not all(isinstance(leaf, Lab) and not leaf.any_result for leaf in leaves)


def _taken(observation: Any) -> str:
    """The date of an Observation as a text; empty where it has none that is one."""
    for raw in (observation.effective_date_time, observation.effective_instant):
        value = msgspec.json.decode(raw) if raw else None
        if isinstance(value, str):
            return value
    return ""


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
