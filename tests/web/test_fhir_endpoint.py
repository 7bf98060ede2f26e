"""The embedded FHIR endpoint: that it answers as a server does, and fails as one is told to."""

import gzip
import json
import socket
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds.web.fhir_endpoint import (
    Faults,
    Logged,
    Store,
    create_fhir_app,
    endpoint_of,
    load_fixtures,
    serving,
)

Json = dict[str, Any]
DAY = date(2026, 3, 1)
LOINC = "http://loinc.org"
ANC = "751-8"


def observation(
    key: str, patient: str, when: str, code: str = ANC, category: str = "laboratory"
) -> Json:
    return {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "category": [{"coding": [{"code": category}]}],
        "code": {
            "coding": [{"system": "urn:local", "code": "NEU"}, {"system": LOINC, "code": code}]
        },
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": when,
    }


def medication_pair(patient: str) -> list[Json]:
    return [
        {
            "resourceType": "Medication",
            "id": f"drug-{patient}",
            "code": {"text": "clarithromycin 500 mg tablet"},
        },
        {
            "resourceType": "MedicationStatement",
            "id": f"takes-{patient}",
            "status": "completed",
            "subject": {"reference": f"Patient/{patient}"},
            "medicationReference": {"reference": f"Medication/drug-{patient}"},
            "effectivePeriod": {"start": "2026-02-10", "end": "2026-02-24"},
        },
    ]


def charts() -> Store:
    store = Store()
    for patient in ("p1", "p2"):
        born = {"birthDate": "1990-05-05", "name": [{"family": f"Invented{patient}"}]}
        store.put({"resourceType": "Patient", "id": patient} | born)
        for number in range(1, 6):
            when = f"2026-02-{number:02d}T08:00:00Z"
            store.put(observation(f"{patient}-anc-{number}", patient, when))
        store.put(observation(f"{patient}-bp", patient, "2026-02", "85354-9", "vital-signs"))
        for resource in medication_pair(patient):
            store.put(resource)
    return store


def client(**options: Any) -> FlaskClient:
    return create_fhir_app(charts(), **options).test_client()


def body(response: TestResponse, status: int = 200) -> Json:
    assert response.status_code == status, response.text
    assert response.content_type.startswith("application/fhir+json")
    found: Json = json.loads(response.data)
    return found


def ids(bundle: Json, mode: str = "match") -> list[str]:
    entries = bundle.get("entry", [])
    return [e["resource"]["id"] for e in entries if e["search"]["mode"] == mode]


def found(query: str, **options: Any) -> list[str]:
    return ids(body(client(**options).get(f"/fhir/{query}")))


def refusal(response: TestResponse, status: int) -> str:
    """The sentence of a refusal, after seeing that it is a valid OperationOutcome."""
    outcome = body(response, status)
    OperationOutcome.model_validate(outcome)
    says: str = outcome["issue"][0]["diagnostics"]
    return says


def link(bundle: Json, relation: str) -> str | None:
    return next((one["url"] for one in bundle["link"] if one["relation"] == relation), None)


# --- loading fixtures -------------------------------------------------------------------------


def write_story(
    folder: Path, entries: list[Any], *, story: str = "p1", day: str | None = '"2026-03-01"'
) -> None:
    (folder / story).mkdir(parents=True, exist_ok=True)
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": entries}
    (folder / story / "bundle.json").write_text(json.dumps(bundle), "utf-8")
    if day is not None:
        (folder / story / "story.yaml").write_text(
            f"title: An invented story\nday: {day}\n", "utf-8"
        )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    urn = "urn:uuid:6d6a2b5e-3f3c-4c52-8b5e-2a8f9a4b1c11"
    anc = observation("anc", "p1", "2026-02-27T08:00:00+01:00")
    write_story(
        tmp_path,
        [
            {
                "fullUrl": urn,
                "resource": {"resourceType": "Patient", "id": "p1", "birthDate": "1990"},
            },
            {"resource": anc | {"subject": {"reference": urn}}},
            {"resource": observation("theirs", "p9", "2026-02-27")},
            {"resource": {"resourceType": "Condition"}},
            {"resource": {"id": "no-type"}},
            "not an object",
        ],
    )
    return tmp_path


def test_a_story_loaded_today_ends_today(folder: Path) -> None:
    anc = load_fixtures(folder, date(2027, 3, 1)).read("Observation", "anc")
    assert anc is not None
    assert anc["effectiveDateTime"] == "2027-02-27T08:00:00+01:00"
    patient = load_fixtures(folder, date(2027, 3, 1)).read("Patient", "p1")
    assert patient is not None
    assert patient["birthDate"] == "1991"


