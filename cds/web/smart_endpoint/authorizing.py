"""What the authorization server knows: launches, codes, tokens; each is judged as it comes back."""

from __future__ import annotations

import base64
import hashlib
import secrets
import time
from dataclasses import dataclass, field
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

import jwt
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TOKEN_SECONDS = 300
_RSA_BITS = 2_048


@dataclass(frozen=True, slots=True)
class Registered:
    """The one application that is registered: public, with a secret, or with a public key."""

    client_id: str
    redirect_uri: str
    secret: str | None = None
    public_key: Any = None


@dataclass(slots=True)
class Behaviour:
    """How the server behaves; may be changed while it serves."""

    user: str = "Practitioner/demo"
    name: str | None = "Dr. Ada Example"
    code_seconds: float = 60.0
    denies: bool = False
    names_patient: bool = True
    names_user: bool = True
    nonce: str | None = None
    issuer: str | None = None
    methods: tuple[str, ...] = ("S256",)
    algorithm: str = "RS256"
    names_key: bool = True
    padding: int = 0


@dataclass(slots=True)
class _Code:
    challenge: str
    redirect_uri: str
    patient: str
    scope: str
    nonce: str | None
    issued: float
    token: str | None = None


@dataclass(slots=True)
class Authorizing:
    """The state of the server; `clock` gives seconds."""

    registered: Registered
    behaviour: Behaviour = field(default_factory=Behaviour)
    clock: Callable[[], float] = time.time
    launches: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, tuple[str, float]] = field(default_factory=dict)
    codes: dict[str, _Code] = field(default_factory=dict)
    key: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65_537, _RSA_BITS))

    def launch(self, patient: str) -> str:
        """An opaque value that stands for an open chart."""
        value = secrets.token_urlsafe(16)
        self.launches[value] = patient
        return value

    def authorize(self, asked: Mapping[str, str], base: str) -> dict[str, str]:
        """What to send the browser back with: a code, or an error of RFC 6749."""
        challenge = asked.get("code_challenge", "")
        if asked.get("response_type") != "code":
            return {"error": "unsupported_response_type"}
        if asked.get("code_challenge_method") != "S256" or not challenge:
            return {"error": "invalid_request"}
        if not asked.get("state") or asked.get("aud", "").rstrip("/") != base:
            return {"error": "invalid_request"}
        scopes = asked.get("scope", "").split()
        patient = self.launches.pop(asked.get("launch", ""), None)
        if "launch" not in scopes or patient is None:
            return {"error": "invalid_scope"}
        if self.behaviour.denies:
            return {"error": "access_denied"}
        code = secrets.token_urlsafe(24)
        self.codes[code] = _Code(
            challenge,
            asked["redirect_uri"],
            patient,
            " ".join(scopes),
            asked.get("nonce"),
            self.clock(),
        )
        return {"code": code}

    def exchange(
        self, sent: Mapping[str, str], basic: tuple[str, str] | None, base: str, endpoint: str
    ) -> tuple[int, dict[str, Any]]:
        """Status and body of the token endpoint's answer."""
        if not self._is_registered(sent, basic, endpoint):
            return 401, {"error": "invalid_client"}
        if sent.get("grant_type") != "authorization_code":
            return 400, {"error": "unsupported_grant_type"}
        code = self.codes.get(sent.get("code", ""))
        if code is None or not self._is_good(code, sent):
            return 400, {"error": "invalid_grant"}
        code.token = token = secrets.token_urlsafe(24)
        self.tokens[token] = (code.patient, self.clock() + _TOKEN_SECONDS)
        answer: dict[str, Any] = {
            "access_token": token,
            "token_type": "Bearer",
            "expires_in": _TOKEN_SECONDS,
            "scope": code.scope,
            "need_patient_banner": True,
        }
        if self.behaviour.names_patient:
            answer["patient"] = code.patient
        if self.behaviour.names_user and "openid" in code.scope.split():
            answer["id_token"] = self._id_token(code, base)
        if self.behaviour.padding:
            answer["padding"] = "x" * self.behaviour.padding
        return 200, answer

    def holds(self, token: str, patient: str | None) -> bool:
        """Whether a token is good, and for this patient where one is named."""
        whose, until = self.tokens.get(token, ("", 0.0))
        return until > self.clock() and patient in {None, whose}

    def keys(self) -> dict[str, Any]:
        """The JWK Set that id tokens are verified with."""
        jwk = jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key(), as_dict=True)
        named = {"kid": "one"} if self.behaviour.names_key else {}
        return {"keys": [jwk | named | {"use": "sig"}]}

    def _is_registered(
        self, sent: Mapping[str, str], basic: tuple[str, str] | None, endpoint: str
    ) -> bool:
        known = self.registered
        if known.secret is not None:
            return basic is not None and compare_digest(
                ":".join(basic).encode(), f"{known.client_id}:{known.secret}".encode()
            )
        if known.public_key is None:
            return sent.get("client_id") == known.client_id
        if sent.get("client_assertion_type") != _ASSERTION_TYPE:
            return False
        try:
            claims = jwt.decode(
                sent.get("client_assertion", ""),
                known.public_key,
                algorithms=["ES384", "RS384"],
                audience=endpoint,
                issuer=known.client_id,
            )
        except jwt.PyJWTError:
            return False
        return bool(claims.get("sub") == known.client_id)

    def _is_good(self, code: _Code, sent: Mapping[str, str]) -> bool:
        if code.token is not None:
            self.tokens.pop(code.token, None)  # RFC 6749, 4.1.2: a code that comes twice
            return False
        verifier = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        proved = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode()
        return (
            self.clock() - code.issued < self.behaviour.code_seconds
            and sent.get("redirect_uri") == code.redirect_uri
            and compare_digest(proved, code.challenge)
        )

    def _id_token(self, code: _Code, base: str) -> str:
        now = int(self.clock())
        claims = {
            "iss": self.behaviour.issuer or base,
            "sub": hashlib.sha256(self.behaviour.user.encode()).hexdigest()[:16],
            "aud": self.registered.client_id,
            "iat": now,
            "exp": now + _TOKEN_SECONDS,
            "fhirUser": f"{base}/{self.behaviour.user}",
            "nonce": self.behaviour.nonce or code.nonce,
        }
        if self.behaviour.name is not None:
            claims["name"] = self.behaviour.name
        headers = {"kid": "one"} if self.behaviour.names_key else None
        return jwt.encode(claims, self.key, self.behaviour.algorithm, headers=headers)
