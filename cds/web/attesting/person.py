"""Who answers: as a sign-on or a launch says, else the name that was typed and is remembered."""

from __future__ import annotations

import base64
import binascii
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from flask import request

if TYPE_CHECKING:
    from collections.abc import Mapping

    from flask import Response

    from cds.web.report.views import Visit
    from cds.web.sessions import Cookies

ROLES = (
    "investigator",
    "treating-physician",
    "study-coordinator",
    "research-nurse",
    "pharmacist",
    "other",
)
"""Who may answer, by what the page calls them."""

MOST_LETTERS = 200
_COOKIE = "trial-cds-me"
_SECONDS = 8 * 3_600  # a shift


class Person(NamedTuple):
    """Who answers. `user` is who a sign-on or a launch says it is; None: `name` was typed."""

    name: str
    role: str
    user: str | None = None


def me_of(visit: Visit) -> Person:
    """Who reads the page, with the name and role that were typed here last."""
    name, role = _remembered()
    if visit.user is not None and visit.name:
        name = visit.name
    return Person(name, role, visit.user)


def person_of(visit: Visit, sent: Mapping[str, str]) -> Person:
    """Who sends a form; a name that is known is never what the form says."""
    typed = " ".join(sent.get("name", "").split())
    name = visit.name if visit.user is not None and visit.name else typed
    return Person(name, sent.get("role", ""), visit.user)


def remember(response: Response, cookies: Cookies, person: Person) -> None:
    """Keep name and role in this browser, so that the next answer takes one click."""
    packed = base64.urlsafe_b64encode(msgspec.json.encode((person.name, person.role)))
    cookies.give(response, _COOKIE, packed.decode().rstrip("="), _SECONDS)


def _remembered() -> tuple[str, str]:
    packed = request.cookies.get(_COOKIE, "")
    try:
        read = base64.b64decode(packed + "=" * (-len(packed) % 4), altchars=b"-_", validate=True)
        name, role = msgspec.json.decode(read, type=tuple[str, str])
    except (binascii.Error, ValueError, msgspec.DecodeError):
        return "", ""
    return name[:MOST_LETTERS], role if role in ROLES else ""
