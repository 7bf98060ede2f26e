"""Several searches in one request, and what happens where the server does not want that."""

import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from flask import Flask, Response, request

from cds.core.facts import Retrieval
from cds.fhir.batch import batch_of, only_reads, parts_of
from cds.fhir.faults import FhirFault, Why
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.pages import takes_batches
from cds.fhir.search import Fetched, Search, searches
from cds.fhir.server import FhirServers
from cds.web.fhir_endpoint import Faults, Logged, Store, create_fhir_app, serving

Json = dict[str, Any]
KINDS = ("Observation", "MedicationRequest", "MedicationStatement", "Procedure")
WANTED = searches(KINDS)
COMPLETE = Retrieval.COMPLETE


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def chart(observations: int = 3) -> Store:
    store = Store()
    subject = {"reference": "Patient/p1"}
    store.put({"resourceType": "Patient", "id": "p1"})
    for number in range(observations):
        one = {"resourceType": "Observation", "id": f"o{number}", "subject": subject}
        store.put(one | {"status": "final", "code": {"text": "x"}})
    store.put({"resourceType": "Medication", "id": "m1", "code": {"text": "d"}})
    taken = {"resourceType": "MedicationStatement", "id": "s1", "status": "active"}
    store.put(taken | {"subject": subject, "medicationReference": {"reference": "Medication/m1"}})
    return store


def fetch(
    servers: FhirServers, base: str, wanted: list[Search] = WANTED, seconds: float = 10
) -> dict[str, Fetched]:
    with servers.connect(base, None, Deadline.after(seconds)) as connection:
        return {one.covers: one for one in connection.fetch("p1", wanted)}


class Server:
    """The embedded endpoint, its log, and a process's servers that may call it."""

    def __init__(
        self, stack: ExitStack, *, batch: bool | None = True, limits: Limits | None = None,
        **how: Any,
    ) -> None:  # fmt: skip
        self.log: list[Logged] = []
        store = how.pop("store", None) or chart()
        app = create_fhir_app(store, request_log=self.log, **how)
        self.base = stack.enter_context(serving(app))
        alias = how["faults"].alias if "faults" in how else None
        self.servers = FhirServers([(self.base, alias or None)], batch=batch, limits=limits)

    def fetch(self, **how: Any) -> dict[str, Fetched]:
        """The answers to one call for patient p1."""
        return fetch(self.servers, self.base, **how)

    def methods(self) -> list[str]:
        """How each request came."""
        return [one.method for one in self.log]


def test_a_whole_chart_takes_one_request(stack: ExitStack) -> None:
    server = Server(stack)
    came = server.fetch()
    assert {one.state for one in came.values()} == {COMPLETE}
    assert server.methods() == ["POST"]
    assert b'"o2"' in came["Observation"].bodies[0]
    assert b'"m1"' in came["MedicationStatement"].bodies[0]  # included


def test_further_pages_are_followed_one_by_one(stack: ExitStack) -> None:
    server = Server(stack, store=chart(25), max_count=10)
    came = server.fetch()["Observation"]
    assert (came.state, len(came.bodies)) == (COMPLETE, 3)
    assert server.methods() == ["POST", "GET", "GET"]


def test_further_pages_on_an_alias_are_followed_at_the_real_address(stack: ExitStack) -> None:
    faults = Faults(alias="https://fhir.example.org/r4")
    server = Server(stack, store=chart(25), max_count=10, faults=faults)
    came = server.fetch()["Observation"]
    assert (came.state, len(came.bodies)) == (COMPLETE, 3)


def test_a_type_that_is_refused_within_a_batch_is_not_retrieved_and_nothing_else_suffers(
    stack: ExitStack,
) -> None:
    server = Server(stack, faults=Faults(forbidden_types=frozenset({"Procedure"})))
    came = server.fetch()
    assert (came["Procedure"].state, came["Procedure"].why) == (
        Retrieval.NOT_RETRIEVED,
        Why.FORBIDDEN,
    )
    assert came["Observation"].state is COMPLETE
    assert server.methods() == ["POST"]


