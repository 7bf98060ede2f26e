"""Determination pages: kept sealed for some minutes, shared by all workers, never many."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, func, select, update

from cds.store.inserting import insert_new
from cds.store.tables import pages

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cds.store.database import Store

_SWEEP_EVERY = 64
MOST_PAGES = 5_000


class KeptPage(msgspec.Struct, frozen=True):
    """One page as it lies in the store; `reader_fits` False: somebody else opened it first."""

    sealed: bytes
    reader_fits: bool


class Pages:
    """Pages by the digest of their link's token. What they say, the store cannot read."""

    def __init__(self, store: Store, *, most: int = MOST_PAGES) -> None:
        """Keep them in a store, at most about `most` (the ones that end last stay)."""
        self._store = store
        self._most = most
        self._sweep_every = max(1, min(_SWEEP_EVERY, most // 4))
        self._writes = 0

    def keep(self, address: str, sealed: bytes, *, expires: int, now: int) -> None:
        """Keep a page in a transaction of its own.

        Raises:
            StoreFault: the database cannot be written now.
        """
        with self._store.begin_quick() as connection:
            self.keep_within(connection, address, sealed, expires=expires, now=now)

    def keep_within(
        self, connection: Connection, address: str, sealed: bytes, *, expires: int, now: int
    ) -> None:
        """Keep a page until `expires` (Unix seconds); the same page again is kept longer.

        Who opened it first stays its reader. Now and then the ones that ended are swept out, and
        the ones that end first where there are too many.
        """
        row = {"address": address, "sealed": sealed, "expires": expires}
        if not insert_new(connection, pages, row):
            again = update(pages).where(pages.c.address == address)
            connection.execute(again.values(sealed=sealed, expires=expires))
        if self._writes % self._sweep_every == 0:
            self._sweep(connection, now)
        self._writes += 1

    def _sweep(self, connection: Connection, now: int) -> None:
        connection.execute(delete(pages).where(pages.c.expires <= now))
        count = connection.scalar(select(func.count()).select_from(pages)) or 0
        if count > self._most:
            first = select(pages.c.address).order_by(pages.c.expires)
            oldest = first.limit(count - self._most)
            connection.execute(delete(pages).where(pages.c.address.in_(oldest)))

    def open(
        self, address: str, *, reader: str | None, now: int, claim: bool = True
    ) -> KeptPage | None:
        """The page, or None where there is none (any more). The first `reader` makes it theirs.

        `reader` None: nobody has to say who they are, unless the page is somebody's already.
        `claim` False: a page that is nobody's stays so, and is not this reader's.

        Raises:
            StoreFault: the database does not answer now.
        """
        named = None if reader is None else hashlib.sha256(reader.encode()).hexdigest()
        wanted = pages.c.address == address
        with self._store.begin() as connection:
            if named is not None and claim:
                mine = update(pages).where(wanted, pages.c.reader.is_(None))
                connection.execute(mine.values(reader=named))
            found = connection.execute(
                select(pages.c.sealed, pages.c.reader).where(wanted, pages.c.expires > now)
            ).one_or_none()
        if found is None:
            return None
        return KeptPage(found.sealed, found.reader == named)
