"""SMART Backend Services: a token for a FHIR server without anybody signing in.

The server's `.well-known/smart-configuration` names the token endpoint; a signed assertion
(`private_key_jwt`, RS384 or ES384) is exchanged there for a token. Source: SMART App Launch 2.2,
"Backend Services" and "Client authentication: asymmetric (public key)".
"""

from __future__ import annotations

import json
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import jwt
import msgspec
import requests
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from cds.fhir.addresses import read_address
from cds.fhir.faults import FhirFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from requests.adapters import HTTPAdapter

CONFIGURATION = ".well-known/smart-configuration"
TYPES = (
    "Patient",
    "Condition",
    "Observation",
    "MedicationRequest",
    "MedicationStatement",
    "Medication",
    "Procedure",
)
"""What is asked to be read."""

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFETIME = 240  # seconds; the specification allows five minutes
_TIMEOUT = (2.0, 10.0)
_MAX_BYTES = 100_000
_MIN_RSA_BITS = 2048
_OAUTH_ERRORS = frozenset(
    [
        "invalid_request",
        "invalid_client",
        "invalid_grant",
        "unauthorized_client",
        "unsupported_grant_type",
        "invalid_scope",
    ]
)


class SignInFault(Exception):  # noqa: N818 - names what happened
    """No token was had; the text is one sentence without secrets."""


@dataclass(frozen=True, slots=True)
class BackendClient:
    """Who signs in: the id that the server knows, and the private key that proves it.

    `algorithm` is RS384 or ES384, as the key is; `key_id` names the public key in the JWKS that
    was registered.
    """

    client_id: str
    key_id: str
    algorithm: str
    key: RSAPrivateKey | EllipticCurvePrivateKey

    def __repr__(self) -> str:
        return f"BackendClient({self.client_id!r}, {self.key_id!r}, {self.algorithm})"


class SmartConfiguration(msgspec.Struct, frozen=True):
    """What a server says about signing in; a member that it leaves out forbids nothing."""

    token_endpoint: str
    grant_types_supported: list[str] | None = None
    token_endpoint_auth_methods_supported: list[str] | None = None
    token_endpoint_auth_signing_alg_values_supported: list[str] | None = None
    capabilities: list[str] = []


class Token(msgspec.Struct, frozen=True):
    """An access token; `expires_in` in seconds, None where the server does not say."""

    access_token: str
    token_type: str
    expires_in: int | None = None
    scope: str | None = None

    def __repr__(self) -> str:
        return f"Token(expires_in={self.expires_in})"


def read_client(client_id: str, key_file: bytes, key_id: str | None = None) -> BackendClient:
    """The client of a private key, in PEM or as a JWK (whose `kid` and `alg` then count).

    Raises:
        SignInFault: the key cannot be read, is none for RS384 or ES384, or has no id.
    """
    known_as: str | None = None
    try:
        if key_file.lstrip().startswith(b"{"):
            jwk = json.loads(key_file)
            known_as = jwk.get("kid")
            key: Any = jwt.PyJWK(jwk, algorithm="RS384" if jwk.get("kty") == "RSA" else "ES384").key
        else:
            key = load_pem_private_key(key_file, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError):
        message = "the key cannot be read; give a private key as PEM without password, or as a JWK."
        raise SignInFault(message) from None
    name = key_id or known_as
    if not name:
        message = "the key has no id; say under which kid its public half was registered."
        raise SignInFault(message)
    return BackendClient(client_id, name, _algorithm(key), key)


def _algorithm(key: object) -> str:
    if isinstance(key, RSAPrivateKey) and key.key_size >= _MIN_RSA_BITS:
        return "RS384"
    if isinstance(key, EllipticCurvePrivateKey) and isinstance(key.curve, SECP384R1):
        return "ES384"
    message = "the key fits neither RS384 nor ES384; make an RSA key of 2048 bits or a P-384 key."
    raise SignInFault(message)


def smart_configuration(body: bytes) -> SmartConfiguration:
    """Read a server's `.well-known/smart-configuration`.

    Raises:
        SignInFault: it is none, or names no token endpoint.
    """
    try:
        return msgspec.json.decode(body, type=SmartConfiguration)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        message = (
            f"the server's {CONFIGURATION} names no token_endpoint; give a token file instead."
        )
        raise SignInFault(message) from None