def test_without_today_the_dates_stay_and_no_story_is_needed(folder: Path) -> None:
    (folder / "p1" / "story.yaml").unlink()
    anc = load_fixtures(folder, None).read("Observation", "anc")
    assert anc is not None
    assert anc["effectiveDateTime"] == "2026-02-27T08:00:00+01:00"


def test_references_to_a_full_url_lead_to_the_loaded_resource(folder: Path) -> None:
    store = load_fixtures(folder, None)
    answer = create_fhir_app(store).test_client().get("/fhir/Observation?patient=p1")
    assert ids(body(answer)) == ["anc"]


def test_an_entry_without_id_gets_one_and_one_without_type_is_left_out(folder: Path) -> None:
    store = load_fixtures(folder, None)
    assert store.types() == ["Condition", "Observation", "Patient"]
    assert store.read("Condition", "p1-4") is not None


def test_the_digits_of_a_result_are_served_as_they_were_written(tmp_path: Path) -> None:
    write_story(tmp_path, [])
    path = tmp_path / "p1" / "bundle.json"
    text = '{"resourceType": "Observation", "id": "k", "valueQuantity": {"value": 7.10}}'
    path.write_text('{"resourceType": "Bundle", "entry": [{"resource": ' + text + "}]}", "utf-8")
    answer = create_fhir_app(load_fixtures(tmp_path, None)).test_client().get("/fhir/Observation/k")
    assert b'"value":7.10' in answer.data


@pytest.mark.parametrize("day", ["2026-03-01", "'2026-03-01'"])
def test_the_day_of_a_story_may_be_quoted_or_not(tmp_path: Path, day: str) -> None:
    write_story(tmp_path, [{"resource": observation("anc", "p1", "2026-02-27")}], day=day)
    anc = load_fixtures(tmp_path, DAY + timedelta(days=1)).read("Observation", "anc")
    assert anc is not None
    assert anc["effectiveDateTime"] == "2026-02-28"


@pytest.mark.parametrize("day", [None, "soon", "[1]"])
def test_a_story_without_a_day_is_refused_by_name(tmp_path: Path, day: str | None) -> None:
    write_story(tmp_path, [], day=day)
    with pytest.raises(ValueError, match=r"story\.yaml"):
        load_fixtures(tmp_path, DAY)


def test_two_resources_of_one_id_are_refused(tmp_path: Path) -> None:
    for story in ("a", "b"):
        write_story(tmp_path, [{"resource": observation("same", story, "2026-02-01")}], story=story)
    with pytest.raises(ValueError, match="Observation/same is there twice"):
        load_fixtures(tmp_path, None)


@pytest.mark.parametrize("text", ["{", "[]", '{"resourceType": "Patient"}'])
def test_a_file_that_is_no_bundle_is_refused_by_name(tmp_path: Path, text: str) -> None:
    write_story(tmp_path, [])
    (tmp_path / "p1" / "bundle.json").write_text(text, "utf-8")
    with pytest.raises(ValueError, match=r"bundle\.json"):
        load_fixtures(tmp_path, None)


def test_a_folder_without_stories_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="There is no"):
        load_fixtures(tmp_path, None)


# --- reading and searching --------------------------------------------------------------------


def test_a_resource_is_read_by_type_and_id() -> None:
    assert body(client().get("/fhir/Patient/p1"))["birthDate"] == "1990-05-05"


@pytest.mark.parametrize(
    "path", ["Patient/nobody", "Patient/p1/extra/parts", "Imagination", "Patient/p1/_history"]
)
def test_what_is_not_there_is_404(path: str) -> None:
    refusal(client().get(f"/fhir/{path}"), 404)


@pytest.mark.parametrize(
    "query",
    ["patient=p1", "patient=Patient/p1", "subject=p1", "subject=Patient/p1", "subject:Patient=p1",
     "patient=http://localhost/fhir/Patient/p1", "patient=Patient/p1/_history/3"],
)  # fmt: skip
def test_a_patient_is_named_in_every_form(query: str) -> None:
    assert found(f"MedicationStatement?{query}") == ["takes-p1"]


@pytest.mark.parametrize(
    "reference", ["Patient/p7/_history/2", "https://ehr.example/r4/Patient/p7"]
)
def test_an_entry_may_name_its_patient_in_every_form(reference: str) -> None:
    store = charts()
    store.put(observation("o7", "p7", "2026-02-01") | {"subject": {"reference": reference}})
    answer = create_fhir_app(store).test_client().get("/fhir/Observation?patient=p7")
    assert ids(body(answer)) == ["o7"]


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("85354-9", ["p1-bp"]),
        (f"{LOINC}|85354-9", ["p1-bp"]),
        (f"{LOINC}%7C85354-9", ["p1-bp"]),
        (f"8480-6,{LOINC}|85354-9", ["p1-bp"]),
        ("urn:other|85354-9", []),
        ("|85354-9", []),
        ("8480-6", []),
    ],
)
def test_codes_are_found_by_system_and_code(code: str, expected: list[str]) -> None:
    assert found(f"Observation?patient=p1&code={code}") == expected