def test_a_category_that_is_refused_leads_to_the_others_one_by_one(stack: ExitStack) -> None:
    server = Server(stack, faults=Faults(forbidden_categories=frozenset({"survey"})))
    came = server.fetch()
    assert came["Observation:survey"].why is Why.FORBIDDEN
    assert came["Observation:laboratory"].state is COMPLETE
    assert server.methods() == ["POST"] + ["GET"] * 5


def test_errors_among_the_entries_of_one_search_make_that_one_incomplete(
    stack: ExitStack,
) -> None:
    faults = Faults(error_entry=True, only=frozenset({"MedicationStatement"}))
    came = Server(stack, faults=faults).fetch()
    assert came["MedicationStatement"].why is Why.OUTCOME
    assert came["Procedure"].state is COMPLETE


def test_a_total_above_what_came_makes_a_search_of_a_batch_incomplete(stack: ExitStack) -> None:
    faults = Faults(extra_total=2, only=frozenset({"MedicationStatement"}))
    came = Server(stack, faults=faults).fetch()
    assert came["MedicationStatement"].why is Why.TRUNCATED


def test_an_include_that_is_refused_within_a_batch_is_left_out(stack: ExitStack) -> None:
    came = Server(stack, faults=Faults(include="refused")).fetch()
    assert came["MedicationStatement"].state is COMPLETE
    assert [json.loads(body)["id"] for body in came["Medication"].bodies] == ["m1"]


def test_a_server_that_takes_no_batches_after_all_is_asked_once_and_remembered(
    stack: ExitStack,
) -> None:
    server = Server(stack, faults=Faults(no_batch=True))
    for _ in range(2):
        assert {one.state for one in server.fetch().values()} == {COMPLETE}
    assert server.methods() == ["POST"] + ["GET"] * 8


def test_two_searches_are_not_worth_a_batch(stack: ExitStack) -> None:
    server = Server(stack)
    server.fetch(wanted=searches({"Patient", "Condition"}))
    assert server.methods() == ["GET", "GET"]


def test_without_a_word_nothing_is_posted(stack: ExitStack) -> None:
    server = Server(stack, batch=False)
    server.fetch()
    assert server.methods() == ["GET"] * 4


@pytest.mark.parametrize(("no_batch", "method"), [(False, "POST"), (True, "GET")])
def test_where_nobody_says_the_capability_statement_decides_for_later_calls(
    stack: ExitStack, method: str, *, no_batch: bool
) -> None:
    server = Server(stack, batch=None, faults=Faults(no_batch=no_batch))
    server.fetch()
    deadline = Deadline.after(30)
    while server.servers.learnt.statement(server.base) is None and deadline.left:
        server.fetch(wanted=searches({"Condition"}))  # what else is going on meanwhile
    assert [one.path for one in server.log].count("/fhir/metadata") == 1
    assert "POST" not in server.methods()
    server.log.clear()
    assert {one.state for one in server.fetch().values()} == {COMPLETE}
    assert server.log[0].method == method


@pytest.mark.parametrize("code", ["batch", "transaction"])
def test_a_server_that_lists_batches_or_transactions_takes_batches(code: str) -> None:
    rest = [{"interaction": [{"code": "history-system"}, {"code": code}]}, {"interaction": []}]
    statement = {"resourceType": "CapabilityStatement", "rest": rest}
    assert takes_batches(json.dumps(statement).encode())
    assert not takes_batches(b'{"resourceType":"CapabilityStatement"}')


def answering(answer: Callable[[Json], Response | Json]) -> Flask:
    """A server that answers batches as told, and every search with an empty list."""
    app = Flask("batches")

    @app.post("/fhir")
    def batch() -> Response | Json:
        return answer(request.get_json(force=True))

    @app.get("/fhir/<kind>")
    def search(kind: str) -> Json:
        return searchset(kind)

    return app


def searchset(kind: str, *ids: str) -> Json:
    subject = {"reference": "Patient/p1"}
    entries = [{"resource": {"resourceType": kind, "id": one, "subject": subject}} for one in ids]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def response_of(*pages: Json, status: str = "200 OK") -> Json:
    entries = [{"resource": page, "response": {"status": status}} for page in pages]
    return {"resourceType": "Bundle", "type": "batch-response", "entry": entries}


