"""Truncated is not absent: what came counts, what did not is unknown where it matters, in words."""

from __future__ import annotations

import json
import uuid
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cds.assess import Content, assess, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.record import record_from_bundle
from cds.fhir.retrieved import NEEDED, Coverage
from cds.settings import FhirBase, Settings
from cds.web.app import create_app
from cds.web.chart import asks_about
from cds.web.fhir_endpoint import Faults, Store, create_fhir_app, load_fixtures, serving
from cds.web.remote import RemoteFault, chart_of, servers_for

if TYPE_CHECKING:
    from pathlib import Path

    from cds.fhir.record import Record

Json = dict[str, Any]
WHO = "desmoid-ready"
FIXTURES = bundled_fixtures()
FILE = (FIXTURES / WHO / "bundle.json").read_bytes()
ASKED = Evaluation.of(date(2026, 3, 1))
CATEGORIES = tuple(one for one in NEEDED if one.startswith("Observation:"))
LISTS = ("Procedure", "MedicationRequest", "MedicationStatement")


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


def chart(content: Content, faults: Faults, store: Store | None = None, **settings: Any) -> Record:
    """The chart as a server with these faults gives it."""
    app = create_fhir_app(store or load_fixtures(FIXTURES, None), faults=faults)
    with serving(app) as base:
        allowed = Settings(fhir_allow=(FhirBase(base),), **settings)
        return chart_of(servers_for(allowed, base), base, None, WHO, content, ASKED)


def criteria(content: Content, record: Record) -> dict[str, Json]:
    """Everything said of each criterion of the trial that the patient may join."""
    said = assessment_json(assess(record, content, ASKED))
    return {one["id"]: one for one in said["trials"][0]["criteria"]}


def kind_of(concerned: tuple[str, ...]) -> str:
    """The resource type."""
    return concerned[0].partition(":")[0]


def cut(name: str) -> dict[str, tuple[Faults, Json, str, tuple[str, ...]]]:
    """The ways in which one list falls short: faults, settings, words, coverages concerned."""
    kind, _, category = name.partition(":")
    only = frozenset({kind})
    if category:
        refused = Faults(forbidden_categories=frozenset({category}))
        return {f"403 {name}": (refused, {}, "does not allow it", (name,))}
    all_of_it = CATEGORIES if kind == "Observation" else (kind,)
    return {
        f"403 {name}": (Faults(forbidden_types=only), {}, "does not allow it", all_of_it),
        f"error among the entries of {name}": (
            Faults(error_entry=True, only=only),
            {},
            "left something out",
            all_of_it,
        ),
        f"total of {name} above what came": (
            Faults(extra_total=2, only=only),
            {},
            "more than it sent",
            all_of_it,
        ),
    }


SHORT = {
    name: how for one in (*LISTS, "Observation", *CATEGORIES) for name, how in cut(one).items()
} | {
    "page cap in one category": (
        Faults(),
        {"max_pages": 1, "fhir_page_size": 20},
        "too many pages",
        ("Observation:laboratory",),
    ),
}


@pytest.mark.parametrize("batch", ["yes", "no"])
@pytest.mark.parametrize("name", SHORT)
def test_what_falls_short_makes_exactly_the_criteria_concerned_unknown(
    content: Content, name: str, batch: str
) -> None:
    faults, settings, words, concerned = SHORT[name]
    whole = criteria(content, record_from_bundle(FILE))
    record = chart(content, faults, fhir_batch=batch, **settings)
    short = criteria(content, record)
    changed = {key for key, one in short.items() if one["status"] != whole[key]["status"]}
    assert {short[key]["status"] for key in changed} <= {"unknown"}
    assert {gap["gap"] for key in changed for gap in short[key]["gaps"]} <= {
        "not-retrieved",
        "judgement",
    }
    asking = {
        one.id
        for one in content.trials[0].criteria
        if not set(asks_about(one.form)).isdisjoint(concerned)
    }
    assert changed <= asking
    incomplete = {one for one in NEEDED if record.covered(one).state is not Retrieval.COMPLETE}
    assert incomplete == set(concerned)
    assert all(words in record.covered(one).why for one in concerned)
    # Presence counts: what decides without any absence says the same as before.
    lost = {one: Coverage(record.covered(one).state, record.covered(one).why) for one in concerned}
    if not any(one.state is Retrieval.NOT_RETRIEVED for one in lost.values()) and not settings:
        file = record_from_bundle(FILE)
        whole_types = {key: one for key, one in file.coverage.items() if key != kind_of(concerned)}
        cut_file = msgspec.structs.replace(file, coverage={**whole_types, **lost})
        assert {key: one["status"] for key, one in short.items()} == {
            key: one["status"] for key, one in criteria(content, cut_file).items()
        }


