"""A long list of results is read in part: what else is asked, what fails, and what is kept."""

from __future__ import annotations

import uuid
from contextlib import ExitStack
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import msgspec
import pytest

from cds.assess import Content, assess, assess_facts, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.outbound import Deadline, Limits
from cds.fhir.record import Record
from cds.fhir.server import FhirServers
from cds.settings import FhirBase, Settings
from cds.web.app import create_app
from cds.web.chart import completed_chart
from cds.web.fhir_endpoint import Faults, Logged, Store, create_fhir_app, load_fixtures, serving
from cds.web.kept.inputs import Input, Listening, Telling, unpacked
from cds.web.report.building import report_of
from cds.web.report.keeping import Kept, kept_of, report_from

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from cds.fhir.search import Fetched, Search

Json = dict[str, Any]
WHO = "desmoid-ready"
ASKED = Evaluation.of(date(2026, 3, 1))
LOINC = "http://loinc.org"
HIV, TSH, FASTING = "56888-1", "3016-3", "1558-6"


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture
def store() -> Store:
    return load_fixtures(bundled_fixtures(), None)


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def result(name: str, code: str, **more: Any) -> Json:
    return {
        "resourceType": "Observation",
        "id": name,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": code}]},
        "subject": {"reference": f"Patient/{WHO}"},
    } | more


POSITIVE = {"coding": [{"system": "http://snomed.info/sct", "code": "10828004"}]}


def old_glucose(store: Store, count: int = 40) -> None:
    """Results that only their age keeps from counting."""
    value = {"value": 5, "unit": "mmol/L", "code": "mmol/L"}
    for number in range(count):
        when = {"effectiveDateTime": f"2019-{number % 12 + 1:02}-01", "valueQuantity": value}
        store.put(result(f"old-{number}", FASTING, **when))


class Chart:
    """One patient's chart as the embedded endpoint gives it in part, or whole."""

    def __init__(
        self,
        stack: ExitStack,
        content: Content,
        store: Store,
        *,
        narrow: bool = True,
        limits: Limits | None = None,
        **faults: Any,
    ) -> None:
        self.log: list[Logged] = []
        self.content = content
        app = create_fhir_app(store, request_log=self.log, faults=Faults(**faults))
        base = stack.enter_context(serving(app))
        servers = FhirServers([(base, None)], narrow=narrow, limits=limits or Limits(page_size=5))
        connection = stack.enter_context(servers.connect(base, None, Deadline.after(20)))
        self.listening = Listening()

        def fetch(wanted: Sequence[Search]) -> list[Fetched]:
            answers = connection.fetch(WHO, wanted)
            self.listening.take(answers)
            return answers

        self.record = completed_chart(Record(WHO, None, {}, {}, {}), fetch, content, ASKED)

    def said(self) -> Json:
        """Everything that is said of the chart."""
        return assessment_json(assess(self.record, self.content, ASKED))

    def of(self, criterion: str) -> Json:
        """What is said of one criterion of the trial that the patient may join."""
        return next(one for one in self.said()["trials"][0]["criteria"] if one["id"] == criterion)

    def codes(self) -> list[set[str]]:
        """The codes of each search by codes."""
        asked = [parse_qs(one.query).get("combo-code") for one in self.log]
        return [set(one[0].split(",")) for one in asked if one]

    def pages(self) -> int:
        """How many further pages of lists were read."""
        return sum("_getpages" in one.query for one in self.log)


def test_older_results_are_asked_for_only_where_recent_ones_do_not_settle_it(
    stack: ExitStack, content: Content, store: Store
) -> None:
    old_glucose(store)
    store.put(result("hiv", HIV, effectiveDateTime="2016-03-01", valueCodeableConcept=POSITIVE))
    chart = Chart(stack, content, store)
    [codes] = chart.codes()
    assert HIV in codes  # results of any time count
    assert "751-8" not in codes  # the chart has a recent count
    assert chart.of("E13a")["status"] == "fail"
    assert chart.said() == Chart(stack, content, store, narrow=False).said()


def test_too_old_is_not_taken_for_never_done(
    stack: ExitStack, content: Content, store: Store
) -> None:
    for one in store.of_patient("Observation", WHO):
        if one["id"] == f"{WHO}-tsh":
            store.put(one | {"subject": {"reference": "Patient/nobody"}})
    value = {"value": 2, "unit": "m[IU]/L", "code": "m[IU]/L"}
    store.put(result("tsh", TSH, effectiveDateTime="2019-01-01", valueQuantity=value))
    chart = Chart(stack, content, store)
    assert [gap["gap"] for gap in chart.of("E17")["gaps"]] == ["too-old"]
    assert chart.said() == Chart(stack, content, store, narrow=False).said()


def test_a_server_that_knows_no_combo_code_after_all_is_read_whole(
    stack: ExitStack, content: Content, store: Store
) -> None:
    chart = Chart(stack, content, store, no_combo_code=True)
    assert chart.said() == Chart(stack, content, store, narrow=False).said()
    assert chart.record.whole_since() == {}


