"""Who launched: a cookie without meaning in one browser, and a sealed note in the store.

The cookie is HttpOnly, Secure and SameSite=None, because EHRs show the page in a frame of theirs,
and Partitioned, so that browsers without third-party cookies keep it for that frame.
"""

from __future__ import annotations

import secrets
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import msgspec
from flask import request

from cds.store.launches import Launches
from cds.web.report.sealing import address_of, new_token, seal, unsealed

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Response

    from cds.store.database import Store

COOKIE = "trial-cds-session"


class Session(msgspec.Struct, frozen=True):
    """One person at one browser. `reader` is under which pages are kept for them.

    `user` tells the users of an EHR apart, `name` is how it names them; both empty where it does
    not say.
    """

    reader: str
    iss: str
    user: str = ""
    name: str = ""


_sessions = msgspec.json.Decoder(Session)


class Cookies:
    """How cookies are set for the address that browsers know the service by."""

    def __init__(self, address: str) -> None:
        """Cookies are sent back to this address and nowhere else."""
        self._path = urlsplit(address).path.rstrip("/") or "/"

    def give(self, response: Response, name: str, value: str, seconds: int) -> None:
        """Set a cookie; 0 seconds take it away."""
        response.set_cookie(
            name,
            value,
            max_age=seconds,
            path=self._path,
            secure=True,
            httponly=True,
            samesite="None",
            partitioned=True,
        )


class Sessions:
    """The sessions of all workers, through the store."""

    def __init__(
        self, store: Store, cookies: Cookies, seconds: int, clock: Callable[[], float] = time.time
    ) -> None:
        """Sessions last so many seconds from the last launch."""
        self._kept = Launches(store)
        self._cookies = cookies
        self._seconds = seconds
        self._clock = clock

    def current(self) -> Session | None:
        """The session of the request that is being answered.

        Raises:
            StoreFault: the database does not answer now.
        """
        token = request.cookies.get(COOKIE, "")
        address = address_of(token)
        if address is None:
            return None
        sealed = self._kept.read(address, now=int(self._clock()))
        return None if sealed is None else unsealed(sealed, token, _sessions)

    def made(self, iss: str, user: str, name: str) -> Session:
        """A session for who has launched; the same reader where the same person launches again.

        Raises:
            StoreFault: the database does not answer now.
        """
        before = self.current()
        same = before is not None and user != "" and (before.iss, before.user) == (iss, user)
        reader = before.reader if before is not None and same else f"launch|{secrets.token_hex(16)}"
        return Session(reader, iss, user, name)

    def begin(self, response: Response, session: Session) -> None:
        """Keep the session and give the browser its cookie.

        Raises:
            StoreFault: the database cannot be written now.
        """
        token = new_token()
        address = address_of(token)
        assert address is not None  # noqa: S101 - the token was made here
        now = int(self._clock())
        expires = now + self._seconds
        self._kept.keep(address, seal(session, token), expires=expires, now=now)
        self._cookies.give(response, COOKIE, token, self._seconds)
