"""The file of trusted clients: what it may say, and one sentence for each fault."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cds.content.fault import ContentFaults
from cds.web.clients import load_clients

if TYPE_CHECKING:
    from pathlib import Path

KEY = ec.generate_private_key(ec.SECP384R1()).public_key()
JWK = jwt.algorithms.ECAlgorithm.to_jwk(KEY, as_dict=True) | {"kid": "k"}


def written(folder: Path, value: Any) -> Path:
    path = folder / "clients.yaml"
    path.write_text(value if isinstance(value, str) else json.dumps(value, indent=1))
    return path


def client(**changed: Any) -> dict[str, Any]:
    whole = {"iss": "https://ehr.example.org", "jwks": {"keys": [JWK]}} | changed
    return {key: value for key, value in whole.items() if value is not ...}


def test_json_and_yaml_say_the_same(tmp_path: Path) -> None:
    from_json = load_clients(written(tmp_path, {"clients": [client(jku=..., dialect="epic")]}))
    (one,) = from_json.values()
    assert one.issuer == "https://ehr.example.org"
    assert one.keys is not None
    assert set(one.keys) == {("k", "ES384")}
    assert one.fetched is None
    yaml = (
        "clients:\n- iss: a\n  jku: https://a.example/jwks\n- iss: b\n  jku: http://127.0.0.1/k\n"
    )
    assert set(load_clients(written(tmp_path, yaml))) == {"a", "b"}


def test_keys_of_a_file_are_found_beside_the_clients_file(tmp_path: Path) -> None:
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [JWK]}))
    named = client(jwks=..., jwks_file="keys.json")
    (one,) = load_clients(written(tmp_path, {"clients": [named]})).values()
    assert one.keys is not None


def test_only_a_client_without_keys_of_its_own_has_them_fetched(tmp_path: Path) -> None:
    jku = "https://ehr.example.org/jwks.json"
    (one,) = load_clients(written(tmp_path, {"clients": [client(jku=jku, jwks=...)]})).values()
    assert one.fetched is not None
    (two,) = load_clients(written(tmp_path, {"clients": [client(jku=jku)]})).values()
    assert (two.fetched, two.jku) == (None, jku)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("", "must hold one list"),
        ("clients: {}", "must hold one list"),
        ("[]", "must hold one list"),
        ("clients: [", "Not YAML"),
        ("clients: []", "No client is listed"),
        ({"clients": [client()], "more": "x"}, "'more' is not known"),
        ({"clients": ["x"]}, "must be a mapping"),
        ({"clients": [client(), client()]}, "listed twice"),
        ({"clients": [client(iss=...)]}, "needs an 'iss'"),
        ({"clients": [client(iss=["a"])]}, "'iss' must be one text"),
        ({"clients": [client(iss="")]}, "'iss' must be one text"),
        ({"clients": [client(issuer="x")]}, "'issuer' is not known"),
        ({"clients": [client(jwks=...)]}, "where the keys"),
        ({"clients": [client(jwks_file="k.json")]}, "side by side"),
        ({"clients": [client(jwks=..., jwks_file="nowhere.json")]}, "cannot be read"),
        ({"clients": [client(jwks=..., jwks_file="clients.yaml")]}, "no JWK Set"),
        ({"clients": [client(jwks="x")]}, "no JWK Set"),
        ({"clients": [client(jwks={"keys": []})]}, "none of its keys"),
        ({"clients": [client(jwks={"keys": [JWK | {"kid": ""}]})]}, "none of its keys"),
        ({"clients": [client(jwks={"keys": [JWK | {"x": "AA"}]})]}, "none of its keys"),
        ({"clients": [client(jwks=..., jku="http://a.example/jwks")]}, "address of the keys"),
        ({"clients": [client(jwks=..., jku="https://u:p@a.example/jwks")]}, "address of the keys"),
        ({"clients": [client(jwks=..., jku="file:///etc/passwd")]}, "address of the keys"),
        ({"clients": [client(fhir_bases="https://a.example")]}, "must be a list"),
        ({"clients": [client(fhir_bases=["a.example/r4"])]}, "FHIR base is no address"),
        ({"clients": [client(fhir_bases=["https://a.example/r4?x=1"])]}, "FHIR base is no address"),
        ({"clients": [client(audiences=[{"a": "b"}])]}, "must be a list of texts"),
        ({"clients": [client(dialect="cerner")]}, "No dialect is called 'cerner'"),
        ("clients:\n- iss: a\n  iss: b\n  jku: https://a.example/k\n", "stands here again"),
    ],
)
def test_a_fault_is_said_with_its_line_and_what_to_do(
    tmp_path: Path, value: Any, says: str
) -> None:
    with pytest.raises(ContentFaults) as faults:
        load_clients(written(tmp_path, value))
    (fault,) = faults.value.faults
    assert says in fault.says
    assert fault.line >= 1
    assert str(fault)[-1] in ".?"


def test_every_fault_of_a_file_is_reported_at_once(tmp_path: Path) -> None:
    value = {"clients": [client(dialect="x"), client(iss="b", fhir_bases="y")], "z": "1"}
    with pytest.raises(ContentFaults) as faults:
        load_clients(written(tmp_path, value))
    assert len(faults.value.faults) == 3