def test_where_results_stand_inside_of_others_the_list_is_read_whole(
    stack: ExitStack, content: Content, store: Store
) -> None:
    member = result("member", HIV, valueCodeableConcept=POSITIVE)
    old_glucose(store)
    for name, when in (("recent", "2026-02-20"), ("old", "2016-03-01")):
        panel = {"effectiveDateTime": when, "contained": [member] if name == "old" else []}
        store.put(result(f"panel-{name}", "x", **panel))
    inside = [result("inside", "y", valueInteger=1)]
    store.put(result("panel", "x", effectiveDateTime="2026-02-21", contained=inside))
    chart = Chart(stack, content, store)
    assert chart.of("E13a")["status"] == "fail"
    assert chart.record.whole_since() == {}
    assert chart.codes() == []


def test_older_results_that_do_not_all_come_leave_only_what_hangs_on_them_unknown(
    stack: ExitStack, content: Content, store: Store
) -> None:
    negative = {"valueString": "negative", "effectiveDateTime": "2016-03-01"}
    for number in range(50):
        store.put(result(f"hiv-{number}", HIV, **negative))
    whole = Chart(stack, content, store, narrow=False).said()["trials"][0]["criteria"]
    chart = Chart(stack, content, store, limits=Limits(page_size=8, max_pages=6))
    covered = chart.record.covered("Observation:laboratory")
    assert (covered.state, covered.since) == (Retrieval.CUT_OFF, date(2026, 2, 1))
    assert chart.of("E13a")["status"] == "unknown"
    assert chart.of("E13a")["gaps"] == [{"concept": "hiv_test", "gap": "not-retrieved"}]
    says = "Observation (laboratory) incomplete: it has too many pages"
    assert says in {one.says for one in chart.record.all_problems()}
    short = chart.said()["trials"][0]["criteria"]
    changed = {
        one["id"] for one, was in zip(short, whole, strict=True) if one["status"] != was["status"]
    }
    assert "I07b" not in changed
    assert {one["status"] for one in short if one["id"] in changed} == {"unknown"}


def test_the_page_says_what_the_card_said(stack: ExitStack, content: Content, store: Store) -> None:
    old_glucose(store)
    for limits in (Limits(page_size=5), Limits(page_size=8, max_pages=6)):
        chart = Chart(stack, content, store, limits=limits)
        facts = facts_from(chart.record, content.terminology, ASKED.zone, content.units)
        trials = [trial.id for trial in content.trials]
        assessment = assess_facts(facts, content, ASKED)
        now = report_of(assessment, facts, content, ASKED, trials=trials, dated=True)
        kept = kept_of(facts, content, ASKED.on, trials, dated=True)
        again = msgspec.json.decode(msgspec.json.encode(kept), type=Kept)
        assert report_from(again, content, ASKED.zone) == now


def test_what_was_kept_of_a_list_read_in_part_comes_to_the_same_again(
    stack: ExitStack, content: Content, store: Store
) -> None:
    old_glucose(store)
    chart = Chart(stack, content, store)
    kept = unpacked(Input(WHO, {}, asked=True, heard=chart.listening.rounds).packed())
    told = completed_chart(Record(WHO, None, {}, {}, {}), Telling(kept.heard).fetch, content, ASKED)
    assert assessment_json(assess(told, content, ASKED)) == chart.said()


def test_codes_that_nobody_had_asked_for_are_not_taken_for_absent_later(
    stack: ExitStack, content: Content, store: Store
) -> None:
    """Other content may ask for concepts that these searches did not."""
    old_glucose(store)
    chart = Chart(stack, content, store)
    rounds = [
        tuple(msgspec.structs.replace(one, codes=one.codes - {HIV}) for one in heard)
        for heard in chart.listening.rounds
    ]
    told = completed_chart(Record(WHO, None, {}, {}, {}), Telling(rounds).fetch, content, ASKED)
    said = assessment_json(assess(told, content, ASKED))["trials"][0]["criteria"]
    found = {one["id"]: one for one in said}
    assert chart.of("E13a")["status"] == "pass"
    assert found["E13a"]["status"] == "unknown"
    assert found["E13a"]["gaps"] == [{"concept": "hiv_test", "gap": "not-retrieved"}]
    assert found["I07b"] == chart.of("I07b")


@pytest.mark.parametrize("parts", ["yes", "no"])
def test_the_page_says_once_since_when_results_were_read(
    stack: ExitStack, content: Content, store: Store, tmp_path: Path, parts: str
) -> None:
    old_glucose(store)
    base = stack.enter_context(serving(create_fhir_app(store)))
    settings = replace(
        Settings(fhir_allow=(FhirBase(base),), fhir_parts=parts, fhir_page_size=5),
        database_url=f"sqlite:///{tmp_path / 's.db'}",
    )
    service = create_app(settings, content, lambda: ASKED.on).test_client()
    request = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "fhirServer": base,
        "context": {"userId": "Practitioner/x", "patientId": WHO},
    }
    [card] = service.post("/cds-services/trial-eligibility", json=request).get_json()["cards"]
    page = service.get(urlsplit(card["links"][0]["url"]).path).get_data(as_text=True)
    says = "Results of before 1 Feb 2026 were read where they are needed only"
    assert page.count(says) == (1 if parts == "yes" else 0)