def test_a_system_alone_finds_every_code_of_it() -> None:
    assert len(found(f"Observation?patient=p1&code={LOINC}|")) == 6


def test_a_code_with_a_comma_can_be_escaped() -> None:
    store = charts()
    store.put(observation("odd", "p1", "2026-02-01", "a,b"))
    answer = create_fhir_app(store).test_client().get(r"/fhir/Observation?code=a\,b")
    assert ids(body(answer)) == ["odd"]


def test_category_and_status_filter() -> None:
    assert found("Observation?patient=p1&category=vital-signs") == ["p1-bp"]
    assert len(found("Observation?patient=p1&category=vital-signs,laboratory")) == 6
    assert len(found("Observation?patient=p1&status=final,amended")) == 6
    assert found("Observation?patient=p1&status=amended") == []


@pytest.mark.parametrize(
    ("dates", "numbers"),
    [
        ("date=2026-02-03", [3]),
        ("date=eq2026-02-03", [3]),
        ("date=ge2026-02-04", [4, 5]),
        ("date=gt2026-02-04", [5]),
        ("date=le2026-02-02", [1, 2]),
        ("date=lt2026-02-02", [1]),
        ("date=ge2026-02-02&date=le2026-02-03", [2, 3]),
        ("date=ge2026-02-03T08:00:00Z&date=lt2026-02-04T08:00:00Z", [3]),
        ("date=2026-02-01,2026-02-05", [1, 5]),
        ("date=ne2026-02-03", [1, 2, 4, 5]),
        ("date=sa2026-02-04", [5]),
        ("date=eb2026-02-02", [1]),
        ("date=2026-02", [1, 2, 3, 4, 5]),
        ("date=2025", []),
    ],
)
def test_dates_are_compared_by_their_prefix(dates: str, numbers: list[int]) -> None:
    expected = [f"p1-anc-{number}" for number in numbers]
    assert found(f"Observation?patient=p1&code={ANC}&{dates}") == expected


@pytest.mark.parametrize(
    ("dates", "kept"),
    [
        ("ge2026-02-15", True),
        ("le2026-02-15", True),
        ("2026-02-15", False),
        ("ge2026-03-01", False),
    ],
)
def test_a_month_without_day_is_a_range(dates: str, *, kept: bool) -> None:
    assert bool(found(f"Observation?patient=p1&code=85354-9&date={dates}")) is kept


def test_a_period_without_end_goes_on() -> None:
    store = charts()
    running = medication_pair("p3")[1] | {"effectivePeriod": {"start": "2026-01-01"}}
    store.put(running)
    fhir = create_fhir_app(store).test_client()
    after = body(fhir.get("/fhir/MedicationStatement?effective=ge2026-02-25"))
    assert ids(after) == ["takes-p3"]


def test_a_subject_need_not_be_a_patient() -> None:
    store = charts()
    store.put(observation("herd", "p1", "2026-02-01") | {"subject": {"reference": "Group/p1"}})
    fhir = create_fhir_app(store).test_client()
    assert ids(body(fhir.get("/fhir/Observation?subject=Group/p1"))) == ["herd"]
    assert "herd" not in ids(body(fhir.get("/fhir/Observation?subject=p1")))


def test_what_has_no_date_is_found_by_none() -> None:
    store = Store()
    undated = observation("o", "p1", "")
    del undated["effectiveDateTime"]
    store.put(undated)
    fhir = create_fhir_app(store).test_client()
    assert ids(body(fhir.get("/fhir/Observation?date=ge1900"))) == []


def test_ids_are_searched() -> None:
    assert found("Patient?_id=p2,p1,nobody") == ["p1", "p2"]
    assert found("Patient?family=inventedp2") == ["p2"]
    assert found("Patient?birthdate=1990-05-05&_id=p1") == ["p1"]


def test_post_search_answers_as_get_does() -> None:
    form = {"patient": "p1", "code": f"{LOINC}|85354-9"}
    answer = client().post("/fhir/Observation/_search", data=form)
    assert ids(body(answer)) == ["p1-bp"]
    assert link(body(answer), "self") == (
        "http://localhost/fhir/Observation?patient=p1&code=http%3A%2F%2Floinc.org%7C85354-9"
    )
    refusal(client().post("/fhir/Observation/_search", json=form), 415)


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("Observation?patient=p1&colour=red", "no search parameter 'colour'"),
        ("MedicationRequest?date=2026", "no search parameter 'date'"),
        ("Observation?patient.name=x", "no search parameter"),
        ("Observation?code:text=anc", "modifier of 'code:text' is not supported"),
        ("Observation?patient=p1&date=yesterday", "'date' holds no date"),
        ("Observation?date=2026-02-30", "'date' holds no date"),
        ("Observation?patient=nobody&date=>2026-01-01", "'date' holds no date"),
        ("Observation?_count=many", "'_count' must be a whole number"),
        ("Observation?_count=-1", "'_count' must be a whole number"),
        ("Observation?code=", "'code' is empty"),
        ("Observation?_include=code", "'_include' must name a reference"),
        ("Observation?_sort=code", "'_sort' on Observation"),
        ("Observation?_format=xml", "JSON only"),
    ],
)
def test_a_search_that_cannot_be_understood_is_400_and_says_why(query: str, says: str) -> None:
    assert says in refusal(client().get(f"/fhir/{query}"), 400)


