"""A result that is older than the one that decides changes nothing."""

from __future__ import annotations

from datetime import UTC, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from cds.core.when import read_when
from cds.engine.lab import Lab

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cds.core.criterion import Characteristic

_VALUES: tuple[dict[str, Any], ...] = (
    {"valueQuantity": {"value": Decimal("0.01"), "unit": "10*9/L"}},
    {"valueQuantity": {"value": 3, "unit": "parsecs"}},
    {"valueQuantity": {"value": 99999999, "unit": "mg/dL"}},
    {"valueQuantity": {"value": 2, "comparator": "<", "unit": "mmol/L"}},
    {"valueString": "positive"},
    {"valueInteger": 4},
    {"dataAbsentReason": {"text": "clotted"}},
    {},
)


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    parts = list(form.parts())
    if not parts:
        yield form
    for part in parts:
        yield from _leaves(part)


def _whenever(form: Characteristic) -> bool:
    """Whether one result at any time suffices."""
    return any(isinstance(leaf, Lab) and leaf.any_result for leaf in _leaves(form))


@settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_a_result_older_than_the_one_that_decides_changes_nothing(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    """Except where the protocol counts a result of any time: a test that was ever positive."""
    chart = data.draw(charts)
    before = assessed(chart)
    shown = {
        evidence.reference
        for one in before.determinations
        for decision in one.decisions
        for evidence in decision.evidence
    }
    deciding = [
        one["resource"]
        for one in chart.entries
        if f"Observation/{one.get('resource', {}).get('id')}" in shown
        and isinstance(one["resource"].get("effectiveDateTime"), str)
    ]
    assume(deciding)
    newest = deciding[data.draw(st.integers(0, len(deciding) - 1))]
    when = read_when(newest["effectiveDateTime"], UTC)
    if when is None:
        reject()
    ago = data.draw(st.one_of(st.integers(1, 30), st.integers(1, 2000)))
    # Two days more: the day before in one zone may be the same day in another.
    older = {
        **newest,
        "id": "older",
        "effectiveDateTime": (when.first - timedelta(days=ago + 1)).isoformat(),
    }
    if data.draw(st.booleans()):
        older = {key: one for key, one in older.items() if not key.startswith("value")}
        older |= _VALUES[data.draw(st.integers(0, len(_VALUES) - 1))]
    if data.draw(st.booleans()):
        older["issued"] = f"{chart.day.isoformat()}T23:00:00Z"
    exempt = {
        f"{one.trial.id} {decision.criterion.id}"
        for one in before.determinations
        for decision in one.decisions
        if _whenever(decision.criterion.form)
    }
    changed = changes(before, assessed(chart.plus(older)))
    if not changed.keys() & exempt:
        assert changed == {}
    trials = {one.trial.id for one in before.determinations}
    assert changed.keys() <= exempt | trials
