"""Of a long list of Observations what matters is read, where the server can tell which that is."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import date
from typing import Any

import pytest

from cds.core.facts import Retrieval
from cds.fhir.faults import FhirFault, Why
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.pages import holds_dates, search_params
from cds.fhir.search import Fetched, Search, only_coded, searches
from cds.fhir.server import FhirServers
from cds.web.fhir_endpoint import Faults, Logged, Store, create_fhir_app, serving

Json = dict[str, Any]
RECENT = date(2026, 2, 1)
WANTED = searches({"Observation"}, recent=RECENT, suffices=True)
PAGE = 5


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def observation(name: str, **more: Any) -> Json:
    coded = {"code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]}}
    subject = {"subject": {"reference": "Patient/p1"}, "status": "final"}
    return {"resourceType": "Observation", "id": name} | coded | subject | more


def chart(old: int = 40) -> Store:
    """One recent result, one without a date, and old ones before and after them."""
    store = Store()
    for number in range(old):
        store.put(observation(f"old-{number}", effectiveDateTime="2019-05-05"))
        if number == old // 2:
            store.put(observation("recent", effectiveDateTime="2026-02-10"))
            store.put(observation("undated"))
    return store


class Server:
    """The embedded endpoint, what it was asked, and the servers of a process."""

    def __init__(
        self, stack: ExitStack, store: Store | None = None, *, narrow: bool | None = True,
        batch: bool | None = False, limits: Limits | None = None, **faults: Any,
    ) -> None:  # fmt: skip
        self.log: list[Logged] = []
        app = create_fhir_app(
            store or chart(), faults=Faults(**faults), max_count=PAGE, request_log=self.log
        )
        self.base = stack.enter_context(serving(app))
        self.servers = FhirServers([(self.base, None)], narrow=narrow, batch=batch, limits=limits)

    def fetch(self, wanted: list[Search] = WANTED) -> list[Fetched]:
        """The answers to one call for patient p1."""
        with self.servers.connect(self.base, None, Deadline.after(10)) as connection:
            return connection.fetch("p1", wanted)

    def told(self) -> bool:
        """Whether what its CapabilityStatement says is known."""
        return self.servers.learnt.statement(self.base) is not None

    def queries(self) -> list[str]:
        """What was asked of Observations, further pages aside."""
        searched = [one.query for one in self.log if one.path.endswith("/Observation")]
        return [one.partition("&_count")[0].partition("&")[2] for one in searched]


def came(fetched: Fetched) -> set[str]:
    text = b"".join(fetched.bodies).decode()
    return {name for name in ("recent", "undated", "old-0", "old-39") if f'"{name}"' in text}


def test_what_is_recent_and_what_has_no_date_is_read_in_the_place_of_all_pages(
    stack: ExitStack,
) -> None:
    server = Server(stack)
    [found] = server.fetch()
    assert (found.state, found.since, found.why) == (Retrieval.COMPLETE, RECENT, None)
    assert came(found) == {"recent", "undated", "old-0"}  # the first page was there
    # Two days earlier: wherever the server's days begin, none is missing.
    assert sorted(server.queries()) == ["", "date:missing=true", "date=ge2026-01-30"]
    assert len(server.log) == 3


def test_a_list_of_three_pages_is_read_whole(stack: ExitStack) -> None:
    server = Server(stack, chart(13))
    [found] = server.fetch()
    assert (found.state, found.since) == (Retrieval.COMPLETE, None)
    assert "date:missing=true" not in server.queries()


def test_without_a_total_a_list_that_goes_on_may_be_long(stack: ExitStack) -> None:
    server = Server(stack, chart(13), no_total=True)
    assert server.fetch()[0].since == RECENT


def test_whoever_wants_the_whole_list_gets_it(stack: ExitStack) -> None:
    for server, wanted in (
        (Server(stack), searches({"Observation"}, recent=RECENT)),
        (Server(stack, narrow=False), WANTED),
    ):
        [found] = server.fetch(wanted)
        assert (found.state, found.since) == (Retrieval.COMPLETE, None)
        assert came(found) == {"recent", "undated", "old-0", "old-39"}
        assert "date:missing=true" not in server.queries()


@pytest.mark.parametrize("how", ["ignored", "refused"])
def test_a_server_that_cannot_tell_what_has_no_date_is_read_whole_and_not_tried_again(
    stack: ExitStack, how: str
) -> None:
    server = Server(stack, missing=how)
    for _ in range(2):
        [found] = server.fetch()
        assert (found.state, found.since) == (Retrieval.COMPLETE, None)
        assert came(found) == {"recent", "undated", "old-0", "old-39"}
    assert server.queries().count("date:missing=true") == 1


@pytest.mark.parametrize(
    ("no_combo_code", "narrows"), [(False, True), (True, False)], ids=["named", "not named"]
)
def test_the_capability_statement_tells_whether_a_server_is_asked_for_parts(
    stack: ExitStack, *, no_combo_code: bool, narrows: bool
) -> None:
    server = Server(stack, narrow=None, no_combo_code=no_combo_code)
    assert server.fetch()[0].since is None  # nobody waits for the statement
    deadline = Deadline.after(5)
    while not server.told() and deadline.left:
        time.sleep(0.02)
    assert (server.fetch()[0].since == RECENT) is narrows


def test_a_first_page_that_says_that_something_is_missing_is_not_made_up_for_by_parts(
    stack: ExitStack,
) -> None:
    server = Server(stack, error_entry=True)
    assert server.fetch()[0].state is not Retrieval.COMPLETE
    assert "date:missing=true" not in server.queries()


def test_a_part_that_has_too_many_pages_leaves_the_list_cut_off(stack: ExitStack) -> None:
    store = chart()
    for number in range(20):
        store.put(observation(f"new-{number}", effectiveDateTime="2026-02-20"))
    server = Server(stack, store, limits=Limits(max_pages=2))
    found = server.fetch()[0]
    assert (found.state, found.why, found.since) == (
        Retrieval.CUT_OFF,
        Why.TOO_MANY_PAGES,
        None,
    )


def test_results_of_some_codes_come_whatever_their_date(stack: ExitStack) -> None:
    store = chart()
    store.put(observation("other", code={"coding": [{"code": "x"}]}))
    panel = {"code": {"coding": [{"system": "http://loinc.org", "code": "777-3"}]}}
    store.put(observation("panel", code={"coding": [{"code": "y"}]}, component=[panel]))
    server = Server(stack, store)
    [found] = server.fetch(only_coded({"777-3", "26515-7"}))
    assert (found.state, set(found.codes)) == (Retrieval.COMPLETE, {"777-3", "26515-7"})
    assert b'"panel"' in found.bodies[0]
    assert b'"other"' not in found.bodies[0]


def test_many_codes_are_asked_for_in_addresses_of_bearable_length() -> None:
    codes = {f"{number}-1" for number in range(10_000, 10_500)}
    found = only_coded(codes)
    assert frozenset().union(*(one.codes for one in found)) == codes
    assert sum(len(one.codes) for one in found) == len(codes)
    assert max(len(one.path("p1", 200)) for one in found) < 1_700


def test_a_search_by_code_that_is_refused_is_remembered(stack: ExitStack) -> None:
    server = Server(stack, no_combo_code=True)
    [found] = server.fetch(only_coded({"777-3"}))
    assert (found.state, found.why, found.codes) == (
        Retrieval.NOT_RETRIEVED,
        Why.REFUSED,
        frozenset(),
    )
    assert server.fetch()[0].since is None


def test_what_a_statement_says_of_observations_is_read_of_observations_alone() -> None:
    named = [{"type": kind, "searchParam": [{"name": f"{kind}-date"}, {"name": 5}, 7]}
             for kind in ("Observation", "Procedure")]  # fmt: skip
    statement = {"resourceType": "CapabilityStatement", "rest": [{"resource": named}, {}]}
    assert search_params(json.dumps(statement).encode(), "Observation") == {"Observation-date"}
    with pytest.raises(FhirFault):
        search_params(b"{}", "Observation")


@pytest.mark.parametrize(
    ("entry", "dated"),
    [
        ({"resource": {"effectiveDateTime": "2026"}}, True),
        ({"resource": {"effectivePeriod": {"start": "2026"}}}, True),
        ({"resource": {"effectiveInstant": "x"}}, True),
        ({"resource": {"effectiveTiming": {}}}, True),
        ({"resource": {"issued": "2026-01-01T00:00:00Z"}}, False),
        ({"resource": {"resourceType": "OperationOutcome"}}, False),
        ({}, False),
        ({"resource": 5}, True),  # nobody can tell
    ],
)
def test_an_entry_that_says_when_it_was_true_is_seen(entry: Json, dated: bool) -> None:  # noqa: FBT001
    body = json.dumps({"resourceType": "Bundle", "entry": [entry]}).encode()
    assert holds_dates(body) is dated


def test_what_a_statement_said_holds_while_it_is_read_anew(stack: ExitStack) -> None:
    """Once an hour it is asked again; no call reads a long list whole for that."""
    now = [0.0]
    server = Server(stack)
    server.servers = FhirServers([(server.base, None)], narrow=None, clock=lambda: now[0])

    def statements() -> int:
        return sum(one.path.endswith("/metadata") for one in server.log)

    for hours, narrows, asked in ((0, False, 1), (0, True, 1), (2, True, 2), (30, False, 3)):
        now[0] = max(now[0], hours * 3_600.0)
        assert (server.fetch()[0].since == RECENT) is narrows, hours
        deadline = Deadline.after(5)
        while (statements() < asked or not server.told()) and deadline.left:
            time.sleep(0.02)
        assert statements() == asked