def test_no_refusal_repeats_what_may_name_a_patient() -> None:
    answer = client().get("/fhir/Observation?patient=secret-id&date=secret-date")
    assert "secret" not in refusal(answer, 400)


def test_results_are_sorted_by_date_on_request() -> None:
    newest = found(f"Observation?patient=p1&code={ANC}&_sort=-date")
    assert newest == [f"p1-anc-{number}" for number in (5, 4, 3, 2, 1)]
    assert found(f"Observation?patient=p1&code={ANC}&_sort=date") == newest[::-1]


# --- searchsets and pages ---------------------------------------------------------------------


def walk(fhir: FlaskClient, url: str) -> list[Json]:
    """All pages of a search."""
    pages, following = [], link(first := body(fhir.get(url)), "next")
    pages.append(first)
    while following:
        pages.append(body(fhir.get(following)))
        following = link(pages[-1], "next")
    return pages


@pytest.mark.parametrize(("size", "count"), [(1, 6), (2, 3), (4, 2), (6, 1), (200, 1)])
def test_pages_together_hold_each_match_once_in_order(size: int, count: int) -> None:
    fhir = client(page_size=size)
    whole = found("Observation?patient=p1")
    pages = walk(fhir, "/fhir/Observation?patient=p1")
    assert len(pages) == count
    assert [key for page in pages for key in ids(page)] == whole
    assert {page["total"] for page in pages} == {len(whole)}
    for page in pages:
        Bundle.model_validate(page)


def test_next_links_say_nothing_of_the_patient() -> None:
    following = link(body(client().get("/fhir/Observation?patient=p1&_count=1")), "next")
    assert following is not None
    assert following.startswith("http://localhost/fhir?_getpages=")
    assert "p1" not in following.split("=")[0]


def test_count_is_capped() -> None:
    page = body(client(max_count=2).get("/fhir/Observation?patient=p1&_count=1000"))
    assert len(page["entry"]) == 2


def test_count_zero_asks_for_the_total_alone() -> None:
    page = body(client().get("/fhir/Observation?patient=p1&_count=0"))
    assert (page["total"], "entry" in page, link(page, "next")) == (6, False, None)


def test_a_page_that_was_never_offered_is_gone() -> None:
    refusal(client().get("/fhir?_getpages=made-up"), 410)


def test_every_entry_has_its_address_and_mode() -> None:
    entry = body(client().get("/fhir/Patient?_id=p1"))["entry"][0]
    assert entry["fullUrl"] == "http://localhost/fhir/Patient/p1"
    assert entry["search"] == {"mode": "match"}


def test_medications_are_included_on_request_and_not_counted() -> None:
    query = "MedicationStatement?patient=p1&_include=MedicationStatement:medication"
    page = body(client().get(f"/fhir/{query}"))
    assert (ids(page), ids(page, "include"), page["total"]) == (["takes-p1"], ["drug-p1"], 1)
    assert ids(body(client().get("/fhir/MedicationStatement?patient=p1")), "include") == []


def test_each_page_includes_what_its_own_matches_name() -> None:
    query = "MedicationStatement?_include=MedicationStatement:medication:Medication&_count=1"
    pages = walk(client(), f"/fhir/{query}")
    assert [ids(page, "include") for page in pages] == [["drug-p1"], ["drug-p2"]]


# --- metadata, batch, writing, who may call -----------------------------------------------------


@pytest.mark.parametrize("version", ["4.0.1", "3.0.2", "1.0.2"])
def test_metadata_says_what_can_be_searched(version: str) -> None:
    statement = body(client(faults=Faults(fhir_version=version)).get("/fhir/metadata"))
    CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == version
    types = {one["type"]: one for one in statement["rest"][0]["resource"]}
    assert {"name": "date", "type": "date"} in types["Observation"]["searchParam"]
    assert "MedicationRequest:medication" in types["MedicationRequest"]["searchInclude"]


def batch(*urls: str) -> Json:
    entries = [{"request": {"method": "GET", "url": url}} for url in urls]
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}


