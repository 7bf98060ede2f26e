"""Procedures: which count, when they were done, and what is known by words only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import Facts, Procedure

    FactsOf = Callable[..., Facts]

SNOMED = "http://snomed.info/sct"
RADIOTHERAPY = {"coding": [{"system": SNOMED, "code": "108290001"}]}


def procedure(code: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "status": "completed",
        "code": code or RADIOTHERAPY,
        **fields,
    }


def only(facts_of: FactsOf, **fields: Any) -> Procedure:
    ((found, _),) = facts_of(procedure(**fields)).procedures["radiotherapy"]
    return found


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "preparation"])
def test_what_was_not_done_is_no_fact(facts_of: FactsOf, status: str) -> None:
    assert facts_of(procedure(status=status)).procedures.get("radiotherapy", ()) == ()


@pytest.mark.parametrize(
    ("status", "doubtful"),
    [
        ("completed", False), ("in-progress", False), ("stopped", False),
        ("on-hold", True), ("unknown", True), (None, True), (7, True), ("done", True),
    ],
)  # fmt: skip
def test_a_status_that_does_not_say_that_it_was_done_is_doubtful(
    facts_of: FactsOf,
    status: Any,
    doubtful: bool,  # noqa: FBT001 - a row of the table
) -> None:
    assert only(facts_of, status=status).doubtful is doubtful


@pytest.mark.parametrize(
    ("fields", "start", "end"),
    [
        ({"performedDateTime": "2026-02-01"}, "2026-02-01", "2026-02-01"),
        (
            {"performedPeriod": {"start": "2026-01-01", "end": "2026-02-01"}},
            "2026-01-01",
            "2026-02-01",
        ),
        ({"performedPeriod": {"start": "2026-01-01"}}, "2026-01-01", None),
        ({"performedPeriod": {"end": "2026-02-01"}}, "2026-02-01", "2026-02-01"),
        ({"performedPeriod": {"start": "2026-01-01", "end": "?"}}, None, None),
        ({"performedString": "last spring"}, None, None),
        (
            {"performedAge": {"value": 3, "code": "a"}},
            "at 3 years of age",
            "at 3 years of age",
        ),
        ({"performedAge": {"value": 3}}, None, None),
        ({}, None, None),
    ],
)
def test_a_procedure_is_dated_by_when_it_was_performed(
    facts_of: FactsOf, fields: dict[str, Any], start: str | None, end: str | None
) -> None:
    found = only(facts_of, **fields)
    assert (found.start.text if found.start else None) == start
    assert (found.end.text if found.end else None) == end


def test_a_procedure_in_progress_without_an_end_is_running(facts_of: FactsOf) -> None:
    period = {"performedPeriod": {"start": "2026-01-01"}}
    assert only(facts_of, status="in-progress", **period).running
    assert not only(facts_of, **period).running
    over = {"performedPeriod": {"start": "2026-01-01", "end": "2026-01-09"}}
    assert not only(facts_of, status="in-progress", **over).running


def test_words_alone_are_evidence_for_a_human(facts_of: FactsOf) -> None:
    ((_, mark),) = facts_of(procedure({"text": "Radiotherapy of the thigh"})).procedures[
        "radiotherapy"
    ]
    assert not mark.decides


def test_procedures_that_nobody_knows_are_counted(facts_of: FactsOf) -> None:
    facts = facts_of(procedure({"text": "hair cut"}), procedure())
    assert facts.unrecognised["Procedure"] == 1
    assert facts.totals["Procedure"] == 2
