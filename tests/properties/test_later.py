"""Time alone clears windows; it never closes one."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.core.criterion import Characteristic, Status
from cds.core.when import read_when
from cds.engine.finding import Finding
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_DAY = timedelta(days=1)
_few = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    parts = list(form.parts())
    if not parts:
        yield form
    for part in parts:
        yield from _leaves(part)


def _by_entries(decision: Any) -> bool:
    """Whether conditions, procedures and drugs alone decide: no age, no measurement."""
    return all(
        isinstance(leaf, Finding | Medication | ProcedureDone)
        for leaf in _leaves(decision.criterion.form)
    )


def _decisions(assessment: Any) -> dict[tuple[str, str], Any]:
    return {
        (one.trial.id, decision.criterion.id): decision
        for one in assessment.determinations
        for decision in one.decisions
    }


def _past(entry: Any, chart: Any) -> bool:
    """Whether nothing in the entry lies after the day that is asked about."""
    texts = [text for text in _strings(entry.get("resource")) if len(text) >= 4]
    whens = [read_when(text) for text in texts]
    return all(when is None or when.last <= chart.day for when in whens)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


@_few
@given(data=st.data())
def test_a_day_later_no_window_has_closed(
    data: st.DataObject, dated_charts: Any, assessed: Callable[..., Any]
) -> None:
    """Nothing new happened: what did not rule the patient out by its date does not do so later."""
    chart = data.draw(dated_charts)
    chart = chart.having([one for one in chart.entries if _past(one, chart)])
    later = chart.day + data.draw(st.integers(1, 400)) * _DAY
    before, after = _decisions(assessed(chart)), _decisions(assessed(chart, later))
    for key, was in before.items():
        if _by_entries(was) and was.status is not Status.FAIL and key in after:
            assert after[key].status is not Status.FAIL, (key, was.reason, after[key].reason)


@_few
@given(data=st.data())
def test_a_criterion_clears_on_the_day_it_says_and_not_a_day_earlier(
    data: st.DataObject, dated_charts: Any, assessed: Callable[..., Any]
) -> None:
    chart = data.draw(dated_charts)
    found = _decisions(assessed(chart))
    for key, one in found.items():
        if one.clears_on is None or not _by_entries(one):
            continue
        assert one.clears_on > chart.day
        eve = _decisions(assessed(chart, one.clears_on - _DAY))
        then = _decisions(assessed(chart, one.clears_on))
        assert eve[key].status is Status.FAIL, (key, one.reason, one.clears_on, eve[key].reason)
        assert then[key].status is not Status.FAIL, (key, one.reason, then[key].reason)
