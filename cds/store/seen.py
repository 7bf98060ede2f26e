"""Tokens that were used: each is good for one call, whichever worker it reaches."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from sqlalchemy import delete

from cds.store.inserting import insert_new
from cds.store.tables import seen_tokens

if TYPE_CHECKING:
    from cds.store.database import Store

_SWEEP_EVERY = 256


class SeenTokens:
    """Remembers tokens by issuer and `jti` until they expire; shared through the store."""

    def __init__(self, store: Store) -> None:
        """Keep the memory in a store."""
        self._store = store
        self._calls = 0

    def is_first(self, issuer: str, jti: str, *, expires: int, now: int) -> bool:
        """Whether a token is used for the first time; from now on it was used.

        `expires` is when nobody would accept it anyway (Unix seconds, leeway included).

        Raises:
            StoreFault: the database cannot be written now, so that nobody can tell.
        """
        digest = hashlib.sha256(f"{len(issuer)}:{issuer}{jti}".encode()).hexdigest()
        self._calls += 1
        with self._store.begin_quick() as connection:
            if self._calls % _SWEEP_EVERY == 1:
                connection.execute(delete(seen_tokens).where(seen_tokens.c.expires < now))
            return insert_new(connection, seen_tokens, {"digest": digest, "expires": expires})
