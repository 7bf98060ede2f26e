"""Hook calls and their decision records: kept in one transaction, found again, thrown away."""

from __future__ import annotations

import secrets
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, insert, or_, select

from cds.store.pages import keep_page
from cds.store.prepared import Prepared
from cds.store.tables import attestations, calls, decisions, feedback, inputs, mutes

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from sqlalchemy import Connection

    from cds.store.database import Store
    from cds.store.pages import Page

_SWEEP_EVERY = 256
_SWEEP_MOST = 2_000


class Decided(msgspec.Struct, frozen=True):
    """One determination of a call: the columns of `decisions`."""

    trial: str
    overall: str
    outcome: str
    card: str | None
    stands: str
    record: str


class Call(msgspec.Struct, frozen=True):
    """One hook call that is answered: the columns of `calls`, its determinations, its input.

    `received` is in UTC.
    """

    id: str
    hook_instance: str
    received: datetime
    client: str | None
    patient: str
    cards: int
    record: str
    decided: tuple[Decided, ...] = ()
    sealed: bytes | None = None


class Forgotten(msgspec.Struct, frozen=True):
    """How many rows were thrown away."""

    calls: int
    feedback: int
    mutes: int
    attestations: int


def new_call_id(received: datetime) -> str:
    """A UUID that sorts by time (version 7), so that new rows stand at the end of their table."""
    milliseconds = int(received.timestamp() * 1000)
    low = secrets.randbits(62) | 2 << 62
    number = milliseconds << 80 | 7 << 76 | secrets.randbits(12) << 64 | low
    text = f"{number:032x}"
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))


class Calls:
    """The decision records of a store."""

    def __init__(self, store: Store, *, oldest: Callable[[datetime], datetime | None]) -> None:
        """`oldest` tells, for a moment, what was received before it is thrown away; None: keep."""
        self._store = store
        self._oldest = oldest
        self._writes = 0

    def keep(self, call: Call, page: Page | None = None) -> None:
        """Keep a call with its determinations and the page behind its cards, or nothing of it.

        Now and then what is too old is thrown away before, a little at a time.

        Raises:
            StoreFault: the database cannot be written now.
        """
        if self._writes % _SWEEP_EVERY == 0:
            oldest = self._oldest(call.received)
            if oldest is not None:
                with self._store.begin_quick() as connection:
                    _throw_away(connection, oldest, _SWEEP_MOST)
        with self._store.drive() as driving:
            if page is not None:
                keep_page(driving, page)
            driving.run(_CALL, msgspec.structs.asdict(call))
            if call.decided:
                driving.run_all(_DECISION, [_decided(call, one) for one in call.decided])
            if call.sealed is not None:
                driving.run(_INPUT, {"call": call.id, "sealed": call.sealed})
        self._writes += 1


_CALL = Prepared(lambda _: insert(calls))
_DECISION = Prepared(lambda _: insert(decisions))
_INPUT = Prepared(lambda _: insert(inputs))


def _decided(call: Call, one: Decided) -> dict[str, object]:
    return {"call": call.id, **msgspec.structs.asdict(one)}


def find_calls(store: Store, name: str, *, trial: str | None = None) -> list[Call]:
    """The calls with an id or a hookInstance, the oldest first, with what was decided.

    With `trial`, only what was decided about that one, and only calls that did.

    Raises:
        StoreFault: the database cannot be read now.
    """
    asked = select(calls).where(or_(calls.c.id == name, calls.c.hook_instance == name))
    found = []
    with store.read() as connection:
        for row in connection.execute(asked.order_by(calls.c.id)).all():
            of = select(decisions).where(decisions.c.call == row.id).order_by(decisions.c.trial)
            decided = tuple(
                Decided(one.trial, one.overall, one.outcome, one.card, one.stands, one.record)
                for one in connection.execute(of)
                if trial in {None, one.trial}
            )
            if trial is not None and not decided:
                continue
            sealed = connection.scalar(select(inputs.c.sealed).where(inputs.c.call == row.id))
            found.append(
                Call(
                    row.id,
                    row.hook_instance,
                    row.received.replace(tzinfo=row.received.tzinfo or UTC),
                    row.client,
                    row.patient,
                    row.cards,
                    row.record,
                    decided,
                    sealed,
                )
            )
    return found


def forget_patient(store: Store, patient: Collection[str]) -> Forgotten:
    """Throw away everything about a patient, who may stand there under several names.

    Raises:
        StoreFault: the database cannot be written now; nothing was thrown away.
    """
    with store.begin() as connection:
        return Forgotten(
            *(
                connection.execute(delete(table).where(table.c.patient.in_(patient))).rowcount
                for table in (calls, feedback, mutes, attestations)
            )
        )


def throw_away(store: Store, oldest: datetime) -> Forgotten:
    """Throw away what was received before `oldest`.

    Raises:
        StoreFault: the database cannot be written now; nothing was thrown away.
    """
    with store.begin() as connection:
        return _throw_away(connection, oldest, None)


def _throw_away(connection: Connection, oldest: datetime, most: int | None) -> Forgotten:
    """At most `most` rows of each table; of calls their decisions and inputs go along."""
    counts: dict[str, int] = {}
    for table, key, when in (
        (calls, calls.c.id, calls.c.received),
        (feedback, feedback.c.id, feedback.c.received),
        (mutes, mutes.c.since, mutes.c.since),
        (attestations, attestations.c.id, attestations.c.said),
    ):
        old = select(key).where(when < oldest).order_by(when).limit(most)
        counts[table.name] = connection.execute(delete(table).where(key.in_(old))).rowcount
    return Forgotten(**counts)
