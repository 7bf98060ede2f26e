"""A call's requests are spent on what can still change its answer, and change nothing else."""

from __future__ import annotations

from contextlib import ExitStack
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest
import yaml

from cds.assess import Content, assess, assess_for_cards, load_content
from cds.cards.card import CardSettings, cards_for
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.record import Record
from cds.fhir.server import FhirServers
from cds.web.chart import completed_chart
from cds.web.fhir_endpoint import Faults, Logged, Store, create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.fhir.search import Fetched, Search

Json = dict[str, Any]
FIXTURES = bundled_fixtures()
ASKED = Evaluation.of(date(2026, 3, 1))
NEAR = 30
STORIES = {
    path.parent.name: Evaluation.of(date.fromisoformat(yaml.safe_load(path.read_bytes())["day"]))
    for path in sorted(FIXTURES.glob("*/story.yaml"))
}


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """One endpoint for all stories."""
    with serving(create_fhir_app(load_fixtures(FIXTURES, None))) as base:
        yield base


@pytest.fixture
def store() -> Store:
    return load_fixtures(FIXTURES, None)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


class Chart:
    """One patient on the embedded endpoint, and what reading the chart came to."""

    def __init__(  # noqa: PLR0913 - each is one switch, by keyword
        self,
        stack: ExitStack,
        content: Content,
        store: Store,
        *,
        patient: str,
        asked: Evaluation = ASKED,
        near_days: int | None = None,
        seconds: float = 20,
        faults: Faults | None = None,
        base: str = "",
        **servers: Any,
    ) -> None:
        self.log: list[Logged] = []
        if not base:
            app = create_fhir_app(store, request_log=self.log, faults=faults)
            base = stack.enter_context(serving(app))
        ways = FhirServers([(base, None)], **servers)
        connection = stack.enter_context(ways.connect(base, None, Deadline.after(seconds)))

        def fetch(wanted: Sequence[Search]) -> list[Fetched]:
            return connection.fetch(patient, wanted)

        empty = Record(patient, None, {}, {}, {})
        self.record = completed_chart(empty, fetch, content, asked, near_days)
        self._content, self._asked = content, asked

    def said(self) -> Json:
        """Everything that is said of the chart."""
        return assessment_json(assess(self.record, self._content, self._asked))

    def cards(self) -> list[Json]:
        """The cards of a hook."""
        content, asked = self._content, self._asked
        facts = facts_from(self.record, content.terminology, asked.zone, content.units)
        settings = CardSettings(content.labels, content.orderable(), near_days=NEAR)
        return cards_for(assess_for_cards(facts, content, asked, NEAR), settings)

    def asked_for(self) -> list[str]:
        """The resource types of the requests, in their order."""
        return [one.path.removeprefix("/fhir").strip("/").partition("/")[0] for one in self.log]


@pytest.mark.parametrize("story", STORIES)
def test_a_batch_single_searches_and_searches_by_category_come_to_the_same(
    stack: ExitStack, content: Content, base: str, story: str
) -> None:
    store = Store()  # there is one already
    patient: Json = {"patient": story, "asked": STORIES[story], "base": base}
    expected = Chart(stack, content, store, **patient).said()
    ways: tuple[Json, ...] = (
        {"batch": True},
        {"by_category": True},
        {"limits": Limits(page_size=20)},
        {"limits": Limits(page_size=5), "narrow": True},
        {"limits": Limits(page_size=5), "narrow": True, "batch": True},
    )
    for way in ways:
        assert Chart(stack, content, store, **patient, **way).said() == expected, way


@pytest.mark.parametrize("story", STORIES)
def test_what_is_not_asked_for_a_card_would_not_have_changed_it(
    stack: ExitStack, content: Content, base: str, story: str
) -> None:
    store = Store()  # there is one already
    patient: Json = {"patient": story, "asked": STORIES[story], "base": base}
    whole = Chart(stack, content, store, **patient)
    assert Chart(stack, content, store, near_days=NEAR, **patient).cards() == whole.cards()


def condition(patient: str, code: str, **more: Any) -> Json:
    active = {"coding": [{"code": "active"}]}
    return {
        "resourceType": "Condition",
        "id": f"{patient}-more",
        "clinicalStatus": active,
        "code": {"coding": [{"system": "http://snomed.info/sct", "code": code}]},
        "subject": {"reference": f"Patient/{patient}"},
        **more,
    }


HIV = "86406008"


