"""Sealing reports, so that only the link that was handed out can open them.

A link holds a token of 256 bits. The store finds a report by a digest of the token and keeps it
encrypted under another one: who reads the database without the link reads nothing, and a link
that was made up or changed opens nothing.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import zlib
from typing import TypeVar

import msgspec
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_TOKEN_BYTES = 32
_NONCE_BYTES = 12
_LEVEL = 1  # half the time of level 3, for a tenth more bytes
_BARE = -15  # no checksum: what was encrypted proves itself
Sealed = TypeVar("Sealed")


class Links:
    """Makes the tokens of links: the same one for the same reader and determination.

    The secret lives as long as the process and the workers forked from it.
    """

    def __init__(self, secret: bytes | None = None) -> None:
        """Take a fresh secret unless one is given."""
        self._secret = secret or secrets.token_bytes(_TOKEN_BYTES)

    def token(self, *said: str) -> str:
        """The token for what is said: who asks, for whom, and what came out."""
        content = msgspec.json.encode(said)
        return _text(hmac.digest(self._secret, content, "sha256"))


def address_of(token: str) -> str | None:
    """Under which digest the store keeps the report of a token; None where it is no token."""
    secret = _bytes(token)
    return None if secret is None else hashlib.sha256(b"address" + secret).hexdigest()


def new_token() -> str:
    """A token that nobody can guess, for what is sealed once."""
    return _text(secrets.token_bytes(_TOKEN_BYTES))


def seal(content: msgspec.Struct, token: str) -> bytes:
    """Content, packed and encrypted under the token.

    Raises:
        ValueError: it is no token.
    """
    nonce = secrets.token_bytes(_NONCE_BYTES)
    packed = zlib.compress(msgspec.json.encode(content), _LEVEL, _BARE)
    return nonce + AESGCM(_key(token)).encrypt(nonce, packed, None)


def unsealed(sealed: bytes, token: str, decoder: msgspec.json.Decoder[Sealed]) -> Sealed | None:
    """What was sealed under the token; None where it was not, or is something else."""
    nonce, body = sealed[:_NONCE_BYTES], sealed[_NONCE_BYTES:]
    try:
        packed = AESGCM(_key(token)).decrypt(nonce, body, None)
        return decoder.decode(zlib.decompress(packed, _BARE))
    except (InvalidTag, ValueError, zlib.error, msgspec.DecodeError):
        return None


def _key(token: str) -> bytes:
    secret = _bytes(token)
    if secret is None:
        message = "this is no token of a link"
        raise ValueError(message)
    return hashlib.sha256(b"key" + secret).digest()


def _text(secret: bytes) -> str:
    return base64.urlsafe_b64encode(secret).rstrip(b"=").decode()


def _bytes(token: str) -> bytes | None:
    try:
        secret = base64.b64decode(token + "=", altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        return None
    return secret if len(secret) == _TOKEN_BYTES and _text(secret) == token else None
