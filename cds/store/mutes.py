"""Cards that stay away after they were overridden, for as long as nothing has changed."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import String, bindparam, delete, literal_column, or_, select, union_all

from cds.store.inserting import put
from cds.store.prepared import Prepared
from cds.store.tables import attestations, calls, decisions, mutes

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta

    from sqlalchemy import Connection

    from cds.store.database import Store

NOT_NOW = "not-now"


class Muted(msgspec.Struct, frozen=True):
    """A card about a trial stays away while its determination stands as it did."""

    trial: str
    stands: str


def muted_of(store: Store, patient: Collection[str], now: datetime) -> frozenset[Muted]:
    """What is muted for a patient, who may stand in the store under several names.

    Raises:
        StoreFault: the database cannot be read now.
    """
    return known_of(store, patient, now).muted


class Known(msgspec.Struct, frozen=True):
    """What people did with a patient's cards; `answered`: somebody answered a trial's questions."""

    muted: frozenset[Muted]
    answered: bool


def known_of(store: Store, patient: Collection[str], now: datetime) -> Known:
    """What a hook call must know of a patient, who may stand in the store under several names.

    Raises:
        StoreFault: the database cannot be read now.
    """
    row: dict[str, object] = {f"name{number}": name for number, name in enumerate(patient)}
    with store.drive(reading=True) as driving:
        rows = driving.run(_known(len(row)), {**row, "now": now})
    muted = frozenset(Muted(trial, stands) for trial, stands in rows if stands)
    return Known(muted, any(not stands for _, stands in rows))


@cache  # by the number of site keys
def _known(names: int) -> Prepared:
    """Mutes that hold, and for each answer a row without `stands`."""
    given = [bindparam(f"name{number}", type_=String) for number in range(names)]
    muted = select(mutes.c.trial, mutes.c.stands).where(
        mutes.c.patient.in_(given),
        or_(mutes.c.until.is_(None), mutes.c.until > bindparam("now")),
    )
    answered = select(attestations.c.trial, literal_column("''")).where(
        attestations.c.patient.in_(given)
    )
    return Prepared(lambda _: union_all(muted, answered))


class About(msgspec.Struct, frozen=True):
    """Whose card it was, and how the trials that it is about stood."""

    patient: str
    trials: tuple[Muted, ...]


def about(connection: Connection, card: str) -> About | None:
    """What the newest call that gave a card knows of it; None for an unknown card."""
    newest = (
        select(decisions.c.call)
        .where(decisions.c.card == card)
        .order_by(decisions.c.call.desc())
        .limit(1)
    )
    call = connection.scalar(newest)
    if call is None:
        return None
    rows = connection.execute(
        select(decisions.c.trial, decisions.c.stands)
        .where(decisions.c.call == call, decisions.c.card == card)
        .order_by(decisions.c.trial)
    )
    patient = connection.scalar(select(calls.c.patient).where(calls.c.id == call))
    return About(str(patient), tuple(Muted(row.trial, row.stands) for row in rows))


def mute(
    connection: Connection,
    card: About,
    *,
    since: datetime,
    reasons: Collection[str],
    not_now: timedelta,
) -> None:
    """The user overrode a card: no further one like it.

    Who only said "not now" is asked again after `not_now`.
    """
    until = since + not_now if set(reasons) == {NOT_NOW} else None
    reason = next(iter(reasons), None)
    for one in card.trials:
        row = {
            "patient": card.patient,
            "trial": one.trial,
            "stands": one.stands,
            "since": since,
            "until": until,
            "reason": reason,
        }
        put(connection, mutes, row)


def unmute(connection: Connection, card: About) -> None:
    """The user did something else with the card: what was muted is no longer."""
    trials = [one.trial for one in card.trials]
    connection.execute(
        delete(mutes).where(mutes.c.patient == card.patient, mutes.c.trial.in_(trials))
    )