def test_a_batch_answers_each_request_on_its_own() -> None:
    fhir = client(faults=Faults(forbidden_types=frozenset({"Condition"})))
    asked = batch(
        "Patient/p1", "/Observation?patient=p1&_count=2", "Condition?patient=p1", "Patient/x"
    )
    answer = body(fhir.post("/fhir", json=asked))
    Bundle.model_validate(answer)
    assert answer["type"] == "batch-response"
    statuses = [entry["response"]["status"] for entry in answer["entry"]]
    assert statuses == ["200 OK", "200 OK", "403 Forbidden", "404 Not Found"]
    assert answer["entry"][0]["resource"]["id"] == "p1"
    assert answer["entry"][1]["resource"]["total"] == 6
    assert link(answer["entry"][1]["resource"], "next")
    assert answer["entry"][2]["response"]["outcome"]["resourceType"] == "OperationOutcome"


@pytest.mark.parametrize(
    "asked",
    [
        [],
        {"resourceType": "Patient"},
        {"resourceType": "Bundle", "type": "transaction"},
        {"resourceType": "Bundle", "type": "batch", "entry": {}},
    ],
)
def test_what_is_no_batch_is_400(asked: object) -> None:
    refusal(client().post("/fhir/", json=asked), 400)


def test_an_unusable_batch_entry_fails_alone() -> None:
    asked = batch("Patient/p1", "", "?_getpages=x")
    asked["entry"].append("nonsense")
    answer = body(client().post("/fhir", json=asked))
    statuses = [entry["response"]["status"] for entry in answer["entry"]]
    assert statuses == ["200 OK", *["400 Bad Request"] * 3]


def test_a_writable_server_takes_a_new_and_a_changed_resource() -> None:
    fhir = client(writable=True)
    created = fhir.post("/fhir/Observation", json=observation("mine", "p1", "2026-02-28"))
    key = body(created, 201)["id"]
    assert created.headers["Location"] == f"http://localhost/fhir/Observation/{key}"
    assert key in ids(body(fhir.get("/fhir/Observation?patient=p1&date=2026-02-28")))
    stopped = medication_pair("p1")[1] | {"status": "stopped"}
    assert fhir.put("/fhir/MedicationStatement/takes-p1", json=stopped).status_code == 200
    assert ids(body(fhir.get("/fhir/MedicationStatement?status=stopped"))) == ["takes-p1"]
    assert (
        fhir.put("/fhir/Observation/new", json=observation("new", "p1", "2026")).status_code == 201
    )


def test_a_read_only_server_takes_nothing() -> None:
    fhir = client()
    refusal(fhir.post("/fhir/Observation", json=observation("o", "p1", "2026")), 405)
    refusal(fhir.put("/fhir/Patient/p1", json={"resourceType": "Patient", "id": "p1"}), 405)
    refusal(fhir.delete("/fhir/Patient/p1"), 405)
    assert body(fhir.get("/fhir/Patient/p1"))["birthDate"] == "1990-05-05"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"{", 400),
        (b"[]", 400),
        (b'{"resourceType":"Patient","id":"o"}', 400),
        (b'{"resourceType":"Observation","id":"other"}', 400),
    ],
)
def test_a_body_that_is_not_the_resource_is_400(sent: bytes, status: int) -> None:
    answer = client(writable=True).put(
        "/fhir/Observation/o", data=sent, content_type="application/json"
    )
    refusal(answer, status)
    wrong = client(writable=True).put("/fhir/Observation/o", data=sent, content_type="text/xml")
    refusal(wrong, 415)


def test_a_token_is_asked_for_everywhere_but_at_metadata() -> None:
    fhir = client(token="right-token")
    for sent in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic right-token"}):
        answer = fhir.get("/fhir/Patient/p1", headers=sent)
        refusal(answer, 401)
        assert answer.headers["WWW-Authenticate"] == "Bearer"
    good = {"Authorization": "Bearer right-token"}
    assert fhir.get("/fhir/Patient/p1", headers=good).status_code == 200
    assert fhir.get("/fhir/metadata").status_code == 200


def test_a_browser_may_call_from_anywhere() -> None:
    fhir = client(token="right-token")
    preflight = fhir.options("/fhir/Observation", headers={"Origin": "http://localhost:9"})
    assert preflight.status_code == 204
    assert "Authorization" in preflight.headers["Access-Control-Allow-Headers"]
    assert "GET" in preflight.headers["Access-Control-Allow-Methods"]
    for answer in (preflight, fhir.get("/fhir/Patient/p1"), fhir.get("/elsewhere")):
        assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_the_log_shows_each_request_and_whether_a_token_came_but_not_the_token() -> None:
    log: list[Logged] = []
    fhir = client(request_log=log)
    fhir.get("/fhir/Observation?patient=p1", headers={"Authorization": "Bearer t0p"})
    fhir.get("/fhir/Patient/p1")
    assert log == [
        ("GET", "/fhir/Observation", "patient=p1", True),
        ("GET", "/fhir/Patient/p1", "", False),
    ]
    assert "t0p" not in repr(log)


