"""A FHIR server that disappoints: the running service stays correct, and inside its deadline."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import (
    Faults,
    Logged,
    create_fhir_app,
    endpoint_of,
    load_fixtures,
    serving,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from flask import Flask

Json = dict[str, Any]
ASSESSMENT = "org.trial-cds.assessment"
DEADLINE = 1.5
SLACK = 0.7  # for a loaded machine: what is left to do after the last answer
TOKEN = "token-of-this-patient"  # noqa: S105 - invented


@pytest.fixture(scope="module")
def requests_seen() -> list[Logged]:
    """Every request that reached the FHIR server."""
    return []


@pytest.fixture(scope="module")
def fhir_app(requests_seen: list[Logged]) -> Flask:
    store = load_fixtures(bundled_fixtures(), None)
    return create_fhir_app(store, token=TOKEN, request_log=requests_seen)


@pytest.fixture(scope="module")
def fhir_base(fhir_app: Flask) -> Iterator[str]:
    with serving(fhir_app) as base:
        yield base


@pytest.fixture(scope="module")
def elsewhere() -> Iterator[tuple[str, list[Logged]]]:
    """Another server, which nobody may be led to."""
    seen: list[Logged] = []
    store = load_fixtures(bundled_fixtures(), None)
    with serving(create_fhir_app(store, request_log=seen)) as base:
        yield base, seen


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any], story: Any, fhir_base: str) -> Any:
    return serve(
        ON=story.day,
        SHOW_ALL="yes",
        FHIR_ALLOW=fhir_base,
        DEADLINE_SECONDS=str(DEADLINE),
        FHIR_PAUSE_SECONDS="0",
        MAX_RESPONSE_BYTES="4000000",
    )


@pytest.fixture
def with_faults(fhir_app: Flask) -> Iterator[Callable[[Faults], None]]:
    """Switches the FHIR server's faults, until the test ends."""
    endpoint = endpoint_of(fhir_app)

    def switch(faults: Faults) -> None:
        endpoint.faults = faults

    yield switch
    endpoint.faults = Faults()


def fire(server: Any, story: Any, base: str, *keys: str) -> tuple[list[Json], float]:
    """The cards where only some keys are prefetched, and the seconds that it took."""
    request = story.request()
    request["prefetch"] = {key: request["prefetch"][key] for key in keys}
    request["fhirServer"] = base
    request["fhirAuthorization"] = {"access_token": TOKEN, "token_type": "Bearer"}
    began = time.monotonic()
    answer = server.fire(request)
    took = time.monotonic() - began
    assert answer.status_code == 200, answer.text
    cards: list[Json] = answer.json()["cards"]
    return cards, took


def statuses(cards: list[Json]) -> dict[str, str]:
    """Criterion → status over all cards."""
    return {
        f"{card['extension'][ASSESSMENT]['trial']} {one['id']}": one["status"]
        for card in cards
        if "extension" in card
        for one in card["extension"][ASSESSMENT]["criteria"]
    }


@pytest.fixture(scope="module")
def sound(server: Any, story: Any, fhir_base: str) -> dict[str, str]:
    """What the chart says when everything can be read."""
    cards, _ = fire(server, story, fhir_base)
    found = statuses(cards)
    assert len(found) > 50
    assert "unknown" not in found.values()
    return found


LYING = {
    "entries of another patient": Faults(other_patient=True),
    "entries of nobody": Faults(strays=True),
    "no total": Faults(no_total=True),
    "a warning in empty results": Faults(empty_warning=True),
}


@pytest.mark.parametrize("name", LYING)
def test_what_a_server_adds_changes_no_determination_for_the_better(  # noqa: PLR0913 - fixtures
    name: str,
    server: Any,
    story: Any,
    fhir_base: str,
    sound: dict[str, str],
    with_faults: Callable[[Faults], None],
) -> None:
    with_faults(LYING[name])
    cards, took = fire(server, story, fhir_base)
    assert took < DEADLINE + SLACK
    assert_no_wrong_word(statuses(cards), sound)


