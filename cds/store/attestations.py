"""What people answered to the questions of trials: rows that are added and never changed."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import bindparam, delete, insert, select

from cds.store.tables import attestations

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from cds.store.database import Store

WITHDRAWN = "withdrawn"


class Attestation(msgspec.Struct, frozen=True):
    """One answer, or its withdrawal: the columns of `attestations`.

    `patient` is a name of cds.store.patients, `question` a digest of the criterion's words, `said`
    is in UTC. It counts until the end of the day `expires`; a withdrawal has none.
    """

    patient: str
    trial: str
    criterion: str
    question: str
    answer: str
    role: str
    name: str
    user: str | None
    said: datetime
    expires: date | None


def attest(store: Store, said: Iterable[Attestation]) -> None:
    """Add rows, all or none; they are on the disk when this ends.

    Raises:
        StoreFault: the database cannot be written now.
    """
    rows = [msgspec.structs.asdict(one) for one in said]
    if rows:
        with store.begin() as connection:
            connection.execute(insert(attestations), rows)


def attested(store: Store, patient: Collection[str]) -> list[Attestation]:
    """Everything that was said about a patient, the oldest first; names as cds.store.patients.

    Raises:
        StoreFault: the database cannot be read now.
    """
    with store.read() as connection:
        rows = connection.execute(_OF_PATIENT, {"patient": list(patient)}).all()
    return [
        Attestation(
            row.patient,
            row.trial,
            row.criterion,
            row.question,
            row.answer,
            row.role,
            row.name,
            row.user,
            row.said.replace(tzinfo=row.said.tzinfo or UTC),
            row.expires,
        )
        for row in rows
    ]


_OF_PATIENT = (
    select(attestations)
    .where(attestations.c.patient.in_(bindparam("patient", expanding=True)))
    .order_by(attestations.c.id)
)


def newest(said: Iterable[Attestation]) -> dict[tuple[str, str], Attestation]:
    """(trial, criterion) → what was said last."""
    return {(one.trial, one.criterion): one for one in said}


def forget_attestations(store: Store, patient: Collection[str]) -> int:
    """Throw away everything that was said about a patient; gives how many rows.

    Raises:
        StoreFault: the database cannot be written now; nothing was thrown away.
    """
    with store.begin() as connection:
        gone = delete(attestations).where(attestations.c.patient.in_(patient))
        return connection.execute(gone).rowcount
