"""SMART App Launch against an EHR that behaves as the specification says, and does not let go."""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlencode, urlsplit

import jwt
import pytest
import requests
import sqlalchemy as sa
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from cds.assess import load_content
from cds.cohort.shadow.recorded import phase_of_records
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import Settings, SettingsFault, load_settings
from cds.store.calls import find_calls
from cds.web.app import create_app, keeper_of, store_of
from cds.web.fhir_endpoint import load_fixtures, serving
from cds.web.kept.replay import read_kept, read_records, replay
from cds.web.smart_endpoint import Authorizing, Behaviour, Registered, create_smart_app

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from flask import Flask
    from flask.testing import FlaskClient
    from werkzeug.test import TestResponse

    from cds.assess import Content

DAY = date(2026, 3, 1)
SERVICE = "http://127.0.0.1:8080"
CALLBACK = f"{SERVICE}/launch/callback"
PATIENT = "desmoid-clarithromycin"


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@dataclass
class Ehr:
    """The EHR that launches, and where it answers."""

    root: str
    authorizing: Authorizing

    @property
    def base(self) -> str:
        """Its FHIR base."""
        return f"{self.root}/fhir"


STORE = load_fixtures(bundled_fixtures(), None)
STORE.put(
    {
        "resourceType": "Practitioner",
        "id": "listed",
        "name": [{"prefix": ["Dr."], "given": ["Bea"], "family": "Example"}],
    }
)
KEY = rsa.generate_private_key(65_537, 2_048)


@pytest.fixture
def ehr() -> Iterator[Ehr]:
    authorizing = Authorizing(Registered("trial-cds", CALLBACK), key=KEY)
    app = create_smart_app(STORE, authorizing, f"{SERVICE}/launch")
    with serving(app) as root:
        yield Ehr(root, authorizing)


@pytest.fixture
def service(content: Content, ehr: Ehr, tmp_path: Path) -> Callable[..., Flask]:
    """Makes services that the EHR may launch; `extra` are lines of its registration."""

    def make(extra: str = "", **more: Any) -> Flask:
        file = tmp_path / "launch.yaml"
        file.write_text(f"ehrs:\n- iss: {ehr.base}\n  client_id: trial-cds\n{extra}", "utf-8")
        own = replace(
            load_settings({}),
            launch=file,
            database_url=f"sqlite:///{tmp_path / 'store.db'}",
            **more,
        )
        return create_app(own, content, lambda: DAY)

    return make


def begun(client: FlaskClient, ehr: Ehr, **changed: str) -> TestResponse:
    """The answer to a launch of a patient's chart."""
    asked = {"iss": ehr.base, "launch": ehr.authorizing.launch(PATIENT)} | changed
    return client.get(f"/launch?{urlencode(asked)}")


def returned(ehr: Ehr, left: TestResponse) -> str:
    """Follow the browser to the EHR; gives the path that it is sent back to."""
    assert left.status_code == 302, left.get_data(as_text=True)
    assert left.location.startswith(f"{ehr.root}/auth/authorize?")
    answer = requests.get(left.location, allow_redirects=False, timeout=10)
    assert answer.status_code == 302, answer.text
    return answer.headers["Location"].removeprefix(SERVICE)


def launched(client: FlaskClient, ehr: Ehr) -> TestResponse:
    """A whole launch; gives the answer to the callback."""
    return client.get(returned(ehr, begun(client, ehr)))


def words(answer: TestResponse) -> str:
    text = re.sub(r"<[^>]+>", " ", answer.get_data(as_text=True))
    return " ".join(html.unescape(text).split())


def asked_of(left: TestResponse) -> dict[str, str]:
    return {name: value[0] for name, value in parse_qs(urlsplit(left.location).query).items()}


