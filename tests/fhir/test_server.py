"""Fetching from a FHIR server: complete, in part, or not at all, and saying which."""

import json
import logging
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest
from flask import Flask

from cds.core.facts import Retrieval
from cds.fhir.faults import Why
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.search import CATEGORIES, Fetched, Search, reads_of, searches
from cds.fhir.server import FhirServers, fetch_missing
from cds.web.fhir_endpoint import Faults, Logged, Store, create_fhir_app, endpoint_of, serving

Json = dict[str, Any]
COMPLETE, CUT_OFF = Retrieval.COMPLETE, Retrieval.CUT_OFF
NOT_RETRIEVED, NOT_KEPT = Retrieval.NOT_RETRIEVED, Retrieval.NOT_KEPT
TOKEN = "token-of-this-chart"  # noqa: S105 - opens nothing
EVERYTHING = searches(
    {"Patient", "Condition", "Observation", "MedicationRequest", "MedicationStatement", "Procedure"}
)
LABS = searches({"Observation:laboratory"})


def observation(key: str, patient: str, category: str = "laboratory") -> Json:
    return {
        "resourceType": "Observation",
        "id": key,
        "status": "final",
        "category": [{"coding": [{"code": category}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
        "subject": {"reference": f"Patient/{patient}"},
        "effectiveDateTime": "2026-02-10",
    }


def statement(key: str, patient: str, medication: str) -> Json:
    return {
        "resourceType": "MedicationStatement",
        "id": key,
        "status": "completed",
        "subject": {"reference": f"Patient/{patient}"},
        "medicationReference": {"reference": medication},
    }


def condition(key: str, patient: str) -> Json:
    subject = {"reference": f"Patient/{patient}"}
    return {"resourceType": "Condition", "id": key, "code": {"text": "c"}, "subject": subject}


def charts() -> Store:
    store = Store()
    for patient in ("p1", "p2"):
        store.put({"resourceType": "Patient", "id": patient, "birthDate": "1990-05-05"})
        store.put(condition(f"c-{patient}", patient))
        for number in range(25):
            store.put(observation(f"lab-{patient}-{number}", patient))
        for number in range(3):
            store.put(observation(f"vital-{patient}-{number}", patient, "vital-signs"))
        store.put({"resourceType": "Medication", "id": f"drug-{patient}", "code": {"text": "d"}})
        store.put(statement(f"takes-{patient}", patient, f"Medication/drug-{patient}"))
    return store


class Server:
    """A running endpoint over two charts, its log, and the way we fetch from it."""

    def __init__(self, stack: ExitStack, **how: Any) -> None:
        self.log: list[Logged] = []
        self.app = create_fhir_app(charts(), request_log=self.log, **how)
        self.base = stack.enter_context(serving(self.app))

    def servers(self, *, alias: str | None = None, pause: float = 30, **limits: int) -> FhirServers:
        """What a process would hold that may call this server."""
        return FhirServers([(self.base, alias)], limits=Limits(**limits), pause=pause)

    def fetch(
        self,
        wanted: list[Search],
        *,
        servers: FhirServers | None = None,
        seconds: float = 10,
        token: str | None = None,
    ) -> dict[str, Fetched]:
        """One hook call for patient p1; the answers by what they cover."""
        servers = servers or self.servers()
        deadline = Deadline.after(seconds)
        came = fetch_missing(servers, self.base, token, "p1", wanted, deadline)
        return {one.covers: one for one in came}

    def queries(self, of: str) -> list[str]:
        """The query of every request that reached this type."""
        return [one.query for one in self.log if one.path.endswith(f"/{of}")]


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def ids(fetched: Fetched) -> list[str]:
    """The ids of all entries of the searched type."""
    entries = [e for body in fetched.bodies for e in json.loads(body).get("entry", [])]
    resources = [entry["resource"] for entry in entries if "resource" in entry]
    wanted = fetched.search.resource_type
    return [one["id"] for one in resources if one["resourceType"] == wanted]


def test_a_whole_chart_is_fetched_and_says_that_it_is_complete(stack: ExitStack) -> None:
    server = Server(stack, token=TOKEN)
    came = server.fetch(EVERYTHING, token=TOKEN)
    assert {key: one.state for key, one in came.items()} == {
        "Patient": COMPLETE,
        "Condition": COMPLETE,
        "Observation": COMPLETE,
        "MedicationRequest": COMPLETE,
        "MedicationStatement": COMPLETE,
        "Procedure": COMPLETE,
    }
    assert json.loads(came["Patient"].bodies[0])["id"] == "p1"
    assert len(ids(came["Observation"])) == 28
    assert ids(came["Procedure"]) == []


def test_answers_come_in_the_order_in_which_they_were_asked(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(slow_types={"Patient": 0.2}))
    came = fetch_missing(server.servers(), server.base, None, "p1", EVERYTHING, Deadline.after(10))
    assert [one.search for one in came] == EVERYTHING
    assert [one.covers for one in came][:2] == ["Patient", "Condition"]


@pytest.mark.parametrize("size", [1, 7, 200])
def test_every_page_is_followed_whatever_its_size(stack: ExitStack, size: int) -> None:
    server = Server(stack, max_count=size)
    labs = server.fetch(LABS)["Observation:laboratory"]
    assert labs.state is COMPLETE
    assert len(set(ids(labs))) == 25
    assert len(labs.bodies) == -(-25 // size)


def test_a_server_without_totals_is_still_complete(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(no_total=True), max_count=10)
    assert server.fetch(LABS)["Observation:laboratory"].state is COMPLETE


def test_a_total_above_what_came_is_incomplete(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(extra_total=3))
    labs = server.fetch(LABS)["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.TRUNCATED)


def test_more_pages_than_allowed_is_incomplete_but_keeps_what_came(stack: ExitStack) -> None:
    server = Server(stack, max_count=5)
    labs = server.fetch(LABS, servers=server.servers(max_pages=3))["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.TOO_MANY_PAGES)
    assert len(ids(labs)) == 15
    assert len(server.log) == 3


def test_endless_pages_end_at_the_cap(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(endless=True))
    labs = server.fetch(LABS, servers=server.servers(max_pages=4))["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.TOO_MANY_PAGES)
    assert len(server.log) == 4


def test_pages_that_lead_in_a_circle_are_followed_once(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(looping_next=True), max_count=5)
    labs = server.fetch(LABS)["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.LOOP)
    assert len(server.log) <= 2


def test_requests_of_one_call_are_counted_and_bounded(stack: ExitStack) -> None:
    server = Server(stack, max_count=1)
    came = server.fetch(EVERYTHING, servers=server.servers(max_requests=12))
    assert len(server.log) == 12
    assert came["Observation"].why is Why.TOO_MANY_REQUESTS


def test_a_next_link_to_another_host_is_never_followed_and_the_token_stays(
    stack: ExitStack,
) -> None:
    other = Server(stack)
    server = Server(stack, faults=Faults(foreign_next=other.base), token=TOKEN, max_count=5)
    servers = FhirServers([(server.base, None), (other.base, None)])  # even a listed one
    labs = server.fetch(LABS, servers=servers, token=TOKEN)["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.OUTSIDE)
    assert len(ids(labs)) == 5
    assert other.log == []


def test_a_redirect_is_not_followed(stack: ExitStack) -> None:
    other = Server(stack)
    elsewhere = other.base.removesuffix("/fhir")
    server = Server(stack, faults=Faults(redirect_to=elsewhere), token=TOKEN)
    came = server.fetch(EVERYTHING, token=TOKEN)
    assert {(one.state, one.why) for one in came.values()} == {(NOT_RETRIEVED, Why.REDIRECT)}
    assert other.log == []


def test_links_by_an_alias_are_followed_at_the_real_address(stack: ExitStack) -> None:
    alias = "http://hapi.inside.example:8080/fhir"
    server = Server(stack, faults=Faults(alias=alias), max_count=10)
    labs = server.fetch(LABS, servers=server.servers(alias=alias))["Observation:laboratory"]
    assert labs.state is COMPLETE
    assert len(server.log) == 3


def test_links_by_an_alias_that_is_not_configured_are_refused(stack: ExitStack) -> None:
    alias = "http://hapi.inside.example:8080/fhir"
    server = Server(stack, faults=Faults(alias=alias), max_count=10)
    labs = server.fetch(LABS)["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.OUTSIDE)


def test_a_client_may_name_the_server_by_its_alias(stack: ExitStack) -> None:
    server = Server(stack)
    alias = "https://hapi.example/fhir"
    came = fetch_missing(
        server.servers(alias=alias), f"{alias}/", None, "p1", LABS, Deadline.after(10)
    )
    assert [one.state for one in came] == [COMPLETE]


def test_a_base_that_is_not_listed_is_not_called(stack: ExitStack) -> None:
    server = Server(stack)
    servers = FhirServers([("https://fhir.example.org/r4", None)])
    came = server.fetch(EVERYTHING, servers=servers, token=TOKEN)
    assert {(one.state, one.why) for one in came.values()} == {(NOT_RETRIEVED, Why.NOT_LISTED)}
    assert server.log == []


def test_one_refused_category_leaves_the_others_alone(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(forbidden_categories=frozenset({"survey"})))
    came = server.fetch(EVERYTHING)
    assert (came["Observation:survey"].state, came["Observation:survey"].why) == (
        NOT_RETRIEVED,
        Why.FORBIDDEN,
    )
    assert came["Observation:laboratory"].state is COMPLETE
    assert came["Condition"].state is COMPLETE


def test_one_refused_type_leaves_the_others_alone(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(forbidden_types=frozenset({"Condition"})))
    came = server.fetch(EVERYTHING)
    assert (came["Condition"].state, came["Condition"].why) == (NOT_RETRIEVED, Why.FORBIDDEN)
    assert came["Patient"].state is COMPLETE


def test_a_token_that_is_not_accepted_is_said(stack: ExitStack) -> None:
    server = Server(stack, token="another")
    came = server.fetch(EVERYTHING, token=TOKEN)
    assert {one.why for one in came.values()} == {Why.UNAUTHORIZED}


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again_after_the_time_it_names(
    stack: ExitStack, status: int
) -> None:
    server = Server(stack, faults=Faults(busy=status, busy_first=1, retry_after=1))  # type: ignore[arg-type]
    began = time.monotonic()
    assert server.fetch(LABS)["Observation:laboratory"].state is COMPLETE
    assert time.monotonic() - began >= 1
    assert len(server.log) == 2


def test_a_busy_server_that_asks_for_more_time_than_there_is_is_not_waited_for(
    stack: ExitStack,
) -> None:
    server = Server(stack, faults=Faults(busy=503, retry_after=60))
    began = time.monotonic()
    labs = server.fetch(LABS)["Observation:laboratory"]
    assert (labs.state, labs.why) == (NOT_RETRIEVED, Why.BUSY)
    assert time.monotonic() - began < 5
    assert len(server.log) == 1


def test_a_busy_server_is_asked_three_times_at_most(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(busy=429, retry_after=None))
    assert server.fetch(LABS)["Observation:laboratory"].why is Why.BUSY
    assert len(server.log) == 3


def test_a_slow_server_ends_at_the_deadline(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(slow=2.5))
    began = time.monotonic()
    came = server.fetch(EVERYTHING, seconds=0.5)
    assert time.monotonic() - began < 2
    assert {one.state for one in came.values()} == {NOT_RETRIEVED}
    assert {one.why for one in came.values()} <= {Why.DEADLINE, Why.TIMEOUT}


def test_what_came_before_the_deadline_is_used(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(slow_types={"Observation": 3}))
    came = server.fetch(EVERYTHING, seconds=1.5)
    assert came["Condition"].state is COMPLETE
    assert came["MedicationStatement"].state is COMPLETE
    assert came["Observation"].state is NOT_RETRIEVED


def test_pages_that_came_before_the_deadline_are_used(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(slow=0.15), max_count=2)
    labs = server.fetch(LABS, seconds=1)["Observation:laboratory"]
    assert labs.state is CUT_OFF
    assert 0 < len(ids(labs)) < 25


def test_a_deadline_that_is_over_sends_nothing(stack: ExitStack) -> None:
    server = Server(stack)
    came = server.fetch(EVERYTHING, seconds=0)
    assert {(one.state, one.why) for one in came.values()} == {(NOT_RETRIEVED, Why.DEADLINE)}
    assert server.log == []


@pytest.mark.parametrize(
    ("faults", "why"),
    [
        (Faults(html=True), Why.NOT_FHIR),
        (Faults(cut_body=True), Why.NOT_FHIR),
        (Faults(dead="closed"), Why.UNREACHABLE),
        (Faults(dead="error"), Why.FAILED),
        (Faults(huge_body=50_000_000), Why.TOO_LARGE),
        (Faults(gzip_bomb=500_000_000), Why.TOO_LARGE),
    ],
    ids=["html", "cut", "closed", "error", "huge", "bomb"],
)
def test_answers_that_are_none_are_not_retrieved(
    stack: ExitStack, faults: Faults, why: Why
) -> None:
    server = Server(stack, faults=faults)
    labs = server.fetch(LABS, servers=server.servers(max_response_bytes=1_000_000))
    assert {(one.state, one.why) for one in labs.values()} == {(NOT_RETRIEVED, why)}


def test_all_answers_of_one_call_together_are_bounded(stack: ExitStack) -> None:
    server = Server(stack, max_count=1)
    labs = server.fetch(LABS, servers=server.servers(max_total_bytes=5_000))
    assert labs["Observation:laboratory"].why is Why.TOO_LARGE
    assert labs["Observation:laboratory"].state is CUT_OFF


def test_medications_that_are_not_included_are_read_once_each(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(include="ignored"))
    store = endpoint_of(server.app).store
    store.put(statement("takes-again", "p1", f"{server.base}/Medication/drug-p1/_history/2"))
    store.put(statement("takes-elsewhere", "p1", "https://other.example/fhir/Medication/x9"))
    came = server.fetch(EVERYTHING)
    assert came["Medication"].state is COMPLETE
    assert [json.loads(body)["id"] for body in came["Medication"].bodies] == ["drug-p1"]
    assert [one.path for one in server.log if "Medication/" in one.path] == [
        "/fhir/Medication/drug-p1"
    ]


def test_a_server_that_refuses_include_is_asked_without(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(include="refused"))
    came = server.fetch(EVERYTHING)
    assert came["MedicationStatement"].state is COMPLETE
    assert [json.loads(body)["id"] for body in came["Medication"].bodies] == ["drug-p1"]
    assert len(server.queries("MedicationStatement")) == 2


def test_medications_of_an_incomplete_search_are_read_all_the_same(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(include="ignored", looping_next=True))
    came = server.fetch(searches({"MedicationStatement"}))
    assert came["MedicationStatement"].why is Why.LOOP
    assert [json.loads(body)["id"] for body in came["Medication"].bodies] == ["drug-p1"]


def test_medications_that_cannot_be_read_are_said(stack: ExitStack) -> None:
    faults = Faults(include="ignored", forbidden_types=frozenset({"Medication"}))
    server = Server(stack, faults=faults)
    came = server.fetch(EVERYTHING)
    assert (came["Medication"].state, came["Medication"].why) == (NOT_RETRIEVED, Why.FORBIDDEN)
    assert came["MedicationStatement"].state is COMPLETE


def test_reads_of_medications_are_bounded(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(include="ignored"))
    store = endpoint_of(server.app).store
    for number in range(5):
        store.put({"resourceType": "Medication", "id": f"m{number}", "code": {"text": "d"}})
        store.put(statement(f"s{number}", "p1", f"Medication/m{number}"))
    came = server.fetch(EVERYTHING, servers=server.servers(max_reads=2))
    assert (came["Medication"].state, came["Medication"].why) == (
        Retrieval.PARTIAL,
        Why.TOO_MANY_REQUESTS,
    )
    assert len(came["Medication"].bodies) == 2


def test_pages_of_lists_come_before_medications_that_are_read(stack: ExitStack) -> None:
    server = Server(stack, max_count=2)
    store = endpoint_of(server.app).store
    for number in range(20):
        store.put({"resourceType": "Medication", "id": f"m{number}", "code": {"text": "d"}})
    wanted = [*LABS, *reads_of(f"Medication/m{number}" for number in range(20))]
    came = server.fetch(wanted, servers=server.servers(parallel=1))
    assert came["Observation:laboratory"].state is COMPLETE
    assert len(came["Medication"].bodies) == 20
    asked = ["Medication/" in one.path for one in server.log]
    assert asked == sorted(asked)


def test_medications_that_hang_leave_half_of_the_requests_to_the_lists(stack: ExitStack) -> None:
    app = Flask("hanging")
    wanted = [*searches({"Procedure"}), *reads_of(f"Medication/m{n}" for n in range(20))]
    under_way: list[int] = []
    hanging: list[str] = []

    @app.get("/fhir/Medication/<key>")
    def medication(key: str) -> tuple[str, int]:
        hanging.append(key)
        time.sleep(0.3)
        hanging.remove(key)
        return "{}", 404

    @app.get("/fhir/Procedure")
    def procedure() -> Json:
        time.sleep(0.1)
        under_way.append(len(hanging))
        return {"resourceType": "Bundle", "type": "searchset", "total": 0}

    base = f"{stack.enter_context(serving(app))}/fhir"
    servers = FhirServers([(base, None)], limits=Limits(parallel=4))
    came = fetch_missing(servers, base, None, "p1", wanted, Deadline.after(10))
    assert came[0].state is COMPLETE
    assert under_way == [2]


def test_included_medications_are_not_read_again(stack: ExitStack) -> None:
    server = Server(stack)
    came = server.fetch(EVERYTHING)
    assert "Medication" not in came
    assert any("_include" in query for query in server.queries("MedicationStatement"))
    assert b"drug-p1" in came["MedicationStatement"].bodies[0]


def test_errors_among_the_entries_make_it_incomplete(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(error_entry=True))
    labs = server.fetch(LABS)["Observation:laboratory"]
    assert (labs.state, labs.why) == (CUT_OFF, Why.OUTCOME)


def test_an_outcome_that_says_no_results_is_empty_and_complete(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(empty_warning=True))
    came = server.fetch(searches({"Procedure"}))["Procedure"]
    assert came.state is COMPLETE
    assert b"OperationOutcome" in came.bodies[0]


def test_an_unknown_patient_is_not_found(stack: ExitStack) -> None:
    server = Server(stack)
    came = fetch_missing(
        server.servers(), server.base, None, "p9", EVERYTHING[:1], Deadline.after(10)
    )
    assert [(one.state, one.why) for one in came] == [(NOT_RETRIEVED, Why.NOT_FOUND)]


@pytest.mark.parametrize("patient", ["../Patient/p2", "p1?_count=1", "p1&x=y", "", "a" * 65])
def test_a_patient_id_that_is_none_never_becomes_a_request(stack: ExitStack, patient: str) -> None:
    server = Server(stack)
    came = fetch_missing(
        server.servers(), server.base, None, patient, EVERYTHING, Deadline.after(10)
    )
    assert {one.state for one in came} == {NOT_RETRIEVED}
    assert server.log == []


def test_types_that_the_settings_say_are_not_kept_are_not_asked_for(stack: ExitStack) -> None:
    server = Server(stack)
    servers = FhirServers([(server.base, None)], not_kept=["MedicationStatement"])
    came = server.fetch(EVERYTHING, servers=servers)
    assert came["MedicationStatement"].state is NOT_KEPT
    assert server.queries("MedicationStatement") == []


def test_a_server_that_keeps_failing_is_left_alone(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(dead="error"))
    servers = server.servers()
    server.fetch(EVERYTHING, servers=servers)
    asked = len(server.log)
    came = server.fetch(EVERYTHING, servers=servers)
    assert {one.why for one in came.values()} == {Why.PAUSED}
    assert len(server.log) == asked


def test_two_calls_on_one_connection_share_deadline_and_counting(stack: ExitStack) -> None:
    server = Server(stack)
    with server.servers().connect(server.base, None, Deadline.after(10)) as connection:
        first = connection.fetch("p1", searches({"Patient", "Condition"}))
        assert {one.state for one in first} == {COMPLETE}
        assert connection.requests_sent == 2
        connection.fetch("p1", LABS)
        assert connection.requests_sent == 3


def test_of_a_list_that_is_too_long_for_the_time_the_recent_part_is_there(
    stack: ExitStack,
) -> None:
    server = Server(stack, max_count=5, faults=Faults(slow=0.1))
    newest = observation("lab-p1-newest", "p1") | {"effectiveDateTime": "2026-02-27"}
    endpoint_of(server.app).store.put(newest)
    wanted = searches({"Observation"}, recent=date(2026, 2, 20))
    came = server.fetch(wanted, servers=server.servers(max_pages=2))
    assert (came["Observation"].state, came["Observation"].why) == (CUT_OFF, Why.TOO_MANY_PAGES)
    assert "lab-p1-newest" in ids(came["Observation"])
    assert [one for one in server.queries("Observation") if "date=" in one] == [
        "patient=Patient/p1&date=ge2026-02-18&_count=200",
        "patient=Patient/p1&category=laboratory&date=ge2026-02-18&_count=200",
    ]


def test_a_list_of_one_page_is_asked_for_once(stack: ExitStack) -> None:
    server = Server(stack)
    came = server.fetch(searches({"Observation"}, recent=date(2026, 2, 20)))
    assert came["Observation"].state is COMPLETE
    assert len(server.log) == 1


def test_observations_without_a_category_come_with_the_others(stack: ExitStack) -> None:
    server = Server(stack)
    bare = observation("lab-p1-bare", "p1")
    del bare["category"]
    endpoint_of(server.app).store.put(bare)
    assert "lab-p1-bare" in ids(server.fetch(EVERYTHING)["Observation"])


@pytest.mark.parametrize("by_setting", [False, True], ids=["found out", "by the dialect"])
def test_a_server_that_wants_categories_is_asked_by_category(
    stack: ExitStack, *, by_setting: bool
) -> None:
    server = Server(stack, faults=Faults(needs_category=True))
    servers = FhirServers([(server.base, None)], by_category=by_setting)
    for call in (1, 2):
        came = server.fetch(searches({"Observation"}), servers=servers)
        assert {one.state for one in came.values()} == {COMPLETE}
        assert set(came) == {f"Observation:{one}" for one in CATEGORIES}
        assert len(server.log) == 5 * call + (0 if by_setting else 1)


def test_a_category_that_is_held_back_leaves_the_other_categories_whole(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(forbidden_categories=frozenset({"survey"})))
    came = server.fetch(searches({"Observation"}))
    assert {key for key, one in came.items() if one.state is not COMPLETE} == {"Observation:survey"}
    assert came["Observation:survey"].why is Why.FORBIDDEN


def test_what_there_is_no_time_for_is_left_out_from_the_end(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(slow=0.5))
    kinds = ("Procedure", "Condition", "MedicationStatement", "MedicationRequest")
    wanted = [Search(kind, covers=kind) for kind in kinds]
    came = server.fetch(wanted, servers=server.servers(parallel=1), seconds=1.9)
    assert [came[kind].state for kind in kinds[:2]] == [COMPLETE, COMPLETE]
    assert came["MedicationRequest"].state is NOT_RETRIEVED
    assert came["MedicationRequest"].why in {Why.NO_TIME, Why.DEADLINE}
    assert server.queries("MedicationRequest") == []


def test_no_log_line_and_no_failure_names_the_patient(
    stack: ExitStack, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    server = Server(stack, faults=Faults(forbidden_types=frozenset({"Condition"})))
    came = server.fetch(EVERYTHING, token=TOKEN)
    fault = came["Condition"].why
    assert fault is not None
    ours = [one.getMessage() for one in caplog.records if not one.name.startswith("werkzeug")]
    for text in [*ours, fault.value]:
        assert "p1" not in text
        assert TOKEN not in text
