"""The public keys of CDS clients: from a file, or from an address that the clients file lists.

Nothing that a token says decides what is fetched. A key set is kept, fetched again when it grows
old or a token names a key that it does not hold, and never more often than the bounds below.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import msgspec
import requests
from jwt import PyJWK
from jwt.exceptions import PyJWTError

from cds.fhir.faults import FhirFault
from cds.fhir.outbound import Deadline, PooledAdapter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

ALGORITHMS = {"ES384": "EC", "RS384": "RSA"}
"""What a token may be signed with, and the type of key that it takes."""

_MAX_BYTES = 256_000
_FETCH_SECONDS = 3.0
_OLD_SECONDS = 3_600.0
_REFRESH_SECONDS = 30.0
_RETRY_SECONDS = 5.0
_SMALLEST_RSA = 2_048
_PIECE = 1 << 14


class KeysFault(Exception):  # noqa: N818 - names what is wrong, as the other faults do
    """A key set cannot be used; the text says why in a few words, without quoting it."""


KeySet = dict[tuple[str, str], PyJWK]
"""Keys by (`kid`, algorithm)."""


def read_keys(document: object) -> KeySet:
    """The usable signature keys of a JWK Set (as plain data); others are passed over.

    Raises:
        KeysFault: it is no JWK Set, or none of its keys can be used.
    """
    listed = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        message = "it is no JWK Set: a member 'keys' with a list is needed"
        raise KeysFault(message)
    found: KeySet = {}
    for jwk in listed:
        if isinstance(jwk, dict):
            found |= _read_key(jwk)
    if not found:
        needed = "ES384 (P-384) or RS384 (2048 bits or more)"
        message = f"none of its keys has a kid and is fit for {needed}"
        raise KeysFault(message)
    return found


def _read_key(jwk: Mapping[str, Any]) -> KeySet:
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not kid or jwk.get("use", "sig") != "sig":
        return {}
    for algorithm, kind in ALGORITHMS.items():
        if jwk.get("kty") == kind and jwk.get("alg", algorithm) == algorithm:
            try:
                key = PyJWK(dict(jwk), algorithm)
                if _is_strong(key, jwk):
                    return {(kid, algorithm): key}
            except (PyJWTError, ValueError, TypeError):
                return {}
    return {}


def _is_strong(key: PyJWK, jwk: Mapping[str, Any]) -> bool:
    if jwk["kty"] == "EC":
        return jwk.get("crv") == "P-384"
    return int(getattr(key.key, "key_size", 0)) >= _SMALLEST_RSA


def keys_from_file(path: Path) -> KeySet:
    """The keys of a JWK Set on disk.

    Raises:
        KeysFault: the file cannot be read, is no JSON, or no usable JWK Set.
    """
    try:
        document = msgspec.json.decode(path.read_bytes())
    except OSError as problem:
        message = f"it cannot be read ({type(problem).__name__})"
        raise KeysFault(message) from None
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        message = "it is no JSON"
        raise KeysFault(message) from None
    return read_keys(document)


class FetchedKeys:
    """The key set behind one listed address, shared by the threads of a process."""

    def __init__(
        self,
        address: str,
        *,
        ca_file: str | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Fetch nothing yet."""
        self._address = address
        self._ca_file = ca_file
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet = {}
        self._fetched = float("-inf")
        self._tried = float("-inf")
        self._worked = True

    def find(self, kid: str, algorithm: str) -> PyJWK | None:
        """The key of that name, fetched if need be; None where it cannot be had."""
        found = self._keys.get((kid, algorithm))
        if found is not None and self._clock() - self._fetched < _OLD_SECONDS:
            return found
        with self._lock:
            if self._may_fetch(kid, algorithm):
                self._fetch()
        return self._keys.get((kid, algorithm))

    def _may_fetch(self, kid: str, algorithm: str) -> bool:
        now = self._clock()
        fresh = now - self._fetched < _OLD_SECONDS
        if fresh and (kid, algorithm) in self._keys:
            return False  # another thread fetched it in the meantime
        pause = _REFRESH_SECONDS if self._worked else _RETRY_SECONDS
        return now - self._tried >= pause

    def _fetch(self) -> None:
        """Replace the keys; those known stay where nothing usable comes."""
        self._tried = self._clock()
        try:
            self._keys = read_keys(msgspec.json.decode(downloaded(self._address, self._ca_file)))
        except (
            KeysFault,
            FhirFault,
            requests.RequestException,
            OSError,
            msgspec.DecodeError,
            RecursionError,
            UnicodeDecodeError,
        ):
            self._worked = False
            return
        self._worked = True
        self._fetched = self._clock()


def downloaded(address: str, ca_file: str | None) -> bytes:
    """The body behind an address: no redirect, no proxy, bounded in size and time.

    Raises:
        KeysFault: no 200, too large or too slow.
        FhirFault: it leads where nothing may be asked.
        requests.RequestException, OSError: it cannot be reached.
    """
    deadline = Deadline.after(_FETCH_SECONDS)
    with requests.Session() as session:
        session.trust_env = False
        adapter = PooledAdapter(connections=1)  # which checks who is talked to
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        timeout = (_FETCH_SECONDS / 2, _FETCH_SECONDS / 2)
        response = session.get(
            address,
            headers={"Accept": "application/json", "Accept-Encoding": "identity"},
            allow_redirects=False,
            stream=True,
            timeout=timeout,
            verify=ca_file or True,
        )
        with response:
            return _read(response, deadline)


def _read(response: requests.Response, deadline: Deadline) -> bytes:
    if response.status_code != requests.codes.ok:
        message = "its address does not answer with 200"
        raise KeysFault(message)
    body = bytearray()
    # As it comes, so that the time is looked at in between. Undecoded: a packed answer was not
    # asked for, and fails as JSON.
    while piece := response.raw.read1(_PIECE, decode_content=False):
        body += piece
        if len(body) > _MAX_BYTES or deadline.left <= 0:
            message = "it is too large or comes too slowly"
            raise KeysFault(message)
    return bytes(body)
