"""Launches under way and who launched: sealed, shared by all workers, for some minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from cds.store.inserting import insert_new
from cds.store.tables import launches

if TYPE_CHECKING:
    from cds.store.database import Store

_SWEEP_EVERY = 64


class Launches:
    """Notes by the digest of a secret that only one browser holds; the store cannot read them."""

    def __init__(self, store: Store) -> None:
        """Keep them in a store."""
        self._store = store
        self._writes = 0

    def keep(self, address: str, sealed: bytes, *, expires: int, now: int) -> None:
        """Keep a note until `expires` (Unix seconds).

        Raises:
            StoreFault: the database cannot be written now.
        """
        row = {"address": address, "sealed": sealed, "expires": expires}
        self._writes += 1
        with self._store.begin() as connection:
            if self._writes % _SWEEP_EVERY == 1:
                connection.execute(delete(launches).where(launches.c.expires <= now))
            insert_new(connection, launches, row)

    def read(self, address: str, *, now: int) -> bytes | None:
        """The note, or None where there is none (any more).

        Raises:
            StoreFault: the database does not answer now.
        """
        wanted = launches.c.address == address, launches.c.expires > now
        with self._store.begin() as connection:
            found: bytes | None = connection.scalar(select(launches.c.sealed).where(*wanted))
        return found

    def take(self, address: str, *, now: int) -> bytes | None:
        """The note, which nobody gets a second time; None where there is none (any more).

        Raises:
            StoreFault: the database cannot be written now.
        """
        wanted = launches.c.address == address, launches.c.expires > now
        gone = delete(launches).where(*wanted).returning(launches.c.sealed)
        with self._store.begin() as connection:
            found: bytes | None = connection.scalar(gone)
        return found