@pytest.mark.parametrize("name", ["403 Procedure", "total of Observation above what came"])
def test_the_card_says_in_words_what_fell_short(
    content: Content, tmp_path: Path, name: str
) -> None:
    faults, _, words, concerned = SHORT[name]
    with serving(create_fhir_app(load_fixtures(FIXTURES, None), faults=faults)) as base:
        settings = replace(
            Settings(fhir_allow=(FhirBase(base),)), database_url=f"sqlite:///{tmp_path / 's.db'}"
        )
        service = create_app(settings, content, lambda: date(2026, 3, 1)).test_client()
        request = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "fhirServer": base,
            "context": {"userId": "Practitioner/x", "patientId": WHO},
        }
        answer = service.post("/cds-services/trial-eligibility", json=request).get_json()
    [card] = answer["cards"]
    assert words in card["detail"]
    assert kind_of(concerned) in card["detail"]


@pytest.mark.parametrize(
    ("foreign", "version"),
    [
        ({"resourceType": "MedicationStatement", "wasNotTaken": False}, "DSTU2"),
        ({"resourceType": "Procedure", "notDone": False}, "STU3"),
        ({"resourceType": "MedicationStatement", "medication": {"concept": {"text": "x"}}}, "R5"),
        ({"resourceType": "Procedure", "occurrenceDateTime": "2020"}, "R5"),
    ],
)
def test_a_chart_of_another_fhir_version_is_refused_in_one_sentence(
    content: Content, foreign: Json, version: str
) -> None:
    store = load_fixtures(FIXTURES, None)
    subject = {"reference": f"Patient/{WHO}"}
    kind = foreign["resourceType"]
    for one in store.of_patient(kind, WHO):  # a server of that version has no others
        store.put(one | {"subject": {"reference": "Patient/nobody"}})
    store.put(foreign | {"id": "foreign", "subject": subject})
    with pytest.raises(RemoteFault, match=f"FHIR {version}") as problem:
        chart(content, Faults(), store)
    assert WHO not in str(problem.value)


def test_a_server_that_says_r4b_is_read_as_r4(content: Content) -> None:
    record = chart(content, Faults(fhir_version="4.3.0"))
    assert record.all_problems() == ()
    assert criteria(content, record) == criteria(content, record_from_bundle(FILE))