@pytest.mark.parametrize("base_path", ["/", "/r4/deep"])
def test_the_base_may_be_anywhere(base_path: str) -> None:
    fhir = client(base_path=base_path)
    base = base_path.rstrip("/")
    page = body(fhir.get(f"{base}/Observation?patient=p1&_count=1"))
    following = link(page, "next")
    assert following is not None
    assert following.startswith(f"http://localhost{base}?_getpages=")
    assert ids(body(fhir.get(following))) == ["p1-anc-2"]


# --- faults -----------------------------------------------------------------------------------


def test_a_slow_type_alone_is_slow() -> None:
    fhir = client(faults=Faults(slow_types={"Observation": 0.2}))
    began = time.monotonic()
    fhir.get("/fhir/Patient/p1")
    middle = time.monotonic()
    fhir.get("/fhir/Observation?patient=p1")
    assert middle - began < 0.2 <= time.monotonic() - middle


def test_a_slow_server_is_slow_everywhere() -> None:
    fhir = client(faults=Faults(slow=0.1))
    began = time.monotonic()
    assert fhir.get("/fhir/Patient/p1").status_code == 200
    assert time.monotonic() - began >= 0.1


def test_a_type_or_category_may_be_forbidden() -> None:
    fhir = client(
        faults=Faults(
            forbidden_types=frozenset({"Condition"}), forbidden_categories=frozenset({"laboratory"})
        )
    )
    refusal(fhir.get("/fhir/Condition?patient=p1"), 403)
    refusal(fhir.get("/fhir/Condition/c1"), 403)
    refusal(fhir.get("/fhir/Observation?patient=p1&category=laboratory"), 403)
    refusal(fhir.get("/fhir/Observation?patient=p1&category=urn:x|laboratory"), 403)
    refusal(fhir.get("/fhir/Observation?patient=p1"), 403)
    refusal(fhir.get("/fhir/Observation/p1-anc-1"), 403)
    assert ids(body(fhir.get("/fhir/Observation?patient=p1&category=vital-signs"))) == ["p1-bp"]
    assert fhir.get("/fhir/Observation/p1-bp").status_code == 200


def test_a_server_may_insist_on_a_category() -> None:
    fhir = client(faults=Faults(needs_category=True))
    refusal(fhir.get("/fhir/Observation?patient=p1"), 400)
    assert fhir.get("/fhir/Observation?patient=p1&category=laboratory").status_code == 200


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_recovers_after_some_requests(status: Any) -> None:
    fhir = client(faults=Faults(busy=status, busy_first=2, retry_after=3))
    for _ in range(2):
        answer = fhir.get("/fhir/Patient/p1")
        refusal(answer, status)
        assert answer.headers["Retry-After"] == "3"
    assert fhir.get("/fhir/Patient/p1").status_code == 200


def test_a_busy_server_may_never_recover_nor_say_when() -> None:
    fhir = client(faults=Faults(busy=503, retry_after=None))
    answers = [fhir.get("/fhir/Patient/p1") for _ in range(5)]
    assert {answer.status_code for answer in answers} == {503}
    assert "Retry-After" not in answers[0].headers


def test_faults_can_be_limited_to_types() -> None:
    fhir = client(faults=Faults(only=frozenset({"Observation"}), dead="error", no_total=True))
    refusal(fhir.get("/fhir/Observation?patient=p1"), 500)
    assert body(fhir.get("/fhir/Patient?_id=p1"))["total"] == 1


def test_limited_faults_hold_for_the_later_pages_too() -> None:
    app = create_fhir_app(charts())
    fhir = app.test_client()
    following = link(body(fhir.get("/fhir/Observation?patient=p1&_count=2")), "next")
    assert following is not None
    endpoint_of(app).faults = Faults(only=frozenset({"Observation"}), dead="error")
    refusal(fhir.get(following), 500)


def test_faults_can_change_while_it_serves_and_busy_counts_anew() -> None:
    app = create_fhir_app(charts(), faults=Faults(busy=503, busy_first=1))
    fhir = app.test_client()
    statuses = [fhir.get("/fhir/Patient/p1").status_code for _ in range(2)]
    endpoint_of(app).faults = Faults(busy=429, busy_first=1)
    statuses += [fhir.get("/fhir/Patient/p1").status_code for _ in range(2)]
    assert statuses == [503, 200, 429, 200]


def test_the_total_may_be_missing_or_too_high() -> None:
    assert "total" not in body(client(faults=Faults(no_total=True)).get("/fhir/Patient"))
    assert body(client(faults=Faults(extra_total=3)).get("/fhir/Patient"))["total"] == 5