IN_ORDER = [one.resource_type for one in WANTED]
UNUSABLE: dict[str, Callable[[Json], Response | Json]] = {
    "fewer answers than questions": lambda _: response_of(searchset("Observation", "wrong")),
    "answers in another order": lambda _: response_of(
        *(searchset(kind, "wrong") for kind in reversed(IN_ORDER))
    ),
    "a login page": lambda _: Response("<html>"),
    "another kind of Bundle": lambda _: searchset("Observation", "wrong"),
    "an error": lambda _: Response("{}", 500),
    "no such address": lambda _: Response("{}", 404),
    "a transaction only": lambda _: Response("{}", 422),
    "an endless number": lambda _: Response('{"entry":' + "[" * 9_000),
}


@pytest.mark.parametrize("how", UNUSABLE)
def test_an_answer_that_does_not_fit_is_not_used_and_each_search_is_sent_by_itself(
    stack: ExitStack, how: str
) -> None:
    base = f"{stack.enter_context(serving(answering(UNUSABLE[how])))}/fhir"
    came = fetch(FhirServers([(base, None)], batch=True), base)
    assert {one.state for one in came.values()} == {COMPLETE}
    assert not any(b"wrong" in body for one in came.values() for body in one.bodies)


@pytest.mark.parametrize("status", ["", "500 Internal", "429 Too Many", "nonsense"])
def test_what_a_batch_says_nothing_final_about_is_asked_again(
    stack: ExitStack, status: str
) -> None:
    pages = [searchset(kind) for kind in IN_ORDER]
    app = answering(lambda _: response_of(*pages, status=status))
    base = f"{stack.enter_context(serving(app))}/fhir"
    came = fetch(FhirServers([(base, None)], batch=True), base)
    assert {one.state for one in came.values()} == {COMPLETE}


def test_a_batch_that_takes_too_long_leaves_time_for_the_searches(stack: ExitStack) -> None:
    deadline = Deadline.after(30)

    def slow(_: Json) -> Response:
        while deadline.left and not done:
            request.input_stream.read(0)
        return Response("{}", 500)

    done: list[bool] = []
    base = f"{stack.enter_context(serving(answering(slow)))}/fhir"
    came = fetch(FhirServers([(base, None)], batch=True), base, seconds=4)
    done.append(True)
    assert {one.state for one in came.values()} == {COMPLETE}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"{",
        b'{"type":"transaction","entry":[]}',
        b'{"type":"batch"}',
        b'{"type":"batch","entry":[{"request":{"method":"DELETE","url":"Patient/p1"}}]}',
        b'{"type":"batch","entry":[{"request":{"method":"GET","url":"https://e.example/x"}}]}',
        b'{"type":"batch","entry":[{"request":{"method":"GET","url":"//e.example/x"}}]}',
        b'{"type":"batch","entry":[{"request":{"method":"GET","url":"/x"}}]}',
        b'{"type":"batch","entry":[{"request":{"method":"GET","url":5}}]}',
        b'{"type":"batch","entry":[{"request":[]}]}',
        b'{"type":"batch","entry":[{"resource":{},"request":{"method":"GET","url":"Patient"}}]}',
        b'{"type":"batch","entry":[null]}',
    ],
)
def test_only_a_batch_of_reads_may_be_posted(stack: ExitStack, body: bytes) -> None:
    assert not only_reads(body)
    server = Server(stack)
    with server.servers.connect(server.base, None, Deadline.after(5)) as connection:
        with pytest.raises(FhirFault):
            connection._session.post(server.base, data=body, timeout=1)
        assert connection.requests_sent == 0
    assert server.log == []


def test_a_batch_goes_to_the_base_alone(stack: ExitStack) -> None:
    server = Server(stack)
    body = json.dumps(batch_of(["Patient/p1"]))
    with server.servers.connect(server.base, None, Deadline.after(5)) as connection:
        for address in (f"{server.base}/Patient", f"{server.base}?x=y", "http://e.example/fhir"):
            with pytest.raises(FhirFault):
                connection._session.post(address, data=body, timeout=1)
    assert server.log == []


def test_a_searchset_about_another_type_spoils_the_batch() -> None:
    link = [{"relation": "self", "url": "https://e.example/fhir/Condition?patient=p1"}]
    answer = response_of(searchset("Observation") | {"link": link})
    with pytest.raises(FhirFault):
        parts_of(json.dumps(answer).encode(), ["Observation"])
