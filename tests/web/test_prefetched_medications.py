"""Drugs that prefetched entries only refer to: read from the server, or said not to have been."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.settings import load_settings
from cds.web.app import create_app
from cds.web.fhir_endpoint import Faults, Logged, create_fhir_app, load_fixtures, serving
from cds.web.request import SERVICE

if TYPE_CHECKING:
    from pathlib import Path

Json = dict[str, Any]
DAY = "2026-03-01"
KEYS = {
    "Condition": "conditions",
    "MedicationRequest": "medreq",
    "MedicationStatement": "medstmt",
    "Procedure": "procedures",
}
CATEGORIES = {
    "laboratory": "labs",
    "vital-signs": "vitals",
    "exam": "exam",
    "survey": "survey",
    "social-history": "social",
}
ITRACONAZOLE = {
    "resourceType": "Medication",
    "id": "m9",
    "code": {
        "coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "28031"}],
        "text": "itraconazole",
    },
}


def searchset(resources: list[Json]) -> Json:
    entries = [{"resource": one, "search": {"mode": "match"}} for one in resources]
    return {"resourceType": "Bundle", "type": "searchset", "total": len(entries), "entry": entries}


def ordered(patient: str, number: int = 1, **reference: str) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": f"ordered-{number}",
        "status": "active",
        "intent": "order",
        "authoredOn": "2026-02-26",
        "subject": {"reference": f"Patient/{patient}"},
        "medicationReference": reference,
    }


def chart(name: str, *more: Json) -> Json:
    """The whole prefetch of an invented patient, with some more orders."""
    bundle = json.loads((bundled_fixtures() / name / "bundle.json").read_text("utf-8"))
    every = [entry["resource"] for entry in bundle["entry"]] + list(more)
    found: Json = {"patient": next(one for one in every if one["resourceType"] == "Patient")}
    for kind, key in KEYS.items():
        found[key] = searchset([one for one in every if one["resourceType"] == kind])
    results = [one for one in every if one["resourceType"] == "Observation"]
    for category, key in CATEGORIES.items():
        found[key] = searchset([one for one in results if category in json.dumps(one["category"])])
    return found


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


class Hospital:
    """A service, and a FHIR server that keeps one Medication more than the stories do."""

    def __init__(self, content: Content, folder: Path) -> None:
        self.content = content
        self.folder = folder
        self.asked: list[str] = []

    def fire(
        self, prefetch: Json, *, server: bool = True, faults: Faults | None = None, **settings: str
    ) -> Json:
        """The assessment of the desmoid trial; `asked` are then the paths that were read."""
        log: list[Logged] = []
        store = load_fixtures(bundled_fixtures(), None)
        store.put(ITRACONAZOLE)
        request: Json = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "context": {"userId": "Practitioner/x", "patientId": prefetch["patient"]["id"]},
            "prefetch": prefetch,
        }
        with serving(create_fhir_app(store, request_log=log, faults=faults or Faults())) as base:
            own = {
                "TRIAL_CDS_FHIR_ALLOW": base,
                "TRIAL_CDS_ON": DAY,
                "TRIAL_CDS_DATABASE_URL": f"sqlite:///{self.folder / 'store.db'}",
                **settings,
            }
            app = create_app(load_settings(own), self.content, lambda: None)  # type: ignore[arg-type, return-value]
            request |= {"fhirServer": base} if server else {}
            answer = app.test_client().post(f"/cds-services/{SERVICE}", json=request)
        assert answer.status_code == 200, answer.get_data(as_text=True)
        self.asked = [one.path.removeprefix("/fhir/") for one in log]
        found: Json = answer.get_json()
        for card in found["cards"]:
            assessment: Json = card["extension"]["org.trial-cds.assessment"]
            if assessment["trial"] == "NCT05490667":
                return assessment
        return found


@pytest.fixture
def hospital(content: Content, tmp_path: Path) -> Hospital:
    return Hospital(content, tmp_path)


def statuses(assessment: Json) -> dict[str, str]:
    return {one["id"]: one["status"] for one in assessment["criteria"]}


def about(assessment: Json, reference: str) -> list[str]:
    return [one["says"] for one in assessment["problems"] if one["reference"] == reference]


@pytest.mark.parametrize("where", ["Medication/m9", "Medication/m9/_history/3"])
def test_the_drug_of_a_prefetched_order_is_read_from_the_server(
    hospital: Hospital, where: str
) -> None:
    ready = chart("desmoid-ready")
    orders = chart("desmoid-ready", ordered("desmoid-ready", reference=where))
    assert statuses(hospital.fire(ready, server=False))["E28a"] == "pass"
    found = hospital.fire(orders, TRIAL_CDS_SHOW_ALL="yes")
    assert hospital.asked == ["Medication/m9"]
    assert statuses(found)["E28a"] == "fail"
    assert about(found, "MedicationRequest/ordered-1") == []


def test_nothing_is_read_where_every_drug_came_along(hospital: Hospital) -> None:
    known = ordered("desmoid-ready", reference="Medication/m9")
    orders = chart("desmoid-ready", known)
    orders["medreq"]["entry"].append({"resource": ITRACONAZOLE, "search": {"mode": "include"}})
    hospital.fire(orders, TRIAL_CDS_SHOW_ALL="yes")
    assert hospital.asked == []


def test_nothing_is_read_where_no_trial_is_about_the_patient(hospital: Hospital) -> None:
    orders = chart("ordinary-chart", ordered("ordinary-chart", reference="Medication/m9"))
    assert hospital.fire(orders)["cards"] == []
    assert hospital.asked == []


def test_a_drug_is_read_after_the_lists_that_were_not_prefetched(hospital: Hospital) -> None:
    orders = chart("desmoid-ready", ordered("desmoid-ready", reference="Medication/m9"))
    del orders["procedures"]
    found = hospital.fire(orders, TRIAL_CDS_SHOW_ALL="yes")
    assert "Procedure" in hospital.asked
    assert hospital.asked[-1] == "Medication/m9"
    assert statuses(found)["E28a"] == "fail"


@pytest.mark.parametrize("missing", ["labs", "medstmt"])
def test_no_drug_is_read_that_is_known_by_its_name_where_none_is_open(
    hospital: Hospital, missing: str
) -> None:
    named = ordered("desmoid-ready", reference="Medication/m9", display="paracetamol")
    orders = chart("desmoid-ready", named)
    del orders[missing]
    found = hospital.fire(orders, TRIAL_CDS_SHOW_ALL="yes")
    assert hospital.asked
    assert not [one for one in hospital.asked if one.startswith("Medication/")]
    assert statuses(found)["E28a"] == "pass"


def test_drugs_that_nobody_knows_by_name_are_read_first(hospital: Hospital) -> None:
    named = [
        ordered("desmoid-ready", n, reference=f"Medication/x{n}", display="paracetamol")
        for n in range(45)
    ]
    nameless = ordered("desmoid-ready", 99, reference="Medication/m9")
    found = hospital.fire(chart("desmoid-ready", *named, nameless), TRIAL_CDS_SHOW_ALL="yes")
    assert "Medication/m9" in hospital.asked[:8]
    assert statuses(found)["E28a"] == "fail"


@pytest.mark.parametrize(
    ("reference", "server", "faults", "says"),
    [
        ("Medication/m9", False, Faults(), "its Medication could not be read"),
        (
            "Medication/m9",
            True,
            Faults(forbidden_types=frozenset({"Medication"})),
            "its Medication could not be read: the FHIR server does not allow it",
        ),
        (
            "Medication/gone",
            True,
            Faults(),
            "its Medication could not be read: the FHIR server does not have it",
        ),
        (
            "https://elsewhere.example/fhir/Medication/m9",
            True,
            Faults(),
            "its Medication could not be read: an address leads outside the FHIR server",
        ),
    ],
)
def test_a_drug_that_could_not_be_read_is_said_and_passes_nothing(
    hospital: Hospital, reference: str, faults: Faults, says: str, *, server: bool
) -> None:
    orders = chart("desmoid-ready", ordered("desmoid-ready", reference=reference))
    found = hospital.fire(orders, server=server, faults=faults)
    assert statuses(found)["E28a"] == "review"
    assert says in about(found, "MedicationRequest/ordered-1")


def test_a_drug_whose_name_the_reference_tells_is_no_gap(hospital: Hospital) -> None:
    named = ordered("desmoid-ready", reference="Medication/gone", display="paracetamol")
    found = hospital.fire(chart("desmoid-ready", named), server=False)
    assert statuses(found)["E28a"] == "pass"
    assert about(found, "MedicationRequest/ordered-1") == []


def test_drugs_that_are_read_are_bounded_and_the_rest_is_said(hospital: Hospital) -> None:
    many = [ordered("desmoid-ready", n, reference=f"Medication/x{n}") for n in range(45)]
    found = hospital.fire(chart("desmoid-ready", *many))
    assert len(hospital.asked) == 40
    assert about(found, "MedicationRequest/ordered-44")
