"""Who may call: each request of a configured service carries a token that only its client can sign.

A stranger is told nothing but 401. What was wrong with a token goes to the log as one fixed word,
without anything that the token says.
"""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NoReturn

import jwt
from jwt import PyJWTError

from cds.fhir.addresses import read_base
from cds.fhir.faults import FhirFault
from cds.store.fault import StoreFault
from cds.web.errors import Refused
from cds.web.jwks import ALGORITHMS

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from jwt import PyJWK

    from cds.store.seen import SeenTokens
    from cds.web.clients import Client

_log = logging.getLogger("trial-cds")
_LEEWAY_SECONDS = 60
_LONGEST_SECONDS = 3_600
_LONGEST_TOKEN = 8_192
_LONGEST_WORD = 500
_NEEDED = ("iss", "aud", "exp", "iat", "jti")
_UNAUTHORIZED = 401


@dataclass(frozen=True, slots=True)
class Caller:
    """Who sent a request; `client` is None where nobody has to prove it."""

    client: Client | None = None

    @property
    def issuer(self) -> str | None:
        """The client's issuer, under which feedback is kept."""
        return None if self.client is None else self.client.issuer

    @property
    def dialect(self) -> str | None:
        """The EHR whose habits are known of the client; None: those of the settings."""
        return None if self.client is None else self.client.dialect

    def fhir_server(self, named: str | None) -> str | None:
        """The FHIR base that may be used of the one that the request names.

        A client that lists no base is one that only sends prefetch: what it names is ignored.

        Raises:
            Refused: 403, the client names a server that is not its own.
        """
        if named is None or self.client is None:
            return named
        if not self.client.fhir_bases:
            return None
        try:
            allowed = read_base(named) in self.client.fhir_bases
        except FhirFault:
            allowed = False
        if not allowed:
            raise Refused(403, "This client may not name that fhirServer; use one agreed for it.")
        return named


ANYBODY = Caller()


class Trust:
    """Tells who calls from the Authorization header; with no clients configured, anybody may."""

    def __init__(
        self,
        clients: Mapping[str, Client] | None,
        seen: SeenTokens | None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Take the clients by issuer (None: open), and the memory of used tokens."""
        self._clients = clients
        self._seen = seen
        self._clock = clock

    @property
    def is_open(self) -> bool:
        """Whether nobody has to prove who they are."""
        return self._clients is None

    @property
    def issuers(self) -> frozenset[str] | None:
        """The issuers of the clients that are listed; None where anybody may call."""
        return None if self._clients is None else frozenset(self._clients)

    def caller(self, authorization: str | None, audience: str) -> Caller:
        """Who sent a request to the endpoint whose public address is `audience`.

        Raises:
            Refused: 401; or 503 while the store cannot tell whether a token was used before.
        """
        if self._clients is None:
            return ANYBODY
        scheme, _, token = (authorization or "").partition(" ")
        token = token.strip()
        if scheme.lower() != "bearer" or not token or len(token) > _LONGEST_TOKEN:
            _refuse("no-token")
        client, key, algorithm = self._signer(token)
        claims = self._claims(token, key, algorithm, client, [audience, *client.audiences])
        self._use(client, claims)
        return Caller(client)

    def _signer(self, token: str) -> tuple[Client, PyJWK, str]:
        """The listed client that the token says it comes from, and the key it must be signed with.

        Nothing of the token is believed here: it only chooses among what is listed.
        """
        header, claims = _unverified(token)
        client = _listed(self._clients or {}, claims.get("iss"))
        algorithm, kid = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS:
            _refuse("algorithm")
        if header.get("typ", "JWT") != "JWT" or "crit" in header:
            _refuse("header")
        if not isinstance(kid, str):
            _refuse("no-kid")
        if "jku" in header and header["jku"] != client.jku:
            _refuse("jku-not-listed")
        key = _key(client, kid, algorithm)
        if key is None:
            _refuse("unknown-key")
        return client, key, algorithm

    def _claims(
        self, token: str, key: PyJWK, algorithm: str, client: Client, audiences: Sequence[str]
    ) -> dict[str, Any]:
        try:
            claims: dict[str, Any] = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=audiences,
                issuer=client.issuer,
                # Times are judged below, by our own clock.
                options={
                    "require": list(_NEEDED),
                    "verify_exp": False,
                    "verify_iat": False,
                    "verify_nbf": False,
                },
            )
        except jwt.InvalidSignatureError:
            _refuse("signature")
        except jwt.InvalidAudienceError:
            _refuse("audience")
        except jwt.MissingRequiredClaimError:
            _refuse("claims")
        except (PyJWTError, ValueError, TypeError):
            _refuse("token")
        return claims

    def _use(self, client: Client, claims: Mapping[str, Any]) -> None:
        """Judge the times, and take the token out of circulation."""
        now = int(self._clock())
        expires, issued, jti = claims["exp"], claims["iat"], claims["jti"]
        begins = claims.get("nbf", issued)
        if not all(_is_time(value) for value in (expires, issued, begins)):
            _refuse("times")
        if expires + _LEEWAY_SECONDS <= now:
            _refuse("expired")
        if max(issued, begins) - _LEEWAY_SECONDS > now:
            _refuse("not-yet")
        if expires > now + _LONGEST_SECONDS:
            _refuse("too-long")
        if not isinstance(jti, str) or not 0 < len(jti) <= _LONGEST_WORD:
            _refuse("jti")
        if self._seen is None:
            return
        try:
            forgotten = int(expires) + _LEEWAY_SECONDS + 1
            first = self._seen.is_first(client.issuer, jti, expires=forgotten, now=now)
        except StoreFault:
            says = "The service cannot check the token now; try again in a moment."
            raise Refused(503, says, retry_after=2) from None
        if not first:
            _refuse("replayed")


def _unverified(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    try:
        parts = jwt.api_jwt.decode_complete(token, options={"verify_signature": False})
    except (PyJWTError, ValueError, TypeError, RecursionError):
        _refuse("token")
    return parts["header"], parts["payload"]


def _listed(clients: Mapping[str, Client], issuer: object) -> Client:
    client = clients.get(issuer) if isinstance(issuer, str) else None
    if client is None:
        _refuse("issuer-not-listed")
    return client


def _key(client: Client, kid: str, algorithm: str) -> PyJWK | None:
    if client.keys is not None:
        return client.keys.get((kid, algorithm))
    return None if client.fetched is None else client.fetched.find(kid, algorithm)


def _is_time(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < 1e11  # noqa: PLR2004 - the year 5138


def _refuse(why: str) -> NoReturn:
    _log.warning("a caller was refused: %s", why)
    raise Refused(_UNAUTHORIZED, "")
