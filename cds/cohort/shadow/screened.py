"""A shadow phase from the results of a screening: every chart was evaluated once."""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cds.cohort.shadow.model import Phase, Seen

if TYPE_CHECKING:
    from cds.cohort.report.results import Results

_CONCERNED = frozenset({"pass", "review"})


def phase_of_screening(results: Results, near_days: int) -> Phase:
    """The phase; a card would be shown as the service shows them.

    `near_days`: an ineligible trial that clears within so many days gives a card.
    """
    manifest = results.manifest
    on = date.fromisoformat(manifest["on"])
    statuses, missing = _criteria(results)
    rows = results.rows(
        "select patient, trial, overall, target, clears_on from determinations order by all"
    )
    seen = tuple(
        Seen(
            _id(patient),
            trial,
            1,
            int(
                target in _CONCERNED
                and (
                    overall != "ineligible"
                    or (clears_on is not None and clears_on - on <= timedelta(days=near_days))
                )
            ),
            overall,
            statuses[patient, trial],
            missing[patient, trial],
        )
        for patient, trial, overall, target, clears_on in rows
    )
    versions = (
        f"trial-cds {manifest['software']['version']}",
        *(f"{trial} {version}" for trial, version in sorted(manifest["content"]["trials"].items())),
    )
    with_card = {one.patient for one in seen if one.shown}
    everybody = {one.patient for one in seen}
    return Phase("a screening", on, on, len(everybody), len(with_card), versions, seen)


def _criteria(
    results: Results,
) -> tuple[
    dict[tuple[str, str], dict[str, str]], dict[tuple[str, str], dict[str, tuple[str, ...]]]
]:
    statuses: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    missing: dict[tuple[str, str], dict[str, tuple[str, ...]]] = defaultdict(dict)
    asked = "select patient, trial, criterion, status, gaps from criteria order by 1, 2, 3"
    for patient, trial, criterion, status, gaps in results.rows(asked):
        statuses[patient, trial][criterion] = status
        if status == "unknown":
            missing[patient, trial][criterion] = tuple(_said(gap) for gap in gaps)
    return statuses, missing


def _said(gap: dict[str, Any]) -> str:
    return f"{gap['gap']} {gap['concept']}"


def _id(reference: str) -> str:
    return reference.removeprefix("Patient/")