def neutropenic(taken: str) -> Json:
    """A count that rules the patient out, at the end of the list."""
    return {
        "resourceType": "Observation",
        "id": "the-last",
        "status": "final",
        "category": [{"coding": [{"code": "laboratory"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
        "subject": {"reference": f"Patient/{WHO}"},
        "effectiveDateTime": taken,
        "valueQuantity": {"value": 0.2, "unit": "10*9/L", "code": "10*9/L"},
    }


def test_a_newer_result_on_a_page_that_nobody_saw_is_not_overruled_by_an_older_one(
    content: Content,
) -> None:
    store = load_fixtures(FIXTURES, None)
    store.put(neutropenic("2026-02-28"))
    whole = criteria(content, chart(content, Faults(), store))
    assert whole["I07b"]["status"] == "fail"
    record = chart(content, Faults(), store, max_pages=1, fhir_page_size=20)
    assert record.covered("Observation:laboratory").state is Retrieval.CUT_OFF
    short = criteria(content, record)
    assert short["I07b"]["status"] == "unknown"
    assert [one["gap"] for one in short["I07b"]["gaps"]] == ["not-retrieved"]
    assert "is the newest that was read" in short["I07b"]["reason"]
    assert "not all results could be read, a newer one may exist" in short["I07b"]["reason"]


def test_what_is_newer_than_a_result_counts_where_everything_recent_came(content: Content) -> None:
    """The pages before are cut off; since the first day of the look-back nothing is missing."""
    store = load_fixtures(FIXTURES, None)
    for number in range(60):  # old ones, at the head of the list or not
        store.put(neutropenic("2019-01-01") | {"id": f"old-{number}"})
    record = chart(content, Faults(), store, max_pages=1, fhir_page_size=60)
    laboratory = record.covered("Observation:laboratory")
    assert (laboratory.state, laboratory.since) == (Retrieval.CUT_OFF, date(2026, 2, 1))
    short = criteria(content, record)
    whole = criteria(content, record_from_bundle(FILE))
    assert short["I07b"] == whole["I07b"]


def test_the_card_names_the_newest_results_of_a_list_that_was_cut_off(
    content: Content, tmp_path: Path
) -> None:
    store = load_fixtures(FIXTURES, None)
    store.put(neutropenic("2026-02-28"))
    with serving(create_fhir_app(store)) as base:
        settings = replace(
            Settings(fhir_allow=(FhirBase(base),), max_pages=1, fhir_page_size=20),
            database_url=f"sqlite:///{tmp_path / 's.db'}",
        )
        service = create_app(settings, content, lambda: date(2026, 3, 1)).test_client()
        request = {
            "hook": "patient-view",
            "hookInstance": str(uuid.uuid4()),
            "fhirServer": base,
            "context": {"userId": "Practitioner/x", "patientId": WHO},
        }
        answer = service.post("/cds-services/trial-eligibility", json=request).get_json()
    [card] = answer["cards"]
    assert "not all results could be read, a newer one may exist: " in card["detail"]


@pytest.mark.parametrize(
    "goes_on", [{"link": [{"relation": "next", "url": "https://ehr.example/2"}]}, {"total": 900}]
)
def test_results_of_a_prefetch_that_goes_on_are_named_and_decide_nothing(
    content: Content, tmp_path: Path, goes_on: Json
) -> None:
    """The EHR sent a first page and names no server: what it holds may not be the newest."""
    by_kind: dict[str, list[Json]] = {}
    for entry in json.loads(FILE)["entry"]:
        by_kind.setdefault(entry["resource"]["resourceType"], []).append(entry)
    prefetch: Json = {"patient": by_kind.pop("Patient")[0]["resource"]}
    for kind, entries in by_kind.items():
        prefetch[kind.lower()] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    prefetch["observation"] |= goes_on
    settings = replace(Settings(), database_url=f"sqlite:///{tmp_path / 's.db'}")
    service = create_app(settings, content, lambda: date(2026, 3, 1)).test_client()
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/x", "patientId": WHO},
        "prefetch": prefetch,
    }
    [card] = service.post("/cds-services/trial-eligibility", json=request).get_json()["cards"]
    assert "not all results could be read, a newer one may exist: " in card["detail"]
    said = card["extension"]["org.trial-cds.assessment"]
    found = {one["id"]: one for one in said["criteria"]}
    assert found["I07b"]["status"] == "unknown"
    assert found["I07b"]["reason"] == (
        "ANC 3.7 10*9/L on 2026-02-24 is the newest that was read (needs ≥ 1.5 10*9/L); "
        "not all results could be read, a newer one may exist"
    )
    assert said["overall"] == "undetermined"
    assert not any(link["label"].startswith("order") for link in card.get("links", ()))
    assert not card.get("suggestions")
