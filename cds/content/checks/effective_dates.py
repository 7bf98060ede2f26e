"""Versions of a protocol that are not in force on the day of the check."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content


def effective_dates(content: Content) -> Iterator[Fault]:
    """A notice for each trial whose stated dates leave out the day; silent without a day."""
    for loaded in content.trials:
        dates, day = loaded.effective, content.day
        if dates is None or day is None or dates.covers(day):
            continue
        file = f"trials/{loaded.trial.id}/trial.yaml"
        says = f"Version {loaded.trial.version} is in force {dates}, not on {day}."
        cure = "Keep it in a folder that the service does not read until then."
        if dates.last is not None and dates.last < day:
            cure = "Replace it by the version in force, or switch the trial off."
        yield Fault(file, 1, says, cure, Severity.NOTICE)
