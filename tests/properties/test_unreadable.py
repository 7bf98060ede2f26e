"""What cannot be read never makes a chart look better; what is withdrawn is as if it were not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds.fhir.retrieved import KINDS

if TYPE_CHECKING:
    from collections.abc import Callable

_some = settings(
    derandomize=True,
    max_examples=100,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
_CLINICAL = frozenset(KINDS.values())
_NO_CONCEPT: tuple[Any, ...] = (5, "nonsense", {"coding": 7}, {"coding": [{"code": 5}]}, [[]])
_NO_DATE: tuple[Any, ...] = (5, "2026-13-45", "last spring", {"start": 5})
_NO_PERIOD: tuple[Any, ...] = (5, "2026-02-01", {"start": "last spring"}, {"end": [5]})
_BROKEN: dict[str, tuple[Any, ...]] = {
    "code": _NO_CONCEPT,
    "medicationCodeableConcept": _NO_CONCEPT,
    "clinicalStatus": _NO_CONCEPT,
    "verificationStatus": _NO_CONCEPT,
    "subject": (5, "nonsense", {"reference": 5}, []),
    "status": (5, [], {"code": "final"}),
    "valueQuantity": (5, "12", {"value": "many"}, {"value": [1]}, [{"value": 1}]),
    "effectiveDateTime": _NO_DATE,
    "onsetDateTime": _NO_DATE,
    "recordedDate": _NO_DATE,
    "performedDateTime": _NO_DATE,
    "authoredOn": _NO_DATE,
    "effectivePeriod": _NO_PERIOD,
    "performedPeriod": _NO_PERIOD,
    "referenceRange": (5, "4-10", [5], [{"high": "ten"}]),
    "component": (5, "none", [5]),
    "dosage": (5, "twice a day"),
    "dispenseRequest": (5, {"validityPeriod": "May"}, {"expectedSupplyDuration": "long"}),
}
"""By field, what is no such thing."""


def _places(chart: Any) -> list[int]:
    """Where the entries stand that say something about the patient."""
    return [
        place
        for place, one in enumerate(chart.entries)
        if one.get("resource", {}).get("resourceType") in _CLINICAL and _has_owner(one["resource"])
    ]


def _has_owner(resource: Any) -> bool:
    """An entry that does not say whose it is leaves a gap, whatever else it says."""
    return isinstance(resource.get("subject"), dict)


def _without(chart: Any, place: int) -> Any:
    return chart.having([one for at, one in enumerate(chart.entries) if at != place])


def _instead(chart: Any, place: int, resource: Any) -> Any:
    entries = list(chart.entries)
    entries[place] = {**entries[place], "resource": resource}
    return chart.having(entries)


@_some
@given(data=st.data())
def test_an_entry_that_cannot_be_read_turns_no_unknown_or_fail_into_pass(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    """One field or several hold what they cannot hold: some entries are lost, some are not."""
    chart = data.draw(charts)
    place = data.draw(st.sampled_from(_places(chart)))
    broken = dict(chart.entries[place]["resource"])
    fields = sorted(set(broken) & set(_BROKEN))
    for field in data.draw(st.lists(st.sampled_from(fields), min_size=1, unique=True)):
        broken[field] = data.draw(st.sampled_from(_BROKEN[field]))
    for key, (was, now) in changes(
        assessed(chart), assessed(_instead(chart, place, broken))
    ).items():
        if " " in key and was is not None and now is not None:
            assert now[0] != "pass", (key, was, now, broken)


@_some
@given(data=st.data())
def test_an_entry_that_is_no_resource_at_all_turns_nothing_into_pass_or_fail(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart = data.draw(charts)
    place = data.draw(st.integers(0, len(chart.entries)))
    lost = data.draw(
        st.sampled_from(
            [
                {"resource": {"resourceType": "Condition", "subject": 5, "code": 5}},
                {"resource": {"resourceType": "Observation", "subject": []}},
                {"resource": {"resourceType": "MedicationStatement", "subject": "Patient/1"}},
                {"resource": {"resourceType": "Unheard"}},
                {"resource": {}},
                {"resource": 5},
                5,
                "x",
            ]
        )
    )
    worse = chart.having([*chart.entries[:place], lost, *chart.entries[place:]])
    for key, (was, now) in changes(assessed(chart), assessed(worse)).items():
        # What a target diagnosis that became unknown brings along was not said before.
        assert " " not in key or was is None or now[0] == "unknown", (key, was, now)


@_some
@given(data=st.data())
def test_an_entry_entered_in_error_is_as_good_as_none(
    data: st.DataObject, charts: Any, assessed: Callable[..., Any], changes: Callable[..., Any]
) -> None:
    chart = data.draw(charts)
    place = data.draw(st.sampled_from(_places(chart)))
    withdrawn = dict(chart.entries[place]["resource"])
    if withdrawn["resourceType"] == "Condition":
        withdrawn["verificationStatus"] = {"coding": [{"code": "entered-in-error"}]}
    else:
        withdrawn["status"] = "entered-in-error"
    gone, kept = _without(chart, place), _instead(chart, place, withdrawn)
    assert changes(assessed(gone), assessed(kept)) == {}