def test_a_launch_leads_to_the_page_of_the_open_chart(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    answer = launched(client, ehr)
    assert answer.status_code == 303
    page = client.get(answer.location.removeprefix(SERVICE))
    said = words(page)
    assert page.status_code == 200
    assert "possible from 25 Mar 2026" in said
    assert "clarithromycin" in said
    assert f"Patient/{PATIENT}" in said


def test_what_is_asked_of_the_ehr_is_what_the_specification_says(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    asked = asked_of(begun(service().test_client(), ehr))
    assert asked["response_type"] == "code"
    assert asked["client_id"] == "trial-cds"
    assert asked["redirect_uri"] == CALLBACK
    assert asked["aud"] == ehr.base
    assert asked["code_challenge_method"] == "S256"
    assert re.fullmatch(r"[A-Za-z0-9_-]{43}", asked["code_challenge"])
    assert len(asked["state"]) >= 32
    scopes = asked["scope"].split()
    assert {"launch", "openid", "fhirUser", "patient/Patient.rs"} <= set(scopes)
    assert not [scope for scope in scopes if scope.endswith((".cruds", ".*", ".write"))]


def test_no_address_names_the_patient_and_the_cookies_suit_a_frame(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    left = begun(client, ehr)
    back = returned(ehr, left)
    answer = client.get(back)
    for address in (left.location, back, answer.location):
        assert PATIENT not in address
    for cookie in (*left.headers.getlist("Set-Cookie"), *answer.headers.getlist("Set-Cookie")):
        assert PATIENT not in cookie
        for word in ("HttpOnly", "Secure", "SameSite=None", "Partitioned", "Path=/"):
            assert word in cookie, cookie
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert answer.headers["Cache-Control"] == "no-store"


def test_nobody_else_opens_the_page_with_its_address_alone(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    app = service()
    address = launched(app.test_client(), ehr).location.removeprefix(SERVICE)
    stranger = app.test_client().get(address)
    assert stranger.status_code == 403
    assert PATIENT not in words(stranger)


def test_a_second_launch_of_the_same_person_leaves_the_first_page_open(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    first = launched(client, ehr).location.removeprefix(SERVICE)
    second = launched(client, ehr).location.removeprefix(SERVICE)
    assert first != second
    assert [client.get(path).status_code for path in (first, second)] == [200, 200]


def test_another_person_at_the_same_browser_does_not_see_the_first_ones_page(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    first = launched(client, ehr).location.removeprefix(SERVICE)
    ehr.authorizing.behaviour.user = "Practitioner/another"
    launched(client, ehr)
    assert client.get(first).status_code == 403


def test_the_callback_may_reach_another_worker_than_the_launch(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    """Two applications over one store, with nothing else in common but the browser's cookies."""
    one, other = service().test_client(), service().test_client()
    left = begun(one, ehr)
    back = returned(ehr, left)
    _hand_over(left, other)
    answer = other.get(back)
    assert answer.status_code == 303
    _hand_over(answer, one)
    assert one.get(answer.location.removeprefix(SERVICE)).status_code == 200


def _hand_over(answer: TestResponse, client: FlaskClient) -> None:
    for cookie in answer.headers.getlist("Set-Cookie"):
        name, _, rest = cookie.partition("=")
        client.set_cookie(name, rest.partition(";")[0])


def test_an_iss_that_is_not_listed_is_refused_before_anything_is_asked(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    for iss in ("https://evil.example/fhir", f"{ehr.base}/../other", "file:///etc", f"{ehr.base}x"):
        answer = begun(client, ehr, iss=iss)
        assert answer.status_code == 403
        assert "may not open the page here" in words(answer)
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize("changed", [{"iss": ""}, {"launch": ""}, {"launch": "x" * 5_000}])
def test_a_launch_without_chart_or_iss_says_where_to_begin(
    service: Callable[..., Flask], ehr: Ehr, changed: dict[str, str]
) -> None:
    answer = begun(service().test_client(), ehr, **changed)
    assert answer.status_code == 400
    assert "from a patient's chart" in words(answer)


@pytest.mark.parametrize("state", ["", "made-up", "x" * 64])
def test_a_wrong_state_is_refused_and_the_code_is_not_used(
    service: Callable[..., Flask], ehr: Ehr, state: str
) -> None:
    client = service().test_client()
    back = returned(ehr, begun(client, ehr))
    code = parse_qs(urlsplit(back).query)["code"][0]
    answer = client.get(f"/launch/callback?{urlencode({'code': code, 'state': state})}")
    assert answer.status_code == 400
    assert "has ended or was used already" in words(answer)
    assert ehr.authorizing.tokens == {}


def test_a_callback_in_a_browser_that_did_not_launch_is_refused(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    """Somebody's own code, slipped to another person."""
    app = service()
    back = returned(ehr, begun(app.test_client(), ehr))
    assert app.test_client().get(back).status_code == 400
    assert ehr.authorizing.tokens == {}


def test_a_callback_that_comes_twice_is_refused_the_second_time(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    left = begun(client, ehr)
    back = returned(ehr, left)
    assert client.get(back).status_code == 303
    _hand_over(left, client)  # even where the browser kept the cookie of the launch
    assert client.get(back).status_code == 400


def test_a_code_that_was_used_elsewhere_is_refused(service: Callable[..., Flask], ehr: Ehr) -> None:
    client = service().test_client()
    back = returned(ehr, begun(client, ehr))
    code = ehr.authorizing.codes[parse_qs(urlsplit(back).query)["code"][0]]
    code.token = "given-before"  # noqa: S105 - opens nothing
    answer = client.get(back)
    assert (answer.status_code, "took too long" in words(answer)) == (400, True)


def test_an_expired_code_says_to_launch_again(service: Callable[..., Flask], ehr: Ehr) -> None:
    client = service().test_client()
    back = returned(ehr, begun(client, ehr))
    ehr.authorizing.behaviour.code_seconds = 0
    answer = client.get(back)
    assert answer.status_code == 400
    assert "The sign-on took too long" in words(answer)


def test_without_the_verifier_the_code_is_worth_nothing(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    """That the double checks PKCE at all: the same exchange, with another verifier."""
    client = service().test_client()
    back = returned(ehr, begun(client, ehr))
    sent = {
        "grant_type": "authorization_code",
        "code": parse_qs(urlsplit(back).query)["code"][0],
        "redirect_uri": CALLBACK,
        "client_id": "trial-cds",
        "code_verifier": "a" * 64,
    }
    answer = requests.post(f"{ehr.root}/auth/token", data=sent, timeout=10)
    assert (answer.status_code, answer.json()) == (400, {"error": "invalid_grant"})
    assert client.get(back).status_code == 303


def test_an_ehr_without_s256_is_not_launched_from(service: Callable[..., Flask], ehr: Ehr) -> None:
    ehr.authorizing.behaviour.methods = ("plain",)
    answer = begun(service().test_client(), ehr)
    assert answer.status_code == 502
    assert "no-pkce" in words(answer)


def test_a_launch_that_was_denied_reads_nothing_and_says_so(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    ehr.authorizing.behaviour.denies = True
    answer = launched(service().test_client(), ehr)
    assert answer.status_code == 403
    assert "Access to the chart was not granted" in words(answer)
    assert ehr.authorizing.tokens == {}


def test_a_launch_without_a_patient_says_to_open_a_chart(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    ehr.authorizing.behaviour.names_patient = False
    answer = launched(service().test_client(), ehr)
    assert answer.status_code == 400
    assert "No patient was open" in words(answer)


def test_a_chart_that_cannot_be_read_is_not_taken_for_no_trial(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    left = begun(client, ehr, launch=ehr.authorizing.launch("nobody"))
    answer = client.get(returned(ehr, left))
    assert answer.status_code == 502
    assert "not a statement that no trial fits" in words(answer)


def test_a_patient_without_target_diagnosis_gets_a_page_that_says_so(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    client = service().test_client()
    left = begun(client, ehr, launch=ehr.authorizing.launch("ordinary-chart"))
    answer = client.get(returned(ehr, left))
    said = words(client.get(answer.location.removeprefix(SERVICE)))
    assert "No trial here concerns this patient" in said


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(nonce="another"), Behaviour(issuer="https://evil.example")],
    ids=["nonce", "issuer"],
)
def test_an_id_token_of_another_sign_on_is_refused(
    service: Callable[..., Flask], ehr: Ehr, behaviour: Behaviour
) -> None:
    ehr.authorizing.behaviour = behaviour
    answer = launched(service().test_client(), ehr)
    assert answer.status_code == 502
    assert "id-token" in words(answer)


def test_an_ehr_that_does_not_say_who_the_user_is_may_launch_all_the_same(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    ehr.authorizing.behaviour.names_user = False
    client = service().test_client()
    answer = launched(client, ehr)
    assert client.get(answer.location.removeprefix(SERVICE)).status_code == 200


def test_an_endless_token_answer_is_not_read_to_its_end(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    ehr.authorizing.behaviour.padding = 300_000
    answer = launched(service().test_client(), ehr)
    assert answer.status_code == 502
    assert "no-token" in words(answer)


def test_a_confidential_client_proves_itself_with_its_secret(
    service: Callable[..., Flask], ehr: Ehr, tmp_path: Path
) -> None:
    ehr.authorizing.registered = Registered("trial-cds", CALLBACK, secret="s3cret")
    (tmp_path / "secret").write_text("s3cret\n", "utf-8")
    assert launched(service().test_client(), ehr).status_code == 502
    known = service("  client_secret_file: secret\n").test_client()
    assert launched(known, ehr).status_code == 303


def test_a_confidential_client_proves_itself_with_its_key(
    service: Callable[..., Flask], ehr: Ehr, tmp_path: Path
) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(pem)
    ehr.authorizing.registered = Registered("trial-cds", CALLBACK, public_key=key.public_key())
    assert launched(service().test_client(), ehr).status_code == 502
    known = service("  client_key_file: key.pem\n  key_id: k1\n").test_client()
    assert launched(known, ehr).status_code == 303


def test_the_store_holds_neither_token_nor_name_nor_patient_in_the_clear(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    app = service()
    client = app.test_client()
    back = returned(ehr, begun(client, ehr))
    client.get(back)
    (token,) = ehr.authorizing.tokens
    with store_of(app).begin() as connection:
        rows = b"".join(
            bytes(value) if isinstance(value, bytes) else str(value).encode()
            for table in ("launches", "pages")
            for row in connection.execute(sa.text(f"SELECT * FROM {table}"))  # noqa: S608
            for value in row
        )
    for secret in (token, PATIENT, "Ada Example", parse_qs(urlsplit(back).query)["state"][0]):
        assert secret.encode() not in rows


def test_what_a_launch_shows_is_recorded_and_can_be_made_again(
    service: Callable[..., Flask], ehr: Ehr, content: Content
) -> None:
    app = service(keep_inputs=True)
    assert launched(app.test_client(), ehr).status_code == 303
    (call,) = find_calls(store_of(app), "launch")
    assert {one.trial: one.outcome for one in call.decided} == {
        "NCT05490667": "page",
        "NCT07137884": "no-diagnosis",
    }
    assert call.sealed is not None
    chart = read_kept(keeper_of(app).keys().unseal(call.sealed, call.id) or b"")
    for one in call.decided:
        (record,) = read_records(one.record.encode())
        assert replay(record, chart, content).same
    store_of(app).close()


def test_nothing_of_a_launch_is_in_the_log(
    service: Callable[..., Flask], ehr: Ehr, caplog: pytest.LogCaptureFixture
) -> None:
    client = service().test_client()
    back = returned(ehr, begun(client, ehr))
    client.get(back)
    client.get(back)
    ehr.authorizing.behaviour.denies = True
    launched(client, ehr)
    assert "a launch ended: state" in caplog.text
    assert "a launch ended: denied" in caplog.text
    for secret in (*parse_qs(urlsplit(back).query)["code"], PATIENT, *ehr.authorizing.tokens):
        assert secret not in caplog.text


def test_without_the_setting_nothing_can_be_launched(content: Content, tmp_path: Path) -> None:
    own = replace(Settings(), database_url=f"sqlite:///{tmp_path / 'store.db'}")
    client = create_app(own, content, lambda: DAY).test_client()
    assert client.get("/launch?iss=https://ehr.example/fhir&launch=x").status_code == 404


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("ehrs: []", "No EHR is listed"),
        ("clients: []", "not known of this file"),
        ("ehrs:\n- client_id: a", "needs 'iss'"),
        ("ehrs:\n- iss: https://e.example/r4", "needs 'client_id'"),
        ("ehrs:\n- iss: http://e.example/r4\n  client_id: a", "no address that can be used"),
        ("ehrs:\n- iss: https://e.example/r4\n  client_id: a\n  secret: x", "not known of an EHR"),
        (
            (
                "ehrs:\n- {iss: https://e.example/r4, client_id: a}"
                "\n- {iss: https://E.example/r4/, client_id: b}"
            ),
            "listed twice",
        ),
        (
            "ehrs:\n- iss: https://e.example/r4\n  client_id: a\n  scopes: [openid]",
            "Without the scope 'launch'",
        ),
        (
            "ehrs:\n- iss: https://e.example/r4\n  client_id: a\n  client_secret_file: nowhere",
            "cannot be read",
        ),
    ],
)
def test_a_fault_in_the_file_stops_the_start_with_its_line(
    content: Content, tmp_path: Path, text: str, says: str
) -> None:
    file = tmp_path / "launch.yaml"
    file.write_text(text, "utf-8")
    own = replace(Settings(), launch=file, database_url=f"sqlite:///{tmp_path / 'store.db'}")
    with pytest.raises(SettingsFault, match=r"TRIAL_CDS_LAUNCH: .*launch\.yaml:") as caught:
        create_app(own, content, lambda: DAY)
    assert says in str(caught.value)


def test_an_id_token_must_be_signed_by_the_ehr(
    service: Callable[..., Flask], ehr: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    forged = jwt.encode({"iss": ehr.base, "aud": "trial-cds"}, "x" * 64, "HS256")
    monkeypatch.setattr(Authorizing, "_id_token", lambda *_: forged)
    answer = launched(service().test_client(), ehr)
    assert (answer.status_code, "id-token" in words(answer)) == (502, True)


def test_a_launch_is_no_evaluation_of_a_shadow_phase(
    service: Callable[..., Flask], ehr: Ehr
) -> None:
    app = service()
    launched(app.test_client(), ehr)
    assert phase_of_records(store_of(app)).calls == 0


@pytest.mark.parametrize(
    ("user", "name", "shown"),
    [
        ("Practitioner/demo", "Dr. Ada Example", "Dr. Ada Example"),
        ("Practitioner/listed", None, "Dr. Bea Example"),
        ("Practitioner/not-listed", None, "Practitioner/not-listed"),
        ("RelatedPerson/x", None, "RelatedPerson/x"),
    ],
)
def test_who_launched_goes_by_the_best_name_that_the_ehr_gives(
    service: Callable[..., Flask], ehr: Ehr, user: str, name: str | None, shown: str
) -> None:
    ehr.authorizing.behaviour = Behaviour(user=user, name=name)
    client = service().test_client()
    page = client.get(launched(client, ehr).location.removeprefix(SERVICE))
    assert f"You are {shown}" in words(page)


@pytest.mark.parametrize(
    "behaviour",
    [Behaviour(algorithm="RS384"), Behaviour(names_key=False)],
    ids=["RS384", "one key without a name"],
)
def test_id_tokens_as_other_ehrs_sign_them_are_taken(
    service: Callable[..., Flask], ehr: Ehr, behaviour: Behaviour
) -> None:
    ehr.authorizing.behaviour = behaviour
    assert launched(service().test_client(), ehr).status_code == 303


def test_an_id_token_of_another_key_is_refused(
    service: Callable[..., Flask], ehr: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = ehr.authorizing.keys()
    monkeypatch.setattr(Authorizing, "keys", lambda _: published)
    ehr.authorizing.key = rsa.generate_private_key(65_537, 2_048)
    answer = launched(service().test_client(), ehr)
    assert (answer.status_code, "id-token" in words(answer)) == (502, True)