FAILING = {
    "slow": Faults(slow=5.0),
    "slow for one type": Faults(slow_types={"Observation": 5.0}),
    "dead": Faults(dead="closed"),
    "500": Faults(dead="error"),
    "401": Faults(unauthorized=True),
    "403 for medication": Faults(
        forbidden_types=frozenset({"MedicationRequest", "MedicationStatement"})
    ),
    "403 for one category": Faults(forbidden_categories=frozenset({"laboratory"})),
    "429": Faults(busy=429, retry_after=30),
    "503": Faults(busy=503, retry_after=None),
    "looping pages": Faults(looping_next=True),
    "endless pages": Faults(endless=True),
    "more than it sends": Faults(extra_total=1),
    "an error among the entries": Faults(error_entry=True),
    "a login page": Faults(html=True),
    "half a body": Faults(cut_body=True),
    "50 MB": Faults(huge_body=50_000_000),
    "50 MB packed": Faults(gzip_bomb=50_000_000),
}


@pytest.mark.parametrize("name", FAILING)
def test_what_a_server_does_not_give_is_unknown_inside_the_deadline(  # noqa: PLR0913 - fixtures
    name: str,
    server: Any,
    story: Any,
    fhir_base: str,
    sound: dict[str, str],
    with_faults: Callable[[Faults], None],
) -> None:
    """The card is there, says what could not be read, and claims nothing that it does not know."""
    with_faults(FAILING[name])
    cards, took = fire(server, story, fhir_base, "patient", "conditions")
    found = statuses(cards)
    assert took < DEADLINE + SLACK
    assert "unknown" in found.values()
    assert_no_wrong_word(found, sound)
    problems = cards[0]["extension"][ASSESSMENT]["problems"]
    assert {one["kind"] for one in problems} & {"not-retrieved", "incomplete"}
    assert "Not read or not recognised" in cards[0]["detail"]


def assert_no_wrong_word(found: dict[str, str], sound: dict[str, str]) -> None:
    """Each criterion says what it says of the whole chart, or that it does not know."""
    assert found
    wrong = {
        criterion: (status, sound.get(criterion))
        for criterion, status in found.items()
        if status not in {sound.get(criterion), "unknown", "review"}
    }
    assert wrong == {}


def test_conditions_that_cannot_be_fetched_give_the_one_card_that_says_so(
    server: Any, story: Any, fhir_base: str, with_faults: Callable[[Faults], None]
) -> None:
    with_faults(Faults(forbidden_types=frozenset({"Condition"})))
    (card,), took = fire(server, story, fhir_base, "patient")
    assert "could not be read" in card["summary"]
    assert took < DEADLINE + SLACK


def test_a_patient_that_cannot_be_fetched_is_412(
    server: Any, story: Any, fhir_base: str, with_faults: Callable[[Faults], None]
) -> None:
    with_faults(Faults(dead="closed"))
    request = story.request() | {"prefetch": {}, "fhirServer": fhir_base}
    answer = server.fire(request)
    assert answer.status_code == 412


@pytest.mark.parametrize("fault", ["redirect", "foreign pages"])
def test_nobody_is_led_to_another_server_and_no_token_goes_there(  # noqa: PLR0913 - fixtures
    fault: str,
    server: Any,
    story: Any,
    fhir_base: str,
    elsewhere: tuple[str, list[Logged]],
    with_faults: Callable[[Faults], None],
) -> None:
    base, seen = elsewhere
    away = base.removesuffix("/fhir")
    with_faults(Faults(redirect_to=away) if fault == "redirect" else Faults(foreign_next=base))
    cards, took = fire(server, story, fhir_base, "patient", "conditions")
    assert cards
    assert took < DEADLINE + SLACK
    assert seen == []


def test_a_server_that_is_not_listed_is_never_called(
    server: Any, story: Any, elsewhere: tuple[str, list[Logged]]
) -> None:
    base, seen = elsewhere
    cards, _ = fire(server, story, base, "patient", "conditions")
    assert "unknown" in statuses(cards).values()
    assert seen == []


def test_a_whole_prefetch_asks_the_server_nothing(
    server: Any, story: Any, fhir_base: str, requests_seen: list[Logged]
) -> None:
    before = len(requests_seen)
    cards, _ = fire(server, story, fhir_base, *story.prefetch)
    assert cards
    assert len(requests_seen) == before


def test_nothing_of_the_chart_and_no_token_is_in_the_log(server: Any, story: Any) -> None:
    logged = server.log.read_text()
    for secret in (TOKEN, story.patient, "Observation", "Traceback"):
        assert secret not in logged
