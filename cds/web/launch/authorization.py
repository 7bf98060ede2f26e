"""The OAuth side of a launch: where to send the browser, and what its code is exchanged for.

Source: SMART App Launch 2.2, "Launch App: EHR Launch" and the steps after it. authlib speaks OAuth
and PKCE; the connections are checked as every call of the service is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import msgspec
import requests
from authlib.common.errors import AuthlibBaseError
from authlib.common.security import generate_token
from authlib.integrations.requests_client import OAuth2Session

from cds.fhir.addresses import read_address
from cds.fhir.backend import TYPES, assertion
from cds.fhir.faults import FhirFault
from cds.fhir.outbound import PooledAdapter
from cds.settings import is_loopback
from cds.web.launch.fault import LaunchFault, Why

if TYPE_CHECKING:
    from cds.web.launch.registrations import Ehr

_ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_TIMEOUT = (2.0, 5.0)
_MOST_BYTES = 100_000
_VERIFIER_LENGTH = 64
_HEADERS = {"Accept": "application/json", "Accept-Encoding": "identity"}


class Configuration(msgspec.Struct, frozen=True):
    """What an EHR's `.well-known/smart-configuration` says that a launch needs."""

    authorization_endpoint: str
    token_endpoint: str
    issuer: str | None = None
    jwks_uri: str | None = None
    code_challenge_methods_supported: list[str] | None = None
    capabilities: list[str] = []


class Pending(msgspec.Struct, frozen=True):
    """A launch under way: what only this browser's callback may go on with."""

    state: str
    iss: str
    verifier: str
    nonce: str
    token_endpoint: str
    issuer: str | None
    jwks_uri: str | None


class Granted(msgspec.Struct, frozen=True):
    """What the token endpoint gave; `patient` is the FHIR id whose chart is open."""

    access_token: str
    token_type: str
    patient: str | None = None
    id_token: str | None = None
    scope: str | None = None

    def __repr__(self) -> str:
        return "Granted(…)"


def read_configuration(body: bytes) -> Configuration:
    """Read an EHR's SMART configuration.

    Raises:
        LaunchFault: it is none, names addresses that no browser may be sent to, or has no PKCE.
    """
    try:
        read = msgspec.json.decode(body, type=Configuration)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise LaunchFault(Why.NO_CONFIGURATION) from None
    for url in (read.authorization_endpoint, read.token_endpoint, read.jwks_uri):
        if url is not None and not _is_safe(url):
            raise LaunchFault(Why.NO_CONFIGURATION)
    methods = read.code_challenge_methods_supported
    if methods is not None and "S256" not in methods:
        raise LaunchFault(Why.NO_PKCE)
    return read


def _is_safe(url: str) -> bool:
    try:
        address = read_address(url)
    except FhirFault:
        return False
    return address.scheme == "https" or is_loopback(address.host)


def scopes_of(ehr: Ehr, configuration: Configuration) -> str:
    """What is asked for: to launch, who the user is, and to read what the criteria need."""
    if ehr.scopes is not None:
        return ehr.scopes
    reads = "rs" if "permission-v2" in configuration.capabilities else "read"
    wanted = ["launch", "openid", "fhirUser", *(f"patient/{name}.{reads}" for name in TYPES)]
    return " ".join(wanted)


def begun(
    ehr: Ehr, configuration: Configuration, launch: str, redirect_uri: str
) -> tuple[str, Pending]:
    """Where to send the browser, and what to keep until it comes back."""
    verifier = generate_token(_VERIFIER_LENGTH)
    nonce = generate_token(_VERIFIER_LENGTH)
    with _session(ehr, redirect_uri, scopes_of(ehr, configuration)) as session:
        url, state = session.create_authorization_url(
            configuration.authorization_endpoint,
            state=generate_token(_VERIFIER_LENGTH),
            code_verifier=verifier,
            launch=launch,
            aud=ehr.iss,
            nonce=nonce,
        )
    pending = Pending(
        state=state,
        iss=ehr.iss,
        verifier=verifier,
        nonce=nonce,
        token_endpoint=configuration.token_endpoint,
        issuer=configuration.issuer,
        jwks_uri=configuration.jwks_uri,
    )
    return url, pending


def exchanged(
    ehr: Ehr, pending: Pending, code: str, redirect_uri: str, ca_file: str | None
) -> Granted:
    """What the code is good for.

    Raises:
        LaunchFault: CODE where the EHR does not take it (any more), else NO_TOKEN.
    """
    more: dict[str, str] = {}
    if ehr.key is not None:
        signed = assertion(ehr.key, pending.token_endpoint, int(time.time()))
        more = {"client_assertion_type": _ASSERTION_TYPE, "client_assertion": signed}
    with _session(ehr, redirect_uri, None) as session:
        session.verify = ca_file or True
        session.register_compliance_hook("access_token_response", _bounded)
        try:
            answer = session.fetch_token(
                pending.token_endpoint,
                grant_type="authorization_code",
                code=code,
                code_verifier=pending.verifier,
                headers=_HEADERS,
                timeout=_TIMEOUT,
                allow_redirects=False,
                stream=True,
                **more,
            )
        except AuthlibBaseError as problem:
            refused = problem.error == "invalid_grant"
            raise LaunchFault(Why.CODE if refused else Why.NO_TOKEN) from None
        except (requests.RequestException, FhirFault, OSError, ValueError):
            raise LaunchFault(Why.NO_TOKEN) from None
    return _granted(dict(answer))


def _granted(answer: dict[str, Any]) -> Granted:
    try:
        granted = msgspec.convert(answer, Granted)
    except msgspec.ValidationError:
        raise LaunchFault(Why.NO_TOKEN) from None
    if not granted.access_token or granted.token_type.lower() != "bearer":
        raise LaunchFault(Why.NO_TOKEN)
    return granted


def _session(ehr: Ehr, redirect_uri: str, scope: str | None) -> OAuth2Session:
    session = OAuth2Session(
        client_id=ehr.client_id,
        client_secret=ehr.secret,
        scope=scope,
        redirect_uri=redirect_uri,
        code_challenge_method="S256",
    )
    session.trust_env = False
    adapter = PooledAdapter(connections=1)  # which checks who is talked to
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _bounded(response: requests.Response) -> requests.Response:
    """The answer with its body read, as far as one may be long."""
    with response:
        body = response.raw.read(_MOST_BYTES + 1, decode_content=False)
    if len(body) > _MOST_BYTES:
        message = "the answer is too long"
        raise ValueError(message)
    read = requests.Response()
    read.status_code = response.status_code
    read.headers = response.headers
    read.raw = None
    read._content = body  # noqa: SLF001 - what requests has no other way to say
    return read
