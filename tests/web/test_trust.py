"""Client trust: which tokens open the door, and that every other one gets the same 401."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

from cds.store.database import Store
from cds.store.seen import SeenTokens
from cds.web.clients import load_clients
from cds.web.errors import Refused
from cds.web.trust import Trust

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

Json = dict[str, Any]
NOW = 1_772_357_400
ISSUER = "https://ehr.example.org/"
AUDIENCE = "https://cds.example.org/cds-services/trial-eligibility"
EC_KEY = ec.generate_private_key(ec.SECP384R1())
SMALL_EC_KEY = ec.generate_private_key(ec.SECP256R1())
STRANGE_KEY = ec.generate_private_key(ec.SECP384R1())
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
WEAK_RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1_024)  # noqa: S505 - to see it refused


def public_jwk(key: Any, kid: str) -> Json:
    kind = jwt.algorithms.RSAAlgorithm
    if isinstance(key, ec.EllipticCurvePrivateKey):
        return jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": kid}
    return kind.to_jwk(key.public_key(), as_dict=True) | {"kid": kid}


JWKS = {
    "keys": [
        public_jwk(EC_KEY, "ec"),
        public_jwk(RSA_KEY, "rsa"),
        public_jwk(WEAK_RSA_KEY, "weak"),
        public_jwk(SMALL_EC_KEY, "small"),
        public_jwk(STRANGE_KEY, "encryption") | {"use": "enc"},
        {"kty": "oct", "kid": "shared", "k": "c2VjcmV0"},
    ]
}


@pytest.fixture
def clock() -> list[int]:
    """The time, which a test may change."""
    return [NOW]


@pytest.fixture
def trust(tmp_path: Path, clock: list[int]) -> Iterator[Trust]:
    (tmp_path / "keys.json").write_text(json.dumps(JWKS))
    clients = tmp_path / "clients.yaml"
    clients.write_text(
        "clients:\n"
        f"  - iss: {ISSUER}\n"
        "    jku: https://ehr.example.org/jwks.json\n"
        "    jwks_file: keys.json\n"
        "    audiences: [https://typed.example.org/cds]\n"
        "    fhir_bases: ['https://fhir.example.org/r4']\n"
        "    dialect: epic\n"
        "  - iss: prefetch-only\n"
        "    jwks_file: keys.json\n"
    )
    store = Store(f"sqlite:///{tmp_path / 'store.db'}")
    yield Trust(load_clients(clients), SeenTokens(store), clock=lambda: clock[0])
    store.close()


_count = iter(range(10**6))


def claims(**changed: Any) -> Json:
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "exp": NOW + 300,
        "iat": NOW,
        "jti": f"token-{next(_count)}",
    }
    return {key: value for key, value in (payload | changed).items() if value is not ...}


def token(
    payload: Json | None = None, *, key: Any = EC_KEY, alg: str = "ES384", **header: Any
) -> str:
    headers = {"kid": "ec"} | header
    headers = {name: value for name, value in headers.items() if value is not ...}
    return jwt.encode(payload or claims(), key, algorithm=alg, headers=headers)


def bearer(text: str) -> str:
    return f"Bearer {text}"


def refused(trust: Trust, sent: str | None, audience: str = AUDIENCE) -> Refused:
    with pytest.raises(Refused) as problem:
        trust.caller(sent, audience)
    return problem.value


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_a_sound_token_says_who_calls(trust: Trust, scheme: str) -> None:
    caller = trust.caller(f"{scheme} {token()}", AUDIENCE)
    assert caller.issuer == ISSUER
    assert caller.dialect == "epic"


def test_both_recommended_algorithms_are_taken(trust: Trust) -> None:
    trust.caller(bearer(token()), AUDIENCE)
    trust.caller(bearer(token(key=RSA_KEY, alg="RS384", kid="rsa")), AUDIENCE)


@pytest.mark.parametrize("audience", [AUDIENCE, [AUDIENCE], ["https://x.example", AUDIENCE]])
def test_the_audience_may_be_a_text_or_a_list(trust: Trust, audience: Any) -> None:
    trust.caller(bearer(token(claims(aud=audience))), AUDIENCE)


def test_a_further_audience_of_the_client_is_taken(trust: Trust) -> None:
    """Some sites type an address of their own into the EHR."""
    trust.caller(bearer(token(claims(aud="https://typed.example.org/cds"))), AUDIENCE)


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "Bearer",
        "Bearer ",
        "Basic abc",
        "Bearer x.y.z",
        "Bearer ....",
        "Bearer " + "a" * 9_000,
        "Bearer eyJhbGciOiJub25lIn0.e30.",
        "Bearer é.ü.ß",
    ],
    ids=lambda sent: repr(sent)[:20],
)
def test_no_token_or_a_broken_one_is_401(trust: Trust, sent: str | None) -> None:
    assert refused(trust, sent).status == 401


def hmac_with_the_public_key() -> str:
    """The old trick: the public key, which everybody has, as the secret of an HMAC."""
    public = EC_KEY.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = {"alg": "HS384", "typ": "JWT", "kid": "ec"}
    return signed_by_hand(
        head, claims(), lambda text: hmac.new(public, text, hashlib.sha384).digest()
    )


def encoded(value: bytes) -> str:
    return base64.urlsafe_b64encode(value).rstrip(b"=").decode()


def signed_by_hand(head: Json, payload: Json, sign: Callable[[bytes], bytes]) -> str:
    """A token that the library would not make."""
    text = ".".join(encoded(json.dumps(part).encode()) for part in (head, payload))
    return f"{text}.{encoded(sign(text.encode()))}"


def signed_with_a_weak_key() -> str:
    head = {"alg": "RS384", "typ": "JWT", "kid": "weak"}
    return signed_by_hand(
        head, claims(), lambda text: WEAK_RSA_KEY.sign(text, PKCS1v15(), hashes.SHA384())
    )


def without_signature() -> str:
    return jwt.encode(claims(), "", algorithm="none", headers={"kid": "ec"})


BAD: dict[str, Callable[[], str]] = {
    "algorithm none": without_signature,
    "symmetric": lambda: jwt.encode(claims(), "x" * 48, algorithm="HS384", headers={"kid": "ec"}),
    "symmetric with the public key": hmac_with_the_public_key,
    "listed symmetric key": lambda: jwt.encode(
        claims(), "secret" * 8, algorithm="HS384", headers={"kid": "shared"}
    ),
    "another curve": lambda: token(key=SMALL_EC_KEY, alg="ES256", kid="small"),
    "another hash": lambda: token(key=RSA_KEY, alg="RS256", kid="rsa"),
    "weak RSA": signed_with_a_weak_key,
    "encryption key": lambda: token(key=STRANGE_KEY, kid="encryption"),
    "somebody else's key": lambda: token(key=STRANGE_KEY),
    "key of another algorithm": lambda: token(key=RSA_KEY, alg="RS384", kid="ec"),
    "unknown key": lambda: token(kid="other"),
    "no key named": lambda: token(kid=...),
    "key named by a number": lambda: signed_by_hand(
        {"alg": "ES384", "kid": 5}, claims(), lambda _: b"x" * 96
    ),
    "unlisted jku": lambda: token(jku="https://evil.example.org/jwks.json"),
    "another typ": lambda: token(typ="at+jwt"),
    "critical header": lambda: token(crit=["b64"], b64=True),
    "unlisted issuer": lambda: token(claims(iss="https://evil.example.org")),
    "issuer without its slash": lambda: token(claims(iss=ISSUER.rstrip("/"))),
    "no issuer": lambda: token(claims(iss=...)),
    "no audience": lambda: token(claims(aud=...)),
    "no expiry": lambda: token(claims(exp=...)),
    "no issue time": lambda: token(claims(iat=...)),
    "no id": lambda: token(claims(jti=...)),
    "empty id": lambda: token(claims(jti="")),
    "endless id": lambda: token(claims(jti="x" * 501)),
    "another audience": lambda: token(claims(aud="https://cds.example.org")),
    "feedback's audience": lambda: token(claims(aud=f"{AUDIENCE}/feedback")),
    "audience with a slash": lambda: token(claims(aud=f"{AUDIENCE}/")),
    "empty audience": lambda: token(claims(aud=[])),
    "expired": lambda: token(claims(exp=NOW - 61, iat=NOW - 400)),
    "issued later": lambda: token(claims(iat=NOW + 61)),
    "not valid yet": lambda: token(claims(nbf=NOW + 61)),
    "valid too long": lambda: token(claims(exp=NOW + 3_601)),
    "expiry as text": lambda: token(claims(exp=str(NOW + 300))),
    "expiry as a truth": lambda: token(claims(exp=True)),
}


@pytest.mark.parametrize("name", BAD)
def test_every_other_token_is_401_and_the_answer_says_nothing(trust: Trust, name: str) -> None:
    problem = refused(trust, bearer(BAD[name]()))
    assert problem.status == 401
    assert problem.says == ""


def test_the_listed_jku_in_the_header_is_fine(trust: Trust) -> None:
    trust.caller(bearer(token(jku="https://ehr.example.org/jwks.json")), AUDIENCE)


@pytest.mark.parametrize(
    "times",
    [
        {"exp": NOW - 59, "iat": NOW - 400},
        {"iat": NOW + 59},
        {"nbf": NOW + 59},
        {"nbf": NOW - 300, "exp": NOW + 900},
        {"exp": NOW + 300.5, "iat": NOW - 0.5},
    ],
    ids=str,
)
def test_clocks_may_differ_by_a_minute(trust: Trust, times: Json) -> None:
    trust.caller(bearer(token(claims(**times))), AUDIENCE)


def test_a_token_is_good_for_one_call(trust: Trust) -> None:
    once = bearer(token())
    trust.caller(once, AUDIENCE)
    assert refused(trust, once).status == 401


def test_a_token_id_that_was_used_is_refused_in_another_token_too(trust: Trust) -> None:
    trust.caller(bearer(token(claims(jti="same"))), AUDIENCE)
    assert refused(trust, bearer(token(claims(jti="same", exp=NOW + 200)))).status == 401


def test_a_forged_token_does_not_use_up_the_id_of_a_sound_one(trust: Trust) -> None:
    refused(trust, bearer(token(claims(jti="mine"), key=STRANGE_KEY)))
    trust.caller(bearer(token(claims(jti="mine"))), AUDIENCE)


def test_a_token_is_remembered_as_long_as_its_leeway_would_take_it(
    trust: Trust, clock: list[int]
) -> None:
    once = bearer(token(claims(exp=NOW + 10)))
    trust.caller(once, AUDIENCE)
    for clock[0] in (NOW + 10, NOW + 69, NOW + 71, NOW + 500):
        assert refused(trust, once).status == 401


def test_a_store_that_cannot_tell_is_503_and_lets_nobody_in(tmp_path: Path, trust: Trust) -> None:
    (tmp_path / "broken").mkdir()
    broken = Store(f"sqlite:///{tmp_path / 'broken'}")
    trust = Trust(load_clients(tmp_path / "clients.yaml"), SeenTokens(broken), clock=lambda: NOW)
    assert refused(trust, bearer(token())).status == 503


def test_nothing_of_a_refused_token_is_logged(
    trust: Trust, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        for name, make in BAD.items():
            refused(trust, bearer(make()))
            assert name
    logged = caplog.text
    assert "issuer-not-listed" in logged
    for secret in ("evil.example.org", "eyJ", "token-"):
        assert secret not in logged


@pytest.mark.parametrize(
    "named",
    [
        "https://fhir.example.org/r4",
        "https://FHIR.example.org:443/r4/",
        None,
    ],
)
def test_a_client_may_name_its_own_fhir_server(trust: Trust, named: str | None) -> None:
    caller = trust.caller(bearer(token()), AUDIENCE)
    assert caller.fhir_server(named) == named


@pytest.mark.parametrize(
    "named",
    [
        "https://fhir.example.org/r4/other",
        "https://fhir.example.org",
        "http://fhir.example.org/r4",
        "https://fhir.example.org:8443/r4",
        "https://fhir.example.org@evil.example.org/r4",
        "https://fhir.example.org/r4/../r5",
        "https://evil.example.org/r4",
        "",
        "not an address",
    ],
)
def test_a_client_that_names_another_fhir_server_is_403(trust: Trust, named: str) -> None:
    caller = trust.caller(bearer(token()), AUDIENCE)
    with pytest.raises(Refused) as problem:
        caller.fhir_server(named)
    assert problem.value.status == 403
    assert "example.org" not in problem.value.says


def test_what_a_client_without_fhir_servers_names_is_ignored(trust: Trust) -> None:
    caller = trust.caller(bearer(token(claims(iss="prefetch-only"))), AUDIENCE)
    assert caller.fhir_server("https://fhir.example.org/r4") is None


def test_with_no_client_configured_anybody_may_call() -> None:
    caller = Trust(None, None).caller(None, AUDIENCE)
    assert caller.issuer is None
    assert caller.fhir_server("https://a.example/r4") == "https://a.example/r4"
