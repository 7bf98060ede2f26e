"""Determination pages: kept sealed for some minutes, shared by all workers, never many."""

from __future__ import annotations

import hashlib
from functools import partial
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, func, select, update

from cds.store.inserting import putting
from cds.store.prepared import Prepared
from cds.store.tables import pages

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from cds.store.database import Store
    from cds.store.prepared import Driving

_SWEEP_EVERY = 64
MOST_PAGES = 5_000


class Page(msgspec.Struct, frozen=True):
    """One page to be kept until `expires` (Unix seconds): the columns of `pages` without a reader.

    The same page again is kept longer, and who opened it first stays its reader.
    """

    address: str
    sealed: bytes
    expires: int


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

    def keep(self, page: Page, *, now: int) -> None:
        """Keep a page in a transaction of its own.

        Raises:
            StoreFault: the database cannot be written now.
        """
        self.make_room(now)
        with self._store.drive() as driving:
            keep_page(driving, page)

    def make_room(self, now: int) -> None:
        """Before a page is kept: now and then sweep out those that ended.

        And the ones that end first where there are too many.

        Raises:
            StoreFault: the database cannot be written now.
        """
        if self._writes % self._sweep_every == 0:
            with self._store.begin_quick() as connection:
                self._sweep(connection, now)
        self._writes += 1

    def _sweep(self, connection: Connection, now: int) -> None:
        connection.execute(delete(pages).where(pages.c.expires <= now))
        count = connection.scalar(select(func.count()).select_from(pages)) or 0
        if count >= self._most:
            first = select(pages.c.address).order_by(pages.c.expires)
            oldest = first.limit(count + 1 - self._most)
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


def keep_page(driving: Driving, page: Page) -> None:
    """Keep a page in a transaction that is under way."""
    driving.run(_KEEP, msgspec.structs.asdict(page))


_KEEP = Prepared(partial(putting, pages, Page.__struct_fields__))