def test_a_trial_that_a_condition_rules_out_for_good_needs_nothing_more_for_a_card(
    stack: ExitStack, content: Content, store: Store
) -> None:
    store.put(condition("desmoid-ready", HIV))
    chart = Chart(stack, content, store, patient="desmoid-ready", near_days=NEAR)
    assert sorted(chart.asked_for()) == ["Condition", "Patient"]
    assert chart.cards() == []
    says = {one.says for one in chart.record.all_problems()}
    assert "Procedure not read: it could not change what is shown, so nobody asked for it" in says


def test_whoever_wants_the_whole_determination_gets_it_for_a_trial_that_is_ruled_out(
    stack: ExitStack, content: Content, store: Store
) -> None:
    store.put(condition("desmoid-ready", HIV))
    chart = Chart(stack, content, store, patient="desmoid-ready")
    assert "Procedure" in chart.asked_for()
    assert chart.record.all_problems() == ()


def test_conditions_that_cannot_be_read_leave_nothing_to_ask_for_a_card(
    stack: ExitStack, content: Content, store: Store
) -> None:
    faults = Faults(forbidden_types=frozenset({"Condition"}))
    chart = Chart(stack, content, store, patient="desmoid-ready", near_days=NEAR, faults=faults)
    assert sorted(chart.asked_for()) == ["Condition", "Patient"]
    [card] = chart.cards()
    assert "extension" not in card


def test_the_searches_that_settle_the_most_come_first(
    stack: ExitStack, content: Content, store: Store
) -> None:
    one_at_a_time = Limits(parallel=1)
    chart = Chart(stack, content, store, patient="desmoid-ready", limits=one_at_a_time)
    assert chart.asked_for() == [
        "Patient",
        "Condition",
        "Observation",
        "MedicationRequest",
        "MedicationStatement",
        "Procedure",
        "MedicationAdministration",
    ]


def test_what_there_is_no_time_for_is_what_settles_least_and_it_is_named(
    stack: ExitStack, content: Content, store: Store
) -> None:
    chart = Chart(
        stack, content, store, patient="desmoid-ready", seconds=3, faults=Faults(slow=0.6),
        limits=Limits(parallel=1),
    )  # fmt: skip
    states = chart.record.retrieval()
    assert states["Observation"] is Retrieval.COMPLETE
    assert states["Procedure"] is Retrieval.NOT_RETRIEVED
    problems = {one.says for one in chart.record.all_problems()}
    assert problems & {  # the second where the machine itself had no time
        "Procedure not read: there was no time left for it",
        "Procedure not read: the time for this answer is over",
    }
    assert "Procedure" not in chart.asked_for()
    gaps = {
        gap["gap"] for one in chart.said()["trials"][0]["criteria"] for gap in one["gaps"]
        if one["id"] == "E20a"
    }  # fmt: skip
    assert gaps == {"not-retrieved"}


# Why no search is bounded by date: each of these entries is older than every look-back or has no
# date at all, so that date=ge… would lose it, and each decides something.

POSITIVE = {"coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]}
LOST: dict[str, tuple[Json, str, str]] = {
    "an HIV test of ten years ago": (
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "56888-1"}]},
            "effectiveDateTime": "2016-03-01",
            "valueCodeableConcept": POSITIVE,
        },
        "E13a",
        "fail",
    ),
    "a neutrophil count without a date": (
        {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
            "valueQuantity": {"value": 0.2, "unit": "10*9/L", "code": "10*9/L"},
        },
        "I07b",
        "unknown",
    ),
    "a drug that was stopped nobody knows when": (
        {
            "resourceType": "MedicationStatement",
            "status": "completed",
            "medicationCodeableConcept": {"text": "itraconazole"},
        },
        "E28a",
        "unknown",
    ),
}


@pytest.mark.parametrize("lost", LOST)
def test_an_entry_that_a_bound_by_date_would_lose_is_read_and_counts(
    stack: ExitStack, content: Content, store: Store, lost: str
) -> None:
    entry, criterion, status = LOST[lost]
    for bounded in (True, False):
        if not bounded:
            store.put(entry | {"id": "lost", "subject": {"reference": "Patient/desmoid-ready"}})
        said = Chart(stack, content, store, patient="desmoid-ready").said()
        found = {one["id"]: one["status"] for one in said["trials"][0]["criteria"]}
        assert (found[criterion] == status) is not bounded, found[criterion]
