"""Feedback rows: written before the client is told so, each act once."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from cds.store.inserting import insert_new
from cds.store.mutes import about, mute, unmute
from cds.store.tables import feedback

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from cds.store.database import Store


class Reason(msgspec.Struct, frozen=True, omit_defaults=True):
    """Why a card was overridden: a Coding, of which only the code is sure to be there."""

    code: str
    system: str | None = None
    display: str | None = None


class FeedbackEntry(msgspec.Struct, frozen=True):
    """What one user did with one card. `outcome` is `accepted` or `overridden`."""

    service: str
    card: str
    outcome: str
    outcome_at: datetime
    accepted: tuple[str, ...] = ()
    reasons: tuple[Reason, ...] = ()
    comment: str | None = None


def keep_feedback(
    store: Store,
    entries: Sequence[FeedbackEntry],
    *,
    client: str | None,
    received: datetime,
    not_now: timedelta = timedelta(days=7),
) -> int:
    """Write all entries in one transaction, or none; gives how many had not been there.

    An overridden card is muted, for as long as `not_now` where the user only wants it later.

    Raises:
        StoreFault: the database cannot be written now.
    """
    with store.begin() as connection:
        return sum(_keep(connection, entry, client, received, not_now) for entry in entries)


def _keep(
    connection: Connection,
    entry: FeedbackEntry,
    client: str | None,
    received: datetime,
    not_now: timedelta,
) -> bool:
    card = about(connection, entry.card)
    row = _row(entry, client, received)
    if card is not None:
        row |= {"patient": card.patient, "trials": [one.trial for one in card.trials]}
    if not insert_new(connection, feedback, row):
        return False
    if card is not None and entry.outcome == "overridden":
        reasons = [reason.code for reason in entry.reasons]
        mute(connection, card, since=received, reasons=reasons, not_now=not_now)
    elif card is not None:
        unmute(connection, card)
    return True


def _row(entry: FeedbackEntry, client: str | None, received: datetime) -> dict[str, object]:
    # Not of the comment: the setting that keeps comments may change between two sendings.
    said = msgspec.structs.replace(entry, comment=None)
    digest = hashlib.sha256(msgspec.json.encode([client, said])).hexdigest()
    return {
        "digest": digest,
        "received": received,
        "client": client,
        "service": entry.service,
        "card": entry.card,
        "outcome": entry.outcome,
        "outcome_at": entry.outcome_at,
        "accepted": list(entry.accepted),
        "reasons": msgspec.to_builtins(entry.reasons),
        "comment": entry.comment,
        "patient": None,
        "trials": [],
    }
