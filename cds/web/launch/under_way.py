"""Launches between leaving for the EHR and coming back: bound to one browser, good for one time."""

from __future__ import annotations

import hashlib
import time
from hmac import compare_digest
from typing import TYPE_CHECKING

import msgspec
from flask import request

from cds.store.launches import Launches
from cds.web.launch.authorization import Pending
from cds.web.launch.fault import LaunchFault, Why
from cds.web.report.sealing import address_of, new_token, seal, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from cds.store.database import Store
    from cds.web.sessions import Cookies

_SECONDS = 600
_pending = msgspec.json.Decoder(Pending)


class UnderWay:
    """What is kept of each launch, sealed under a cookie that only its browser has."""

    def __init__(
        self, store: Store, cookies: Cookies, clock: Callable[[], float] = time.time
    ) -> None:
        """Keep them in a store."""
        self._kept = Launches(store)
        self._cookies = cookies
        self._clock = clock

    def begin(self, response: Response, pending: Pending) -> None:
        """Remember a launch until its browser comes back.

        Raises:
            StoreFault: the database cannot be written now.
        """
        token = new_token()
        address = address_of(token)
        assert address is not None  # noqa: S101 - the token was made here
        now = int(self._clock())
        self._kept.keep(address, seal(pending, token), expires=now + _SECONDS, now=now)
        self._cookies.give(response, _cookie(pending.state), token, _SECONDS)

    def take(self, state: str) -> Pending:
        """The launch that this browser began with this state; nobody gets it a second time.

        Raises:
            LaunchFault: STATE, it began none, or not lately, or it came back before.
            StoreFault: the database cannot be written now.
        """
        token = request.cookies.get(_cookie(state), "")
        address = address_of(token)
        sealed = None if address is None else self._kept.take(address, now=int(self._clock()))
        pending = None if sealed is None else unsealed(sealed, token, _pending)
        if pending is None or not compare_digest(pending.state.encode(), state.encode()):
            raise LaunchFault(Why.STATE)
        return pending

    def end(self, response: Response, state: str) -> None:
        """Take the cookie of a launch away."""
        self._cookies.give(response, _cookie(state), "", 0)


def _cookie(state: str) -> str:
    """A name of its own for each launch, so that two tabs do not disturb one another."""
    return f"trial-cds-launch-{hashlib.sha256(state.encode()).hexdigest()[:16]}"
