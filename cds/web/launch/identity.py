"""Who launched: the id token of the EHR, and the name that it knows the user by.

Source: SMART App Launch 2.2, "Scopes for requesting identity data"; OpenID Connect Core 3.1.3.7.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
import msgspec
import requests
from jwt.exceptions import PyJWTError

from cds.fhir.faults import FhirFault
from cds.web.jwks import KeysFault, downloaded
from cds.web.launch.fault import LaunchFault, Why

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.web.launch.authorization import Pending

_ALGORITHMS = ["RS256", "RS384", "ES256", "ES384"]
_LEEWAY_SECONDS = 60
_MOST_LETTERS = 200


class User(msgspec.Struct, frozen=True, omit_defaults=True):
    """The person who launched. `key` tells users apart, `name` is what a page shows of them.

    `reference` is which Practitioner of the EHR that is, '' where it does not say.
    """

    key: str
    name: str = ""
    reference: str = ""


class _HumanName(msgspec.Struct, frozen=True):
    text: str = ""
    prefix: list[str] = []
    given: list[str] = []
    family: str = ""

    def said(self) -> str:
        return self.text or " ".join(filter(None, (*self.prefix, *self.given, self.family)))


class _Practitioner(msgspec.Struct, frozen=True):
    name: list[_HumanName] = []


_practitioners = msgspec.json.Decoder(_Practitioner)
_REFERENCE = re.compile(r"Practitioner/[A-Za-z0-9\-.]{1,64}", re.ASCII)


def user_of(
    id_token: str | None, pending: Pending, client_id: str, fetch: Callable[[str], bytes]
) -> User | None:
    """The user of a token; None where the EHR says nothing about who it is.

    `fetch` reads an address below the EHR's own keys.

    Raises:
        LaunchFault: there is a token, and it is not what this launch asked for.
    """
    if id_token is None:
        return None
    if pending.issuer is None or pending.jwks_uri is None:
        raise LaunchFault(Why.IDENTITY)
    try:
        keys = jwt.PyJWKSet.from_json(fetch(pending.jwks_uri).decode())
        claims: dict[str, Any] = jwt.decode(
            id_token,
            _key(keys, jwt.get_unverified_header(id_token).get("kid")).key,
            algorithms=_ALGORITHMS,
            audience=client_id,
            issuer=pending.issuer,
            leeway=_LEEWAY_SECONDS,
            options={"require": ["iss", "sub", "aud", "exp", "iat"]},
        )
    except (PyJWTError, KeyError, ValueError, TypeError, AttributeError):
        raise LaunchFault(Why.IDENTITY) from None
    except (KeysFault, FhirFault, requests.RequestException, OSError):
        raise LaunchFault(Why.IDENTITY) from None
    if claims.get("nonce") != pending.nonce:
        raise LaunchFault(Why.IDENTITY)
    return User(f"{pending.issuer}|{claims['sub']}", _name(claims), _reference(claims))


def _key(keys: jwt.PyJWKSet, kid: str | None) -> jwt.PyJWK:
    """The key that a token names; an EHR with one key need not name it."""
    return keys.keys[0] if kid is None and len(keys.keys) == 1 else keys[kid or ""]


def named(user: User, read: Callable[[str], bytes]) -> User:
    """The user by name; where the token has none, the EHR's own entry of the person is read.

    `read` reads a path below the FHIR base. Without an answer the person goes by their reference.
    """
    if user.name or not user.reference:
        return user
    name = ""
    if _REFERENCE.fullmatch(user.reference):
        try:
            names = _practitioners.decode(read(user.reference)).name
            name = next((said for one in names if (said := one.said().strip())), "")
        except (FhirFault, msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            name = ""
    return User(user.key, name[:_MOST_LETTERS] or user.reference, user.reference)


def keys_at(ca_file: str | None) -> Callable[[str], bytes]:
    """Reads key sets, bounded in size and time."""
    return lambda address: downloaded(address, ca_file)


def _name(claims: dict[str, Any]) -> str:
    """A person's name where the EHR gives one."""
    for claim in ("name", "preferred_username"):
        value = claims.get(claim)
        if isinstance(value, str) and value.strip():
            return value.strip()[:_MOST_LETTERS]
    return ""


def _reference(claims: dict[str, Any]) -> str:
    """Which Practitioner it is, without the base; else what the issuer calls the user."""
    said = claims.get("fhirUser", claims.get("profile"))
    if not isinstance(said, str):
        return str(claims["sub"])[:_MOST_LETTERS]
    return "/".join(urlsplit(said).path.split("/")[-2:])[:_MOST_LETTERS]
