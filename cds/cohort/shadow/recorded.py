"""A shadow phase from the decision records of the service: what the hook would have shown."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from sqlalchemy import select

from cds.cohort.shadow.model import Phase, Seen
from cds.store.tables import calls, decisions

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from cds.store.database import Store

_WOULD_SHOW = frozenset({"card", "shadow"})
_LAUNCH = "launch"  # in place of a hookInstance: somebody asked for a page, and no hook was fired


class _Row(NamedTuple):
    call: str
    patient: str
    trial: str
    overall: str
    outcome: str
    record: str


class _Record(msgspec.Struct, rename={"passed": "pass"}):
    """Of a decision record what the report needs."""

    on: date
    software: str
    version: str
    passed: list[str] = []
    fail: list[str] = []
    unknown: dict[str, list[str]] = {}
    review: dict[str, list[str]] = {}

    def statuses(self) -> dict[str, str]:
        parts = (
            ("pass", self.passed),
            ("fail", self.fail),
            ("unknown", self.unknown),
            ("review", self.review),
        )
        return {criterion: status for status, criteria in parts for criterion in criteria}


_records = msgspec.json.Decoder(_Record)


def phase_of_records(
    store: Store,
    *,
    since: datetime | None = None,
    until: datetime | None = None,
    client: str | None = None,
) -> Phase:
    """The phase in the store: calls received from `since` until before `until`, of one client.

    Raises:
        StoreFault: the store cannot be read now.
    """
    seen: dict[tuple[str, str], Seen] = {}
    everything: set[str] = set()
    with_card: set[str] = set()
    versions: set[str] = set()
    days: set[date] = set()
    for row in _rows(store, since, until, client):
        record = _records.decode(row.record)
        days.add(record.on)
        versions |= {f"trial-cds {record.software}", f"{row.trial} {record.version}"}
        everything.add(row.call)
        shown = row.outcome in _WOULD_SHOW
        if shown:
            with_card.add(row.call)
        before = seen.get((row.patient, row.trial))
        seen[row.patient, row.trial] = Seen(
            row.patient,
            row.trial,
            1 + (before.calls if before else 0),
            int(shown) + (before.shown if before else 0),
            row.overall,
            record.statuses(),
            {criterion: tuple(gaps) for criterion, gaps in record.unknown.items()},
        )
    return Phase(
        "decision records",
        min(days, default=None),
        max(days, default=None),
        len(everything),
        len(with_card),
        tuple(sorted(versions)),
        tuple(seen[key] for key in sorted(seen)),
    )


def _rows(
    store: Store, since: datetime | None, until: datetime | None, client: str | None
) -> Iterator[_Row]:
    asked = select(
        decisions.c.call,
        calls.c.patient,
        decisions.c.trial,
        decisions.c.overall,
        decisions.c.outcome,
        decisions.c.record,
    ).join(calls, calls.c.id == decisions.c.call)
    asked = asked.where(calls.c.hook_instance != _LAUNCH)
    if since is not None:
        asked = asked.where(calls.c.received >= since)
    if until is not None:
        asked = asked.where(calls.c.received < until)
    if client is not None:
        asked = asked.where(calls.c.client == client)
    with store.read() as connection:
        for row in connection.execute(asked.order_by(decisions.c.call, decisions.c.trial)):
            yield _Row(*row)