def test_broken_entries_stand_among_sound_ones() -> None:
    page = body(client(faults=Faults(broken_entries=True)).get("/fhir/Observation?patient=p1"))
    assert page["total"] == len(page["entry"]) == 10
    resources = [e["resource"] for e in page["entry"] if isinstance(e, dict) and "resource" in e]
    assert len(resources) == 8
    assert [one["id"] for one in resources if one["resourceType"] == "Imagination"]
    assert "not an object" in page["entry"]
    broken = next(one for one in resources if one["id"] == "wrong-types")
    with pytest.raises(ValueError, match="validation error"):
        Observation.model_validate(broken)


def test_another_patients_entries_may_be_mixed_in() -> None:
    page = body(client(faults=Faults(other_patient=True)).get("/fhir/Observation?patient=p1"))
    subjects = [entry["resource"]["subject"]["reference"] for entry in page["entry"]]
    assert subjects.count("Patient/p1") == 6
    assert subjects.count("Patient/p2") == 3


def test_where_there_is_no_other_patient_one_is_invented() -> None:
    store = Store()
    store.put(observation("only", "p1", "2026-02-01"))
    fhir = create_fhir_app(store, faults=Faults(other_patient=True)).test_client()
    page = body(fhir.get("/fhir/Observation?patient=p1"))
    assert ids(page) == ["only", "only-elsewhere"]
    assert page["entry"][1]["resource"]["subject"]["reference"] == "Patient/somebody-else"


def test_what_a_file_held_of_others_may_be_served_with_it(folder: Path) -> None:
    store = load_fixtures(folder, None)
    honest = create_fhir_app(store).test_client()
    leaky = create_fhir_app(store, faults=Faults(strays=True)).test_client()
    assert ids(body(honest.get("/fhir/Observation?patient=p1"))) == ["anc"]
    assert ids(body(leaky.get("/fhir/Observation?patient=p1"))) == ["anc", "theirs"]
    assert ids(body(leaky.get("/fhir/Condition?patient=p1"))) == ["p1-4"]


def test_an_error_may_stand_among_the_entries() -> None:
    page = body(client(faults=Faults(error_entry=True)).get("/fhir/Observation?patient=p1"))
    last = page["entry"][-1]
    assert (last["search"]["mode"], last["resource"]["issue"][0]["severity"]) == (
        "outcome",
        "error",
    )
    assert page["total"] == 6


def test_an_empty_search_may_carry_a_warning() -> None:
    fhir = client(faults=Faults(empty_warning=True))
    page = body(fhir.get("/fhir/Condition?patient=p1"))
    assert page["total"] == 0
    assert page["entry"][0]["resource"]["issue"][0]["severity"] == "warning"
    assert page["entry"][0]["resource"]["issue"][0]["details"]["coding"][0]["code"] == "4101"
    full = body(fhir.get("/fhir/Observation?patient=p1"))
    assert all(entry["search"]["mode"] == "match" for entry in full["entry"])


def test_the_next_link_may_lead_to_another_host() -> None:
    fhir = client(faults=Faults(foreign_next="http://evil.example/fhir/"))
    following = link(body(fhir.get("/fhir/Observation?patient=p1")), "next")
    assert following is not None
    assert following.startswith("http://evil.example/fhir?_getpages=")


def test_the_server_may_know_itself_by_another_name() -> None:
    fhir = client(faults=Faults(alias="https://ehr.example/r4"))
    page = body(fhir.get("/fhir/Observation?patient=p1&_count=2"))
    assert page["entry"][0]["fullUrl"] == "https://ehr.example/r4/Observation/p1-anc-1"
    following = link(page, "next")
    assert following is not None
    assert following.startswith("https://ehr.example/r4?_getpages=")
    token = following.split("=")[1]
    assert ids(body(fhir.get(f"/fhir?_getpages={token}"))) == ["p1-anc-3", "p1-anc-4"]


def test_a_looping_link_leads_to_the_same_page_for_ever() -> None:
    fhir = client(faults=Faults(looping_next=True))
    first = link(body(fhir.get("/fhir/Observation?patient=p1&_count=2")), "next")
    assert first is not None
    again = body(fhir.get(first))
    assert ids(again) == ["p1-anc-1", "p1-anc-2"]
    assert link(again, "next") == first


def test_an_endless_search_always_has_a_new_link() -> None:
    fhir = client(faults=Faults(endless=True))
    seen, following = set(), link(body(fhir.get("/fhir/Patient?_id=p1")), "next")
    for _ in range(50):
        assert following is not None
        seen.add(following)
        following = link(body(fhir.get(following)), "next")
    assert len(seen) == 50


