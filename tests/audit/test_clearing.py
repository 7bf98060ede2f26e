"""From which day an obstacle is gone, if nothing else happens."""
# ruff: noqa: E501 - a row is a sentence and its chart, read across

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

D, R = "NCT05490667", "NCT07137884"


def _took(code: str, day: str, **fields: Any) -> tuple[Any, ...]:
    return ("took", "rxnorm", code, "completed", {"start": day, "end": day, **fields})


TABLE: list[tuple[Any, ...]] = [
    ("within 7 days of 1 March", D, "E28a", "2026-03-09", _took("28031", "2026-03-01")),
    ("at least 21 days after 1 March", R, "I07a", "2026-03-22", _took("3639", "2026-03-01")),
    ("28 days, the 28th inside", R, "I08a", "2026-03-21", _took("1597876", "2026-02-20")),
    ("a drug still taken", D, "E28a", None, ("took", "rxnorm", "28031", {"start": "2026-02-10"})),
    ("a drug with an end to come", D, "E28a", "2026-03-13", ("took", "rxnorm", "28031", {"start": "2026-02-01", "end": "2026-03-05"})),
    ("the later of two", D, "E28a", "2026-03-06", _took("28031", "2026-02-24"), _took("197517", "2026-02-26", as_="m2")),
    ("months end with the month", D, "E25a", "2026-07-01", ("condition", "icd", "I63.9", {"onset": "2025-12-31"})),
    ("a month, while its first day is inside", D, "E25a", "2026-06-02", ("condition", "icd", "I63.9", {"onset": "2025-12"})),
    ("a cancer whose end is not recorded", D, "E03", "2027-01-02", ("condition", "icd", "C50.919", {"onset": "2022-01-01", "clinical": "resolved"})),
    ("a drug begun in the window, its end not recorded", D, "E28a", None, ("took", "rxnorm", "28031", "stopped", {"start": "2026-02-25"})),
    ("an operation", D, "E20a", "2026-03-11", ("procedure", "snomed", "31904001", "2026-02-10")),
    ("an active disease", D, "E09b", None, ("condition", "icd", "I48.91", {"onset": "2026-02-10"})),
    ("a measurement", D, "I07b", None, ("lab", "anc", 1.0)),
    ("an age", D, "I03b", None, ("person", "2016-03-02", "female")),
]  # fmt: skip


def test_what_the_documents_say_of(row: tuple[Any, ...], decided: Callable[..., Any]) -> None:
    _, trial, criterion, day, *changes = row
    found = decided(trial, criterion, *changes)
    assert (found["status"], found["clears_on"]) == ("fail", day)


def test_a_criterion_fails_until_the_day_that_was_named_and_no_longer_on_it(
    decided: Callable[..., Any],
) -> None:
    for _, trial, criterion, day, *changes in TABLE:
        if day is not None:
            eve = (date.fromisoformat(day) - timedelta(days=1)).isoformat()
            assert decided(trial, criterion, *changes, on=eve)["status"] == "fail"
            assert decided(trial, criterion, *changes, on=day)["status"] != "fail"


def test_a_trial_clears_when_the_last_of_its_obstacles_does(said: Callable[..., Any]) -> None:
    drugs = _took("68442", "2026-02-28"), _took("3639", "2026-02-20", as_="m2")
    (trial,) = (t for t in said(R, *drugs)["trials"] if t["trial"] == R)
    assert (trial["overall"], trial["clears_on"]) == ("ineligible", "2026-03-13")
    (trial,) = (t for t in said(R, *drugs, ("lab", "anc", 1.0))["trials"] if t["trial"] == R)
    assert trial["clears_on"] is None
