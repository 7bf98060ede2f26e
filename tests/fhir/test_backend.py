"""Signing in as a backend service, against an authorization server that checks every claim."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from flask import Flask, Response, jsonify, redirect, request

from cds.cli import main
from cds.fhir.backend import (
    SignInFault,
    SmartConfiguration,
    Token,
    assertion,
    missing_scopes,
    read_client,
    scopes,
    sign_in,
    smart_configuration,
)
from cds.fhir.outbound import PooledAdapter
from cds.web.fhir_endpoint import Store, create_fhir_app, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from werkzeug.wrappers import Response as AnyResponse

CLIENT = "trial-cds-at-northlake"
KID = "2026-11"
GRANTED = "granted-for-five-minutes"
RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER_RSA = rsa.generate_private_key(public_exponent=65537, key_size=2048)
EC = ec.generate_private_key(ec.SECP384R1())
SMALL_RSA = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505 - too small
P256 = ec.generate_private_key(ec.SECP256R1())
AnyKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey


def pem(key: AnyKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def jwk(key: AnyKey | ec.EllipticCurvePublicKey, **more: str) -> bytes:
    of_rsa = isinstance(key, rsa.RSAPrivateKey)
    algorithm: Any = jwt.algorithms.RSAAlgorithm if of_rsa else jwt.algorithms.ECAlgorithm
    return json.dumps(algorithm.to_jwk(key, as_dict=True) | more).encode()


@dataclass
class AuthorizationServer:
    """Believes nothing that it has not checked; `refusals` are what it found wrong."""

    keys: dict[str, Any]
    url: str = ""
    refusals: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)
    configuration: dict[str, Any] = field(default_factory=dict)
    answer: Response | AnyResponse | None = None

    def faults(self, form: dict[str, str]) -> Iterator[str]:
        """What is wrong with a token request, by SMART Backend Services."""
        kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
        if form.get("grant_type") != "client_credentials":
            yield "grant_type"
        if form.get("client_assertion_type") != kind:
            yield "client_assertion_type"
        wanted = form.get("scope", "").split()
        if not wanted or not all(one.startswith("system/") for one in wanted):
            yield "scope"
        if set(form) != {"grant_type", "scope", "client_assertion_type", "client_assertion"}:
            yield "members of the form"
        if "Authorization" in request.headers:
            yield "a header that gives the client away"
        yield from self.faults_of(form.get("client_assertion", ""))

    def faults_of(self, token: str) -> Iterator[str]:
        """What is wrong with the assertion."""
        header = jwt.get_unverified_header(token)
        if header.get("typ") != "JWT":
            yield "typ"
        key = self.keys.get(header.get("kid", ""))
        if key is None or header.get("alg") not in {"RS384", "ES384"}:
            yield "kid or alg"
            return
        needed = ["iss", "sub", "aud", "exp", "jti"]
        try:
            claims = jwt.decode(
                token, key, [header["alg"]], audience=self.url, options={"require": needed}
            )
        except jwt.PyJWTError as problem:
            yield type(problem).__name__
            return
        if not claims["iss"] == claims["sub"] == CLIENT:
            yield "iss and sub"
        if claims["aud"] != self.url or not 0 < claims["exp"] - time.time() <= 300:
            yield "aud or exp"
        if claims["jti"] in self.seen or len(claims["jti"]) < 16:
            yield "jti"
        self.seen.add(claims["jti"])

    def token(self) -> Response | AnyResponse:
        """The token endpoint."""
        self.forms.append(request.form.to_dict())
        if self.answer is not None:
            return self.answer
        found = list(self.faults(self.forms[-1]))
        self.refusals += found
        if found:
            return Response('{"error": "invalid_client"}', 400, content_type="application/json")
        return jsonify(
            access_token=GRANTED, token_type="bearer", expires_in=300, scope="system/*.rs"
        )


@dataclass(frozen=True)
class Hospital:
    """A FHIR server that wants a token, and the authorization server that gives it."""

    base: str
    authorization: AuthorizationServer


def chart() -> Store:
    store = Store()
    store.put({"resourceType": "Patient", "id": "p1", "birthDate": "1990-05-05"})
    return store


@pytest.fixture
def hospital() -> Iterator[Hospital]:
    authorization = AuthorizationServer({KID: RSA.public_key(), "ec": EC.public_key()})
    app: Flask = create_fhir_app(chart(), token=GRANTED)
    app.add_url_rule("/token", view_func=authorization.token, methods=["POST"])
    app.add_url_rule(
        "/fhir/.well-known/smart-configuration",
        "smart",
        lambda: jsonify(authorization.configuration),
    )
    with serving(app) as base:
        authorization.url = base.removesuffix("/fhir") + "/token"
        authorization.configuration = {
            "token_endpoint": authorization.url,
            "grant_types_supported": ["client_credentials"],
            "token_endpoint_auth_methods_supported": ["private_key_jwt"],
            "token_endpoint_auth_signing_alg_values_supported": ["RS384", "ES384"],
            "capabilities": ["client-confidential-asymmetric", "permission-v2"],
        }
        yield Hospital(base, authorization)


def evaluate(hospital: Hospital, folder: Path, key: bytes, *words: str) -> tuple[int, str, str]:
    """Exit status, standard output and error of `evaluate --fhir` with a key."""
    file = folder / "key"
    file.write_bytes(key)
    options = ["--fhir", hospital.base, "--patient", "p1", "--on", "2026-03-01"]
    options += ["--client-id", CLIENT, "--key-file", str(file), *words]
    result = CliRunner().invoke(main, ["evaluate", *options])
    return result.exit_code, result.stdout, result.stderr


@pytest.mark.parametrize(
    ("key", "words"),
    [
        (pem(RSA), ["--key-id", KID]),
        (pem(EC), ["--key-id", "ec"]),
        (jwk(RSA, kid=KID), []),
        (jwk(EC, kid="ec"), []),
    ],
    ids=["RS384, PEM", "ES384, PEM", "RS384, JWK", "ES384, JWK"],
)
def test_a_registered_key_opens_the_chart(
    hospital: Hospital, tmp_path: Path, key: bytes, words: list[str]
) -> None:
    status, said, errors = evaluate(hospital, tmp_path, key, *words)
    assert (status, errors, hospital.authorization.refusals) == (0, "", [])
    assert "Patient/p1" in said


def test_each_sign_in_is_signed_anew(hospital: Hospital, tmp_path: Path) -> None:
    for _ in range(2):
        assert evaluate(hospital, tmp_path, jwk(EC, kid="ec"))[0] == 0
    assert len(hospital.authorization.seen) == 2


@pytest.mark.parametrize(
    ("key", "kid", "fault"),
    [(OTHER_RSA, KID, "InvalidSignatureError"), (RSA, "unknown", "kid or alg")],
    ids=["a key that was not registered", "a key id that was not registered"],
)
def test_a_refused_key_ends_in_one_sentence(
    hospital: Hospital, tmp_path: Path, key: AnyKey, kid: str, fault: str
) -> None:
    status, said, errors = evaluate(hospital, tmp_path, pem(key), "--key-id", kid)
    assert (status, said) == (2, "")
    assert errors.count("\n") == 1
    assert "refused the sign-in (invalid_client)" in errors
    assert hospital.authorization.refusals == [fault]


@pytest.mark.parametrize(
    "member",
    [
        "grant_types_supported",
        "token_endpoint_auth_methods_supported",
        "token_endpoint_auth_signing_alg_values_supported",
    ],
)
def test_nothing_is_signed_for_a_server_that_does_not_offer_it(
    hospital: Hospital, tmp_path: Path, member: str
) -> None:
    hospital.authorization.configuration[member] = ["something-else"]
    status, _, errors = evaluate(hospital, tmp_path, jwk(RSA, kid=KID))
    assert status == 2
    assert "does not offer" in errors
    assert hospital.authorization.forms == []


def test_a_server_without_smart_configuration_is_named(hospital: Hospital, tmp_path: Path) -> None:
    hospital.authorization.configuration = {"authorization_endpoint": "https://e.example"}
    status, _, errors = evaluate(hospital, tmp_path, jwk(RSA, kid=KID))
    assert status == 2
    assert "names no token_endpoint" in errors


def test_an_assertion_is_never_carried_on_by_a_redirect(hospital: Hospital, tmp_path: Path) -> None:
    hospital.authorization.answer = redirect(hospital.authorization.url + "2", 307)
    status, _, errors = evaluate(hospital, tmp_path, jwk(RSA, kid=KID))
    assert status == 2
    assert "refused the sign-in (HTTP status 307)" in errors
    assert len(hospital.authorization.forms) == 1


@pytest.mark.parametrize(
    "answer",
    [
        Response("<html>Sign in</html>", 200),
        Response('{"access_token": "t", "token_type": "mac"}', 200),
        Response('{"access_token": "", "token_type": "bearer"}', 200),
        Response(b" " * 200_000 + b'{"access_token": "t", "token_type": "bearer"}', 200),
    ],
    ids=["a login page", "no bearer token", "an empty token", "far too long"],
)
def test_what_is_no_bearer_token_is_not_used(
    hospital: Hospital, tmp_path: Path, answer: Response
) -> None:
    hospital.authorization.answer = answer
    status, _, errors = evaluate(hospital, tmp_path, jwk(RSA, kid=KID))
    assert status == 2
    assert "holds no bearer token" in errors


@pytest.mark.parametrize(
    "endpoint", ["http://192.0.2.1/token", "ftp://e.example/t", "https://u@e.example/t", "token"]
)
def test_an_assertion_goes_nowhere_without_https(endpoint: str) -> None:
    client = read_client(CLIENT, pem(EC), "ec")
    with pytest.raises(SignInFault, match=r"cannot be reached|no usable address"):
        sign_in(client, SmartConfiguration(endpoint), PooledAdapter(), int(time.time()))


@pytest.mark.parametrize(
    ("key", "kid", "says"),
    [
        (pem(RSA), None, "has no id"),
        (pem(SMALL_RSA), KID, "neither RS384 nor ES384"),
        (pem(P256), KID, "neither RS384 nor ES384"),
        (jwk(P256, kid=KID), None, r"neither RS384 nor ES384|cannot be read"),
        (b"{}", KID, "cannot be read"),
        (b"-----BEGIN PRIVATE KEY-----", KID, "cannot be read"),
        (jwk(EC.public_key(), kid=KID), None, "neither RS384 nor ES384"),
    ],
    ids=["no id", "1024 bits", "P-256", "P-256 as JWK", "no JWK", "no PEM", "a public key"],
)
def test_a_key_that_cannot_serve_is_refused_at_once(key: bytes, kid: str | None, says: str) -> None:
    with pytest.raises(SignInFault, match=says):
        read_client(CLIENT, key, kid)


def test_a_secret_never_stands_in_a_text() -> None:
    client = read_client(CLIENT, pem(EC), "ec")
    assert "PRIVATE" not in repr(client)
    assert GRANTED not in repr(Token(GRANTED, "bearer", 300))
    assert client.algorithm == "ES384"


def test_the_assertion_lives_for_less_than_five_minutes() -> None:
    client = read_client(CLIENT, pem(RSA), KID)
    token = assertion(client, "https://as.example/token", 1_000_000)
    claims = jwt.decode(token, options={"verify_signature": False})
    assert 0 < claims["exp"] - 1_000_000 <= 300
    assert jwt.get_unverified_header(token)["kid"] == KID


def test_scopes_are_in_the_syntax_that_the_server_speaks() -> None:
    first = smart_configuration(b'{"token_endpoint": "https://a.example/t"}')
    second = SmartConfiguration("https://a.example/t", capabilities=["permission-v2"])
    assert "system/Condition.read" in scopes(first).split()
    assert "system/Condition.rs" in scopes(second).split()


@pytest.mark.parametrize(
    ("granted", "lacking"),
    [
        (None, ()),
        ("system/*.read", ()),
        ("system/*.rs", ()),
        ("system/Procedure.cruds system/Patient.* system/Condition.rs?category=x", ()),
        ("system/Condition.rs system/Patient.read", ("Procedure",)),
        ("system/Condition.r user/Patient.rs system/Procedure.read", ("Condition", "Patient")),
    ],
)
def test_types_that_a_token_does_not_cover_are_told(
    granted: str | None, lacking: tuple[str, ...]
) -> None:
    token = Token("t", "bearer", 300, granted)
    assert missing_scopes(token, ("Condition", "Patient", "Procedure")) == lacking


@pytest.mark.parametrize(
    ("claims", "fault"),
    [
        ({"iss": "somebody"}, "iss and sub"),
        ({"sub": "somebody"}, "iss and sub"),
        ({"aud": "https://elsewhere.example/token"}, "InvalidAudienceError"),
        ({"exp": 1_000}, "ExpiredSignatureError"),
        ({"exp": 9_999_999_999}, "aud or exp"),
        ({"jti": "1"}, "jti"),
        ({"jti": None}, "MissingRequiredClaimError"),
    ],
)
def test_the_double_notices_each_claim_that_is_wrong(
    hospital: Hospital, claims: dict[str, Any], fault: str
) -> None:
    client = read_client(CLIENT, pem(EC), "ec")
    sound, other = (
        assertion(client, hospital.authorization.url, int(time.time())) for _ in range(2)
    )
    changed = jwt.decode(sound, options={"verify_signature": False}) | claims
    wrong = {key: value for key, value in changed.items() if value is not None}
    token = jwt.encode(wrong, EC, "ES384", headers={"kid": "ec"})
    assert list(hospital.authorization.faults_of(token)) == [fault]
    assert list(hospital.authorization.faults_of(other)) == []
    assert list(hospital.authorization.faults_of(other)) == ["jti"]