def test_include_may_be_ignored_or_refused() -> None:
    query = "/fhir/MedicationStatement?patient=p1&_include=MedicationStatement:medication"
    ignored = client(faults=Faults(include="ignored"))
    assert len(body(ignored.get(query))["entry"]) == 1
    refused = client(faults=Faults(include="refused"))
    refusal(refused.get(query), 400)
    metadata = body(refused.get("/fhir/metadata"))
    assert "searchInclude" not in json.dumps(metadata)


def test_batches_may_be_unsupported() -> None:
    fhir = client(faults=Faults(no_batch=True))
    refusal(fhir.post("/fhir", json=batch("Patient/p1")), 405)
    assert "interaction" not in body(fhir.get("/fhir/metadata"))["rest"][0]


def test_a_redirect_keeps_path_and_query() -> None:
    fhir = client(faults=Faults(redirect_to="http://evil.example"))
    answer = fhir.get("/fhir/Observation?patient=p1")
    assert answer.status_code == 302
    assert answer.headers["Location"] == "http://evil.example/fhir/Observation?patient=p1"


def test_a_login_page_may_come_in_place_of_fhir() -> None:
    answer = client(faults=Faults(html=True)).get("/fhir/Patient/p1")
    assert (answer.status_code, answer.mimetype) == (200, "text/html")


def test_a_body_may_break_off() -> None:
    answer = client(faults=Faults(cut_body=True)).get("/fhir/Patient/p1")
    with pytest.raises(json.JSONDecodeError):
        json.loads(answer.data)


def test_a_body_may_be_huge_or_unpack_to_be() -> None:
    size = 50_000_000
    huge = client(faults=Faults(huge_body=size)).get("/fhir/Observation?patient=p1")
    assert len(huge.data) == size
    assert json.loads(huge.data)["type"] == "searchset"
    bomb = client(faults=Faults(gzip_bomb=size)).get("/fhir/Observation?patient=p1")
    assert len(bomb.data) < size / 500
    assert len(gzip.decompress(bomb.data)) > 0.95 * size


def test_every_token_may_be_refused() -> None:
    fhir = client(token="t", faults=Faults(unauthorized=True))
    refusal(fhir.get("/fhir/Patient/p1", headers={"Authorization": "Bearer t"}), 401)


# --- as a server ------------------------------------------------------------------------------


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as one:
        one.trust_env = False
        yield one


def test_it_serves_over_http_and_ends(session: requests.Session) -> None:
    with serving(create_fhir_app(charts(), page_size=4)) as base:
        first = session.get(f"{base}/Observation", params={"patient": "p1"}, timeout=5).json()
        following = link(first, "next")
        assert following is not None
        assert following.startswith(f"{base}?_getpages=")
        assert ids(session.get(following, timeout=5).json()) == ["p1-anc-5", "p1-bp"]
        port = int(base.split(":")[2].split("/")[0])
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port), timeout=1)


def test_a_dead_server_closes_the_connection(session: requests.Session) -> None:
    app = create_fhir_app(charts(), faults=Faults(dead="closed"))
    with serving(app) as base:
        with pytest.raises(requests.ConnectionError):
            session.get(f"{base}/Patient/p1", timeout=5)
        endpoint_of(app).faults = Faults()
        assert session.get(f"{base}/Patient/p1", timeout=5).status_code == 200


def test_the_huge_body_may_be_left_half_read(session: requests.Session) -> None:
    with (
        serving(create_fhir_app(charts(), faults=Faults(huge_body=50_000_000))) as base,
        session.get(f"{base}/Observation", stream=True, timeout=5) as answer,
    ):
        assert len(answer.raw.read(1000)) == 1000


def test_a_token_sent_after_a_foreign_link_shows_in_that_hosts_log(
    session: requests.Session,
) -> None:
    log: list[Logged] = []
    with serving(create_fhir_app(Store(), request_log=log)) as evil:
        app = create_fhir_app(charts(), faults=Faults(foreign_next=evil))
        with serving(app) as base:
            page = session.get(f"{base}/Observation", timeout=5).json()
        following = link(page, "next")
        assert following is not None
        session.get(following, headers={"Authorization": "Bearer t"}, timeout=5)
    assert [(one.path, one.had_authorization) for one in log] == [("/fhir", True)]


def test_many_may_search_while_one_writes() -> None:
    app = create_fhir_app(charts(), writable=True)

    def look(_: int) -> int:
        return len(body(app.test_client().get("/fhir/Observation?patient=p1&_count=200"))["entry"])

    def write(number: int) -> int:
        new = observation(f"new-{number}", "p1", "2026-02-20")
        return app.test_client().put(f"/fhir/Observation/new-{number}", json=new).status_code

    with ThreadPoolExecutor(4) as pool:
        looked, wrote = pool.map(look, range(40)), pool.map(write, range(40))
        assert set(wrote) == {201}
        assert all(6 <= number <= 46 for number in looked)
    assert look(0) == 46
