"""fhir-check: each gap of a server is named, with what follows and what to set."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from flask import Flask, Response

from cds.cli import main
from cds.fhir.check import Finding, Verdict, check_server, may_be_used, table
from cds.fhir.outbound import Deadline
from cds.fhir.server import FhirServers
from cds.web.fhir_endpoint import Faults, Store, create_fhir_app, serving

if TYPE_CHECKING:
    from collections.abc import Collection

PATIENT = "p1"
LISTS = ("Condition", "Observation", "Procedure", "MedicationRequest", "MedicationStatement")


def chart() -> Store:
    store = Store()
    store.put({"resourceType": "Patient", "id": PATIENT, "birthDate": "1990-05-05"})
    for number in range(3):
        store.put(
            {
                "resourceType": "Condition",
                "id": f"c{number}",
                "code": {"text": "c"},
                "subject": {"reference": f"Patient/{PATIENT}"},
            }
        )
    return store


def checked(
    app: Flask, *, patient: str | None = None, aliases: Collection[str] = ()
) -> dict[str, Finding]:
    """What is found of a server, by what was looked at."""
    with serving(app) as root:
        base = f"{root.removesuffix('/fhir')}/fhir"
        servers = FhirServers([(base, None)])
        with servers.connect(base, None, Deadline.after(20)) as connection:
            return {one.what: one for one in check_server(connection, base, aliases, patient)}


def claiming(statement: dict[str, Any]) -> Flask:
    """A server that has nothing but a CapabilityStatement."""
    app = Flask("claims")
    whole = {"resourceType": "CapabilityStatement", "fhirVersion": "4.0.1"} | statement
    app.add_url_rule("/fhir/metadata", view_func=lambda: whole)
    return app


def resource(name: str, *params: str, **more: Any) -> dict[str, Any]:
    found = [{"name": one} for one in params]
    codes = [{"code": "read"}, {"code": "search-type"}]
    return {"type": name, "interaction": codes, "searchParam": found} | more


def test_a_server_that_has_all_shows_no_gap() -> None:
    found = checked(create_fhir_app(chart()), patient=PATIENT)
    assert {one.verdict for one in found.values()} == {Verdict.FINE}
    assert found["tried: Condition"].found == "3 entries on 1 page"
    assert found["tried: Patient"].found == "read"


@pytest.mark.parametrize(
    ("version", "verdict"),
    [
        ("4.0.1", Verdict.FINE),
        ("4.3.0", Verdict.FINE),
        ("3.0.2", Verdict.STOP),
        ("1.0.2", Verdict.STOP),
        ("5.0.0", Verdict.STOP),
    ],
)
def test_only_r4_and_r4b_can_be_used(version: str, verdict: Verdict) -> None:
    found = checked(create_fhir_app(chart(), faults=Faults(fhir_version=version)))
    assert found["FHIR version"].verdict is verdict
    assert may_be_used(found.values()) == (verdict is Verdict.FINE)


def test_a_medication_list_that_is_not_kept_comes_with_its_setting() -> None:
    kept = [resource(name, "patient", "category") for name in LISTS[:-1]]
    found = checked(claiming({"rest": [{"resource": [resource("Patient"), *kept]}]}))
    assert found["MedicationStatement?patient="].setting == "TRIAL_CDS_NOT_KEPT=MedicationStatement"
    assert found["MedicationRequest?patient="].verdict is Verdict.FINE


def test_a_missing_search_says_what_becomes_of_the_criteria() -> None:
    kept = [resource(name, "code") for name in ("Observation", "Condition", "MedicationRequest")]
    found = checked(claiming({"rest": [{"resource": kept}]}))
    assert "no target diagnosis can be told" in found["Condition?patient="].means
    assert "for all Observations" in found["Observation?category="].means
    assert found["Patient read"].verdict is Verdict.GAP
    assert "not recognised" in found["_include of Medications"].means


def test_include_is_no_gap_where_there_are_no_lists() -> None:
    found = checked(claiming({"rest": []}))
    assert found["_include of Medications"].found == "no medication list"


def test_include_is_needed_only_of_the_lists_that_there_are() -> None:
    request = resource("MedicationRequest", "patient", searchInclude=["MedicationRequest:*"])
    found = checked(claiming({"rest": [{"resource": [request]}]}))
    assert found["_include of Medications"].verdict is Verdict.FINE


def test_a_server_that_thinks_it_is_elsewhere_needs_an_alias_once() -> None:
    inside = "http://inside.example:8080/r4"
    app = claiming({"implementation": {"description": "d", "url": inside}})
    found = checked(app)["own address"]
    assert found.verdict is Verdict.GAP
    assert found.setting.endswith(f"/fhir={inside}")
    assert checked(app, aliases={inside})["own address"].verdict is Verdict.FINE


def test_what_was_refused_when_tried_is_told_with_its_consequence() -> None:
    faults = Faults(
        forbidden_types=frozenset({"Procedure"}), forbidden_categories=frozenset({"survey"})
    )
    found = checked(create_fhir_app(chart(), faults=faults), patient=PATIENT)
    for what in ("tried: Procedure", "tried: Observation survey"):
        assert found[what].found == "the FHIR server does not allow it"
        assert found[what].means == "criteria that need it are unknown"
    assert found["tried: Observation exam"].verdict is Verdict.FINE


def with_observations(number: int) -> Store:
    store = chart()
    for one in range(number):
        subject = {"reference": f"Patient/{PATIENT}"}
        category = [{"coding": [{"code": "laboratory"}]}]
        found = {"resourceType": "Observation", "id": f"o{one}", "status": "final"}
        store.put(found | {"subject": subject, "category": category, "code": {"text": "x"}})
    return store


@pytest.mark.parametrize("by_category", [False, True])
def test_a_second_page_is_tried(*, by_category: bool) -> None:
    faults = Faults(needs_category=by_category)
    found = checked(create_fhir_app(with_observations(3), faults=faults), patient=PATIENT)
    assert found["tried: second page"].found == "read"
    if by_category:
        assert found["tried: all Observations"].setting.startswith("TRIAL_CDS_DIALECT=epic")
    else:
        assert "tried: all Observations" not in found
    assert "no more than one" in checked(create_fhir_app(chart()), patient=PATIENT)[
        "tried: second page"
    ].found  # fmt: skip


def test_a_dialect_that_asks_by_category_is_no_gap() -> None:
    app = create_fhir_app(with_observations(3), faults=Faults(needs_category=True))
    with serving(app) as base:
        servers = FhirServers([(base, None)], by_category=True)
        with servers.connect(base, None, Deadline.after(20)) as connection:
            found = check_server(connection, base, (), PATIENT)
    assert {one.verdict for one in found} == {Verdict.FINE}


def test_next_links_that_lead_elsewhere_are_found_out_by_trying() -> None:
    faults = Faults(alias="https://inside.example/r4")
    found = checked(create_fhir_app(with_observations(3), faults=faults), patient=PATIENT)
    second = found["tried: second page"]
    assert (second.verdict, second.found) == (
        Verdict.GAP,
        "an address leads outside the FHIR server",
    )
    assert second.setting.startswith("TRIAL_CDS_FHIR_ALLOW=http://127.0.0.1")


@pytest.mark.parametrize("no_batch", [False, True])
def test_batches_are_looked_up_and_tried(*, no_batch: bool) -> None:
    app = create_fhir_app(chart(), faults=Faults(no_batch=no_batch))
    found = checked(app, patient=PATIENT)
    assert found["batch of searches"].found == ("not listed" if no_batch else "yes")
    tried = found["tried: batch"]
    assert tried.found == (
        "the FHIR server does not understand the request" if no_batch else "answered"
    )
    assert tried.verdict is Verdict.FINE  # nothing is lost without


def test_a_server_that_lists_transactions_is_asked_in_batches() -> None:
    found = checked(claiming({"rest": [{"interaction": [{"code": "transaction"}]}]}))
    assert found["batch of searches"].found == "transactions are listed"


def test_research_records_come_with_their_setting() -> None:
    found = checked(create_fhir_app(chart()))["research records"]
    assert found.setting.startswith("TRIAL_CDS_RESEARCH_RECORDS=yes")
    assert checked(claiming({"rest": []}))["research records"].found == "none"


@pytest.mark.parametrize(
    ("more", "found"),
    [
        ({}, "offered"),
        ({"grant_types_supported": ["authorization_code", "client_credentials"]}, "offered"),
        # What the demo's endpoint says, where only people sign in.
        ({"grant_types_supported": ["authorization_code"]}, "not offered"),
        ({"token_endpoint_auth_methods_supported": ["client_secret_basic"]}, "not offered"),
        ({"token_endpoint_auth_signing_alg_values_supported": ["ES384"]}, "ES384"),
        ({"token_endpoint_auth_signing_alg_values_supported": ["RS256"]}, "RS256"),
    ],
)
def test_a_sign_in_of_programs_is_offered_only_where_it_would_work(
    more: dict[str, Any], found: str
) -> None:
    """What is shown as the thing to call must not be refused by the same page."""
    app = claiming({})
    page = {"token_endpoint": "https://example.org/token"} | more
    app.add_url_rule("/fhir/.well-known/smart-configuration", "smart", lambda: page)
    line = checked(app)["SMART Backend Services"]
    assert line.found == found
    assert bool(line.setting) == (found in {"offered", "ES384"})


def test_a_patient_whom_nobody_knows_stops_the_check() -> None:
    found = checked(create_fhir_app(chart()), patient="nobody")
    assert found["tried: Patient"].verdict is Verdict.STOP


@pytest.mark.parametrize(
    "answer", [Response("<html>", 200), Response("[]", 200), Response('{"a": 1}', 200)]
)
def test_what_is_no_capability_statement_is_said_to_be_none(answer: Response) -> None:
    app = Flask("nothing")
    app.add_url_rule("/fhir/metadata", view_func=lambda: answer)
    found = checked(app)
    assert found["CapabilityStatement"].found == "the FHIR server's answer is no FHIR"
    assert not may_be_used(found.values())


def test_the_command_shows_the_table_and_ends_with_its_verdict() -> None:
    for version, status in (("4.0.1", 0), ("5.0.0", 1)):
        faults = Faults(fhir_version=version)
        with serving(create_fhir_app(chart(), faults=faults)) as base:
            result = CliRunner().invoke(main, ["fhir-check", base, "--patient", PATIENT])
        assert result.exit_code == status
        assert "tried: Condition" in result.stdout
        assert PATIENT not in result.stdout.replace("https", "")


def test_what_to_set_stands_below_its_finding() -> None:
    text = table([Finding("a", Verdict.GAP, "b", "c", "D=e"), Finding("long", Verdict.FINE, "f")])
    assert text.splitlines() == [
        "gap   a     b",
        "            → c",
        "              D=e",
        "ok    long  f",
    ]
