"""What decides is asked first; the rest of a chart only where it can matter."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, assess, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.assessment import assessment_json
from cds.core.criterion import Status
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.settings import FhirBase, Settings
from cds.web.fhir_endpoint import Faults, Logged, create_fhir_app, load_fixtures, serving
from cds.web.remote import RemoteFault, chart_of, servers_for

if TYPE_CHECKING:
    from cds.fhir.record import Record

ASKED = Evaluation.of(date(2026, 3, 1))
STORE = load_fixtures(bundled_fixtures(), None)


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


def fetched(patient: str, content: Content, **how: Any) -> tuple[Record, list[str]]:
    """The record of a patient, and the resource types in the order of the requests."""
    log: list[Logged] = []
    with serving(create_fhir_app(STORE, request_log=log, **how)) as base:
        servers = servers_for(Settings(fhir_allow=(FhirBase(base),)), base)
        record = chart_of(servers, base, None, patient, content, ASKED)
    return record, [one.path.removeprefix("/fhir/").partition("/")[0] for one in log]


@pytest.mark.parametrize("patient", ["ordinary-chart", "desmoid-refuted", "deceased"])
def test_a_chart_without_a_target_diagnosis_takes_two_requests(
    patient: str, content: Content
) -> None:
    record, asked = fetched(patient, content)
    assert sorted(asked) == ["Condition", "Patient"]
    for trial in assessment_json(assess(record, content, ASKED))["trials"]:
        assert [one["status"] for one in trial["criteria"]] == ["fail"]


def test_what_was_not_asked_never_looks_as_if_it_had_been_read(content: Content) -> None:
    record, _ = fetched("ordinary-chart", content)
    states = record.retrieval()
    assert states["Condition"] is Retrieval.COMPLETE
    assert states["Observation:laboratory"] is Retrieval.NOT_RETRIEVED
    says = [one.says for one in record.all_problems()]
    assert any("MedicationRequest not read: no trial's target diagnosis" in one for one in says)


def test_a_target_diagnosis_brings_the_whole_chart(content: Content) -> None:
    record, asked = fetched("desmoid-ready", content)
    assert set(asked[:2]) == {"Patient", "Condition"}
    assert sorted(asked[2:]) == [
        "MedicationAdministration",
        "MedicationRequest",
        "MedicationStatement",
        "Observation",
        "Procedure",
    ]
    assert record.all_problems() == ()


def test_conditions_that_cannot_be_read_rule_nothing_out(content: Content) -> None:
    record, asked = fetched(
        "ordinary-chart", content, faults=Faults(forbidden_types=frozenset({"Condition"}))
    )
    assert "Observation" in asked
    targets = [one.target for one in assess(record, content, ASKED).determinations]
    assert [one.status for one in targets] == [Status.UNKNOWN] * 2


@pytest.mark.parametrize(
    ("patient", "faults", "says"),
    [
        ("nobody", Faults(), "does not have it"),
        ("desmoid-ready", Faults(unauthorized=True), "does not accept the access token"),
        ("desmoid-ready", Faults(html=True), "is no FHIR"),
        ("Patient/desmoid-ready", Faults(), "is no FHIR id"),
    ],
    ids=["no such patient", "no token", "a login page", "a reference for an id"],
)
def test_a_patient_that_cannot_be_read_ends_in_one_sentence(
    patient: str, faults: Faults, says: str, content: Content
) -> None:
    with pytest.raises(RemoteFault, match=says) as problem:
        fetched(patient, content, faults=faults)
    assert "desmoid" not in str(problem.value)


@pytest.mark.parametrize(
    "base", ["http://192.0.2.7/fhir", "file:///etc/passwd", "fhir", "https://u:p@e.example/r4"]
)
def test_a_base_that_may_not_be_called_is_refused_before_anything_is_sent(base: str) -> None:
    with pytest.raises(RemoteFault, match="no usable FHIR base"):
        servers_for(Settings(), base)
