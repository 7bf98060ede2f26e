"""A glance at a chart says what reading it properly says, or leaves it to that."""

from __future__ import annotations

import json
from datetime import date
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.assess import Content, load_content
from cds.cohort.judging import Found, Judge
from cds.content.bundled import bundled_content
from cds.core.facts import Retrieval
from cds.core.when import Evaluation
from cds.fhir.record import record_from_resources
from cds.fhir.retrieved import COMPLETE, KINDS, Coverage

if TYPE_CHECKING:
    from collections.abc import Mapping

CM = "http://hl7.org/fhir/sid/icd-10-cm"
SNOMED = "http://snomed.info/sct"
CONTENT = load_content([bundled_content()])
ALL = dict.fromkeys(KINDS.values(), COMPLETE)
ASKED = Evaluation.of(date(2026, 3, 1), ZoneInfo("UTC"))
JUDGE = Judge(CONTENT, ASKED, ALL)

CODES = [
    {"coding": [{"system": CM, "code": "J45.909", "display": "Asthma"}]},
    {"coding": [{"system": SNOMED, "code": "195967001"}], "text": "Asthma"},
    {"coding": [{"system": "urn:oid:2.999.1", "code": "X1", "display": "Local word"}]},
    {"text": "something that nobody lists"},
    {"text": ""},
    {},
    {"coding": [{"system": CM, "code": "D48.110", "display": "Desmoid tumor"}]},
    {"coding": [{"system": CM, "code": "D48.1"}]},
    {"coding": [{"system": CM, "code": "C49.20"}]},
    {"text": "desmoid tumour?"},
    None,
    {"coding": [{"system": CM, "code": "D48.1"}], "text": "Desmoid tumor of abdominal wall"},
    {"coding": [{"system": CM, "code": "C69.61", "display": "Embryonal rhabdomyosarcoma"}]},
    {"coding": [{"system": CM, "code": "R69"}], "text": "desmoid tumour"},
    {"coding": [{"system": CM, "code": "R69"}], "text": "something that nobody lists"},
    {"coding": [{"system": CM, "code": "J00"}], "text": "cold, no desmoid"},
]
VERIFIED = "http://terminology.hl7.org/CodeSystem/condition-ver-status"
STATUSES = [None, "confirmed", "refuted", "entered-in-error", "provisional"]
PATIENTS = [{}, {"deceasedBoolean": False}, {"deceasedBoolean": True}, {"animal": {}}]
OWNERS = ["Patient/p", "http://x/Patient/p", "Patient/q", None]


def common(kind: str) -> Any:
    return st.fixed_dictionaries(
        {
            "resourceType": st.just(kind),
            "id": st.sampled_from(["1", "2", "3", "4", None]),
            "code": st.sampled_from(CODES[:6] * 4 + CODES),
            "subject": st.sampled_from(OWNERS[:1] * 9 + OWNERS).map(
                lambda owner: owner and {"reference": owner}
            ),
        }
    )


conditions = st.tuples(common("Condition"), st.sampled_from(STATUSES)).map(
    lambda made: (
        made[0]
        | (
            {"verificationStatus": {"coding": [{"system": VERIFIED, "code": made[1]}]}}
            if made[1]
            else {}
        )
    )
)
procedures = st.tuples(common("Procedure"), st.sampled_from(["completed", "not-done", None])).map(
    lambda made: made[0] | ({"status": made[1]} if made[1] else {})
)
# What FHIR does not allow there, and earlier versions of it do.
odd = st.fixed_dictionaries(
    {},
    optional={
        "clinicalStatus": st.sampled_from(
            ["active", {"coding": [{"code": "active"}]}, 7, [], None]
        ),
        "verificationStatus": st.sampled_from(["confirmed", {"coding": "x"}, None]),
        "category": st.sampled_from([{"text": "surgery"}, [{"text": "surgery"}], "surgery", None]),
        "status": st.sampled_from([7, ["completed"], None]),
        "code": st.sampled_from(["J45.909", [CODES[0]], {"coding": {"code": "J45.909"}}]),
        "subject": st.sampled_from(["Patient/p", {"reference": 7}]),
        "patient": st.just({"reference": "Patient/p"}),
        "notDone": st.sampled_from([True]),
    },
)
entries = st.tuples(st.one_of(conditions, procedures), st.one_of(st.just({}), odd)).map(
    lambda made: made[0] | made[1]
)
charts = st.tuples(
    st.sampled_from(PATIENTS[:1] * 5 + PATIENTS),
    st.lists(entries, max_size=4),
).map(lambda made: [{"resourceType": "Patient", "id": "p", **made[0]}, *made[1]])


def lines(chart: list[dict[str, Any]]) -> list[bytes]:
    return [json.dumps(one).encode() for one in chart]


def told(found: Found) -> Any:
    tables = [found.rows.determinations(), found.rows.criteria(), found.rows.names()]
    entries = {kind: count for kind, count in found.entries.items() if count}
    return [table.to_pylist() for table in tables], found.rows.possible, entries, found.deceased


@given(charts)
def test_a_glance_says_what_reading_the_chart_says(chart: list[dict[str, Any]]) -> None:
    seen, read = Found(), Found()
    if JUDGE.glance("p", lines(chart), seen):
        JUDGE.add(record_from_resources(lines(chart), ALL), read)
        assert told(seen) == told(read)
    else:
        assert told(seen) == told(Found())


def test_most_charts_need_no_more_than_a_glance() -> None:
    asthma = {"resourceType": "Condition", "id": "1", "code": CODES[0]}
    chart: list[dict[str, Any]] = [
        {"resourceType": "Patient", "id": "p"},
        asthma | {"subject": {"reference": "Patient/p"}},
    ]
    assert JUDGE.glance("p", lines(chart), Found())


def with_diagnosis(code: Any) -> list[dict[str, Any]]:
    condition = {"resourceType": "Condition", "id": "1", "code": code}
    return [
        {"resourceType": "Patient", "id": "p"},
        condition | {"subject": {"reference": "Patient/p"}},
    ]


@pytest.mark.parametrize("code", [CODES[6], CODES[9], *CODES[11:14]])
def test_a_chart_that_may_hold_a_target_is_always_read_in_full(code: Mapping[str, Any]) -> None:
    assert not JUDGE.glance("p", lines(with_diagnosis(code)), Found())


@pytest.mark.parametrize("code", CODES[7:9])
def test_a_diagnosis_that_leaves_open_whether_it_is_the_target_is_never_passed_over(
    code: Mapping[str, Any],
) -> None:
    found = Found()
    JUDGE.glance("p", lines(with_diagnosis(code)), found)
    assert {row[2] for row in found.rows.possible} == {"Condition/1"}


def test_what_ends_in_the_rejects_is_read_in_full() -> None:
    """Whoever keeps the rejects must see the fault; a glance only leaves it to them."""
    two = [{"resourceType": "Patient", "id": name} for name in "pq"]
    found = Found()
    assert not JUDGE.glance("p", lines(two), found)
    assert told(found) == told(Found())


def test_where_conditions_were_not_read_a_glance_is_not_enough(content: Content) -> None:
    coverage = ALL | {"Condition": Coverage(Retrieval.PARTIAL, "damaged")}
    judge = Judge(content, ASKED, coverage)
    assert not judge.glance("p", lines([{"resourceType": "Patient", "id": "p"}]), Found())
