"""Patients as the store knows them: an HMAC of FHIR base and id, under a key of the site.

The file of site keys has one line for each key, the newest first: a name, and 32 bytes or more in
hex. New rows are written under the first; all of them are tried when a patient is looked up, so
that a key can be replaced without losing sight of older rows. Whoever removes a key from the file
makes the rows under it nobody's.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from cds.store.fault import StoreFault

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_BYTES = 32
_NONCE_BYTES = 12
_LINE = re.compile(r"([a-z][a-z0-9-]{0,15})\s+((?:[0-9a-fA-F]{2}){32,128})", re.ASCII)


@dataclass(frozen=True, slots=True, repr=False)
class SiteKey:
    """One key by its name, which stands before everything that was made with it."""

    name: str
    secret: bytes


class SiteKeys:
    """The keys of a site, the newest first."""

    def __init__(self, keys: Sequence[SiteKey]) -> None:
        """Take at least one key."""
        self._keys = tuple(keys)

    def patient(self, base: str, patient_id: str) -> str:
        """Under which name new rows about a patient are written.

        `base` is the FHIR base, or whatever else tells one hospital's ids from another's.
        """
        return self.patients(base, patient_id)[0]

    def patients(self, base: str, patient_id: str) -> tuple[str, ...]:
        """Every name under which a patient may stand in the store, the newest first."""
        said = msgspec.json.encode([base.rstrip("/"), patient_id])
        return tuple(
            f"{key.name}.{hmac.new(key.secret, said, hashlib.sha256).hexdigest()}"
            for key in self._keys
        )

    def seal(self, data: bytes, of: str) -> bytes:
        """Data about a patient, encrypted under the newest key; `of` is the row they belong to."""
        key = self._keys[0]
        nonce = secrets.token_bytes(_NONCE_BYTES)
        sealed = AESGCM(_sealing(key)).encrypt(nonce, data, of.encode())
        return key.name.encode() + b"\n" + nonce + sealed

    def unseal(self, sealed: bytes, of: str) -> bytes | None:
        """What was sealed for a row; None where its key is gone, or it belongs to another row."""
        name, _, rest = sealed.partition(b"\n")
        for key in self._keys:
            if key.name.encode() == name:
                try:
                    opened = AESGCM(_sealing(key)).decrypt(
                        rest[:_NONCE_BYTES], rest[_NONCE_BYTES:], of.encode()
                    )
                except InvalidTag:
                    return None
                return opened
        return None


def _sealing(key: SiteKey) -> bytes:
    return hmac.new(key.secret, b"sealing", hashlib.sha256).digest()


def site_keys(path: Path, *, make: bool) -> SiteKeys:
    """The keys in a file; `make`: one with a fresh key is written where there is none.

    Raises:
        StoreFault: it cannot be read, or a line is no key; the text repeats nothing of a key.
    """
    try:
        if make:
            _make(path)
        text = path.read_text("ascii")
    except (OSError, UnicodeDecodeError) as problem:
        message = (
            f"TRIAL_CDS_SITE_KEYS: '{path}' cannot be read or made ({type(problem).__name__}); name"
            " a file with one line 'k1 ' and 64 hex digits, readable by this user alone."
        )
        raise StoreFault(message) from None
    return _read(path, text)


def _make(path: Path) -> None:
    """Write a file with one key, unless another process was first."""
    if path.exists():
        return
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"{path.name}.{secrets.token_hex(4)}")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(f"k1 {secrets.token_hex(_BYTES)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        path.hardlink_to(fresh)  # whole, or not at all, and never over another's
    except FileExistsError:
        return
    finally:
        fresh.unlink()


def _read(path: Path, text: str) -> SiteKeys:
    keys: dict[str, SiteKey] = {}
    for number, line in enumerate(text.splitlines(), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        found = _LINE.fullmatch(stripped)
        if found is None or found[1] in keys:
            message = (
                f"TRIAL_CDS_SITE_KEYS: line {number} of '{path}' is no key; write a name of its own"
                " such as k2, a space, and 64 hex digits."
            )
            raise StoreFault(message)
        keys[found[1]] = SiteKey(found[1], bytes.fromhex(found[2]))
    if not keys:
        message = f"TRIAL_CDS_SITE_KEYS: '{path}' holds no key; write 'k1 ' and 64 hex digits."
        raise StoreFault(message)
    return SiteKeys(tuple(keys.values()))
