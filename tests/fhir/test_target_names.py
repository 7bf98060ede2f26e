"""A trial's target diagnosis is looked for in an entry's words, whatever its code says."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import assess_facts, assess_for_cards, load_content
from cds.cohort.judging import Found, Judge
from cds.content.bundled import bundled_content
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_resources
from cds.fhir.retrieved import COMPLETE, KINDS

if TYPE_CHECKING:
    from cds.assess import Content
    from cds.core.facts import Facts

CM = "http://hl7.org/fhir/sid/icd-10-cm"
WHO = "http://hl7.org/fhir/sid/icd-10"
SNOMED = "http://snomed.info/sct"
ASKED = Evaluation.of(date(2026, 3, 1))
ALL = dict.fromkeys(KINDS.values(), COMPLETE)
DESMOID, RMS = "NCT05490667", "NCT07137884"


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


@pytest.fixture(scope="module")
def judge(content: Content) -> Judge:
    return Judge(content, ASKED, ALL)


def said(text: str, *codes: tuple[str, str]) -> dict[str, Any]:
    """A code with a text."""
    return {"coding": [{"system": system, "code": code} for system, code in codes], "text": text}


def shown(system: str, code: str, display: str) -> dict[str, Any]:
    """A coding with its display."""
    return {"system": system, "code": code, "display": display}


def chart(*codes: dict[str, Any], **fields: Any) -> list[bytes]:
    """A girl of 13 with diagnoses."""
    patient = {"resourceType": "Patient", "id": "p", "gender": "female", "birthDate": "2012-06-01"}
    conditions = [
        {"resourceType": "Condition", "id": str(n), "subject": {"reference": "Patient/p"}}
        | {"code": code}
        | fields
        for n, code in enumerate(codes)
    ]
    return [json.dumps(one).encode() for one in (patient, *conditions)]


def facts_of(content: Content, lines: list[bytes]) -> Facts:
    record = record_from_resources(lines, ALL)
    return facts_from(record, content.terminology, ASKED.zone, content.units)


def statuses(content: Content, lines: list[bytes]) -> dict[str, str]:
    """The statuses of both trials' criteria, by `trial id`."""
    assessment = assess_facts(facts_of(content, lines), content, ASKED)
    return {
        f"{one.trial.id} {decision.criterion.id}": decision.status.value
        for one in assessment.determinations
        for decision in one.decisions
    }


UNSPECIFIC = [
    (f"{DESMOID} I01a", said("Desmoid tumor of abdominal wall", (CM, code)))
    for code in ("D48.1", "D48.19", "D21.9", "D48.3", "Z86.03", "K56.609", "C49.4")
] + [
    (f"{RMS} I04a", code)
    for code in (
        said("Embryonal rhabdomyosarcoma", (CM, "C49.9")),
        said("Embryonal rhabdomyosarcoma", (WHO, "C49.9")),
        said("Embryonal rhabdomyosarcoma of orbit", (CM, "C69.61")),
        said("Embryonal rhabdomyosarcoma", (CM, "C67.9")),
        said("Embryonal rhabdomyosarcoma", (CM, "C11.9")),
        said("Embryonal rhabdomyosarcoma", (CM, "Z85.831")),
        said("Embryonal rhabdomyosarcoma", (CM, "R69")),
        said("ERMS, orbit", (CM, "C69.61")),
        said("RMS", (CM, "C49.9")),
        {"coding": [shown(CM, "C49.9", "Alveolar rhabdomyosarcoma")]},
        {"coding": [shown(CM, "C49.9", "Soft tissue"), shown(SNOMED, "9", "Rhabdomyosarcoma")]},
    )
]


@pytest.mark.parametrize(("criterion", "code"), UNSPECIFIC)
def test_a_target_named_beside_an_unspecific_code_is_for_a_human(
    content: Content, judge: Judge, criterion: str, code: dict[str, Any]
) -> None:
    """In an evaluation, for the hook's cards, and in a cohort, which must not pass it over."""
    lines = chart(code)
    assert statuses(content, lines)[criterion] == "review"
    cards = assess_for_cards(facts_of(content, lines), content, ASKED, None)
    assert [one.trial.id for one in cards.determinations] == criterion.split()[:1]
    assert not judge.glance("p", lines, Found())


@pytest.mark.parametrize(
    "code",
    [
        said("pain in both arms", (CM, "M79.601")),
        said("PAIN IN BOTH ARMS", (CM, "M79.601")),
        said("plantar fibromatosis", (CM, "M72.2")),
        said("cold", (CM, "J00")),
        said("cold, no desmoid", (CM, "J00")),
        said("Family history of rhabdomyosarcoma", (CM, "Z80.8")),
        said("No evidence of desmoid tumour", (CM, "Z08")),
        said("soft tissue sarcoma", (CM, "C49.9")),
    ],
)
def test_other_words_beside_a_code_are_no_target(content: Content, code: dict[str, Any]) -> None:
    assert set(statuses(content, chart(code)).values()) == {"fail"}


def test_a_code_that_decides_says_more_than_the_words(content: Content) -> None:
    lines = chart(said("Desmoid tumor", (CM, "D48.111")))
    assert statuses(content, lines)[f"{DESMOID} I01a"] == "pass"
    lines = chart(said("Rhabdomyosarcoma", (CM, "C49.9"), (SNOMED, "302847003")))
    assert statuses(content, lines)[f"{RMS} I04a"] == "pass"
    assert statuses(content, lines)[f"{RMS} E19"] == "pass"


def test_names_of_what_is_no_target_stay_unread_beside_a_code(content: Content) -> None:
    cold = said("cold, no deep vein thrombosis, no breast cancer", (CM, "J00"))
    assert set(facts_of(content, chart(cold)).conditions) == {"active_infection"}


def test_a_code_for_any_illness_says_nothing(content: Content) -> None:
    """ICD-10-CM R69: the words say what it is, for every concept."""
    facts = facts_of(content, chart(said("Deep vein thrombosis", (CM, "r69"))))
    ((_, mark),) = facts.conditions["dvt"]
    assert not mark.decides
    assert facts_of(content, chart(said("itch", (CM, "R69")))).unrecognised["Condition"] == 1


RMS_ITSELF = said("RMS", (SNOMED, "302847003"))


@pytest.mark.parametrize(
    "code",
    [
        said("Embryonal rhabdomyosarcoma of orbit", (CM, "C69.61")),
        said("rhabdomyosarcoma of bladder", (CM, "C67.9")),
    ],
)
def test_the_rhabdomyosarcoma_under_a_site_code_rules_nobody_out(
    content: Content, code: dict[str, Any]
) -> None:
    assert statuses(content, chart(RMS_ITSELF, code))[f"{RMS} E19"] == "review"


def test_the_desmoid_tumour_under_a_malignancy_code_rules_nobody_out(content: Content) -> None:
    lines = chart(said("D", (CM, "D48.110")), said("Desmoid tumor of abdomen", (CM, "C76.2")))
    assert statuses(content, lines)[f"{DESMOID} E03"] == "review"


@pytest.mark.parametrize(
    "text",
    [
        "Breast cancer with metastases",
        "Metastatic osteosarcoma with metastases",
        "soft tissue sarcoma",
        "Breast cancer after rhabdomyosarcoma",
    ],
)
def test_an_exception_that_words_alone_name_hides_no_malignancy(
    content: Content, text: str
) -> None:
    assert statuses(content, chart(RMS_ITSELF, {"text": text}))[f"{RMS} E19"] == "review"
