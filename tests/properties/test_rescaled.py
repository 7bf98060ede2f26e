"""A laboratory that changes its units changes no determination."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

if TYPE_CHECKING:
    from collections.abc import Callable

# UCUM code → the same quantity in other units: a value times the factor, in that unit.
_SAME: dict[str, tuple[tuple[str, Decimal], ...]] = {
    "10*3/uL": (("10*9/L", Decimal(1)), ("/uL", Decimal(1000)), ("K/uL", Decimal(1))),
    "10*9/L": (("10*3/uL", Decimal(1)), ("/mm3", Decimal(1000)), ("10*6/mL", Decimal(1))),
    "mg/dL": (("mg/L", Decimal(10)), ("g/L", Decimal("0.01")), ("ug/mL", Decimal(10))),
    "g/dL": (("g/L", Decimal(10)), ("mg/mL", Decimal(10)), ("mg/dL", Decimal(1000))),
    "g/L": (("g/dL", Decimal("0.1")), ("mg/dL", Decimal(100))),
    "mmol/L": (("umol/L", Decimal(1000)), ("mol/m3", Decimal(1))),
    "umol/L": (("mmol/L", Decimal("0.001")), ("nmol/mL", Decimal(1))),
    "ms": (("s", Decimal("0.001")),),
    "s": (("ms", Decimal(1000)),),
    "U/L": (("kU/L", Decimal("0.001")), ("mU/mL", Decimal(1))),
    "u[IU]/mL": (("m[IU]/L", Decimal(1)), ("mIU/L", Decimal(1))),
    "m[IU]/L": (("u[IU]/mL", Decimal(1)),),
}


def _unit(quantity: Any) -> str | None:
    return quantity.get("code") or quantity.get("unit") if isinstance(quantity, dict) else None


def _converted(quantity: Any, units: dict[str, tuple[str, Decimal]]) -> Any:
    """A quantity in its new unit, by code or, where UCUM has none, by text."""
    unit = _unit(quantity)
    if unit not in units or not isinstance(quantity.get("value"), int | Decimal):
        return quantity
    to, factor = units[unit]
    rest = {key: one for key, one in quantity.items() if key not in {"code", "unit", "system"}}
    return {**rest, "value": Decimal(quantity["value"]) * factor, "unit": to}


def _rescaled(resource: Any, units: dict[str, tuple[str, Decimal]]) -> Any:
    """An Observation with its value, ranges and components converted."""
    made = dict(resource)
    if "valueQuantity" in made:
        made["valueQuantity"] = _converted(made["valueQuantity"], units)
    if isinstance(made.get("referenceRange"), list):
        made["referenceRange"] = [
            {
                key: _converted(one, units) if key in {"low", "high"} else one
                for key, one in limits.items()
            }
            for limits in made["referenceRange"]
        ]
    if isinstance(made.get("component"), list):
        made["component"] = [_rescaled(one, units) for one in made["component"]]
    return made


@settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
@given(data=st.data())
def test_results_in_other_units_are_the_same_results(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart = data.draw(charts)
    units = {unit: data.draw(st.sampled_from(others)) for unit, others in _SAME.items()}
    entries = [
        {**one, "resource": _rescaled(one["resource"], units)}
        if one.get("resource", {}).get("resourceType") == "Observation"
        else one
        for one in chart.entries
    ]
    assert changes(assessed(chart), assessed(chart.having(entries))) == {}