def check_supported(configuration: SmartConfiguration, client: BackendClient) -> None:
    """Refuse before a secret is signed what the server says that it cannot do.

    Raises:
        SignInFault: with what the server lacks.
    """
    needs = (
        ("client_credentials", configuration.grant_types_supported),
        ("private_key_jwt", configuration.token_endpoint_auth_methods_supported),
        (client.algorithm, configuration.token_endpoint_auth_signing_alg_values_supported),
    )
    for need, offered in needs:
        if offered is not None and need not in offered:
            message = f"the server does not offer {need}, which signing in needs; use a token file."
            raise SignInFault(message)


def scopes(configuration: SmartConfiguration) -> str:
    """The system scopes to ask for, in the syntax that the server understands."""
    second = "permission-v2" in configuration.capabilities
    return " ".join(f"system/{name}.{'rs' if second else 'read'}" for name in TYPES)


def assertion(client: BackendClient, audience: str, now: int) -> str:
    """The signed statement of who asks, for one token endpoint; `now` in seconds since 1970."""
    claims = {
        "iss": client.client_id,
        "sub": client.client_id,
        "aud": audience,
        "iat": now,
        "exp": now + _LIFETIME,
        "jti": str(uuid.uuid4()),
    }
    return jwt.encode(claims, client.key, client.algorithm, headers={"kid": client.key_id})


def sign_in(
    client: BackendClient,
    configuration: SmartConfiguration,
    adapter: HTTPAdapter,
    now: int,
    ca_file: str | None = None,
) -> Token:
    """Exchange an assertion, signed `now` (seconds since 1970), for a token.

    `adapter` is one that checks who is talked to: without https nobody but this machine.

    Raises:
        SignInFault: no token was had, and why.
    """
    check_supported(configuration, client)
    url = _token_address(configuration.token_endpoint)
    form = {
        "grant_type": "client_credentials",
        "scope": scopes(configuration),
        "client_assertion_type": _ASSERTION_TYPE,
        "client_assertion": assertion(client, configuration.token_endpoint, now),
    }
    with requests.Session() as session:
        session.trust_env = False
        session.verify = ca_file or True
        session.mount("https://", adapter)
        session.mount("http://", adapter)
        status, body = _post(session, url, form)
    return _token(status, body)


def _token_address(url: str) -> str:
    try:
        return str(read_address(url))
    except FhirFault:
        message = "the server's token_endpoint is no usable address; ask its administrators."
        raise SignInFault(message) from None


def _post(session: requests.Session, url: str, form: dict[str, str]) -> tuple[int, bytes]:
    """Status and body. What the library says of a failure may hold the assertion: it is dropped."""
    headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
    try:
        with session.post(
            url, data=form, headers=headers, timeout=_TIMEOUT, allow_redirects=False, stream=True
        ) as answer:
            body = answer.raw.read(_MAX_BYTES + 1)
            return answer.status_code, body
    except (requests.RequestException, OSError, FhirFault):
        pass
    host = urlsplit(url).hostname
    message = f"the authorization server {host} cannot be reached; try again or use a token file."
    raise SignInFault(message)


def _token(status: int, body: bytes) -> Token:
    if status != requests.codes.ok:
        raise SignInFault(_refusal(status, body))
    try:
        token = msgspec.json.decode(body, type=Token) if len(body) <= _MAX_BYTES else None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        token = None
    if token is None or not token.access_token or token.token_type.lower() != "bearer":
        message = "the authorization server's answer holds no bearer token; ask its administrators."
        raise SignInFault(message)
    return token


def _refusal(status: int, body: bytes) -> str:
    """The OAuth error in a sentence; the server's own words are not repeated."""
    try:
        answer = json.loads(body)
    except ValueError:
        answer = None
    code = answer.get("error") if isinstance(answer, dict) else None
    said = code if isinstance(code, str) and code in _OAUTH_ERRORS else f"HTTP status {status}"
    return (
        f"the authorization server refused the sign-in ({said}); check the client id, the key that "
        "was registered for it and this machine's clock."
    )


def missing_scopes(token: Token, wanted: Sequence[str] = TYPES) -> tuple[str, ...]:
    """The types that the granted scopes leave out; nothing where the server does not say."""
    if token.scope is None:
        return ()
    granted = token.scope.split()
    return tuple(one for one in wanted if not any(_covers(scope, one) for scope in granted))


def _covers(scope: str, resource_type: str) -> bool:
    place, _, rest = scope.partition("/")
    name, _, may = rest.partition("?")[0].partition(".")
    reads = may in {"read", "*"} or {"r", "s"} <= set(may)
    return place == "system" and name in {resource_type, "*"} and reads
