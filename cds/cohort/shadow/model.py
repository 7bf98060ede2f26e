"""What a shadow phase saw: one entry for each patient and trial."""

from __future__ import annotations

from datetime import date

import msgspec


class Seen(msgspec.Struct, frozen=True):
    """One patient and one trial over the whole phase.

    `patient` is the FHIR id or the store's name. `calls` and `shown`: how often it was evaluated,
    and how often a card would have been shown. The rest is as it stood last: `statuses` by
    criterion, `missing` by unknown criterion.
    """

    patient: str
    trial: str
    calls: int
    shown: int
    overall: str
    statuses: dict[str, str]
    missing: dict[str, tuple[str, ...]]

    def with_status(self, status: str) -> list[str]:
        """The criteria of one status."""
        return [criterion for criterion, one in self.statuses.items() if one == status]


class Phase(msgspec.Struct, frozen=True):
    """A phase. `first` and `last` are evaluation days; `versions` what it was evaluated with.

    `calls` counts evaluations of a chart, `with_card` those in which a card would have been shown.
    """

    source: str
    first: date | None
    last: date | None
    calls: int
    with_card: int
    versions: tuple[str, ...]
    seen: tuple[Seen, ...]

    @property
    def trials(self) -> list[str]:
        """The trials, sorted."""
        return sorted({one.trial for one in self.seen})

    @property
    def patients(self) -> set[str]:
        """Everybody whose chart was evaluated."""
        return {one.patient for one in self.seen}
