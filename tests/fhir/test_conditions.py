"""criteria/README's "Conditions", as far as one entry decides them."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.core.facts import Clinical, Condition, Mark
from cds.core.truth import Truth
from cds.core.when import Evaluation

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import Facts

    FactsOf = Callable[..., Facts]

SNOMED = "http://snomed.info/sct"
ICD = "http://hl7.org/fhir/sid/icd-10-cm"
DVT = {"coding": [{"system": ICD, "code": "I82.401"}]}


def condition(code: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {"resourceType": "Condition", "code": code or DVT, **fields}


def status(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://terminology.hl7.org/x", "code": code}]}


def only(facts_of: FactsOf, concept: str = "dvt", **fields: Any) -> tuple[Condition, Mark]:
    (pair,) = facts_of(condition(**fields)).conditions[concept]
    return pair


@pytest.mark.parametrize("code", ["refuted", "entered-in-error"])
def test_a_refuted_condition_is_no_fact(facts_of: FactsOf, code: str) -> None:
    facts = facts_of(condition(verificationStatus=status(code)))
    assert facts.conditions.get("dvt", ()) == ()


@pytest.mark.parametrize("code", ["unconfirmed", "provisional", "differential", "whatever"])
def test_an_unconfirmed_condition_is_doubtful(facts_of: FactsOf, code: str) -> None:
    assert only(facts_of, verificationStatus=status(code))[0].doubtful
    assert only(facts_of, verificationStatus={"text": code})[0].doubtful


@pytest.mark.parametrize("verification", [None, status("confirmed"), {"text": "Confirmed"}, {}])
def test_a_confirmed_condition_and_one_without_verification_are_certain(
    facts_of: FactsOf, verification: dict[str, Any] | None
) -> None:
    found, mark = only(facts_of, verificationStatus=verification)
    assert not found.doubtful
    assert mark.decides


@pytest.mark.parametrize(
    ("clinical", "expected"),
    [
        (status("active"), Clinical.ACTIVE),
        (status("recurrence"), Clinical.ACTIVE),
        (status("relapse"), Clinical.ACTIVE),
        (status("inactive"), Clinical.INACTIVE),
        (status("remission"), Clinical.INACTIVE),
        (status("resolved"), Clinical.INACTIVE),
        ({"text": "Resolved"}, Clinical.INACTIVE),
        (None, Clinical.NOT_STATED),
    ],
)
def test_clinical_status_is_active_over_or_not_stated(
    facts_of: FactsOf, clinical: dict[str, Any] | None, expected: Clinical
) -> None:
    found, _ = only(facts_of, clinicalStatus=clinical)
    assert found.clinical is expected
    assert not found.doubtful


def test_a_status_that_nobody_knows_makes_the_entry_doubtful(facts_of: FactsOf) -> None:
    assert only(facts_of, clinicalStatus=status("sleeping"))[0].doubtful
    both = {"coding": [{"code": "active"}, {"code": "resolved"}]}
    assert only(facts_of, clinicalStatus=both)[0].doubtful
    assert only(facts_of, clinicalStatus=7)[0].doubtful
    assert only(facts_of, verificationStatus=7)[0].doubtful


MARCH = Evaluation.of(date(2026, 3, 1)).end


@pytest.mark.parametrize(
    ("fields", "over"),
    [
        ({}, Truth.NOT_MET),
        ({"abatementDateTime": "2020"}, Truth.MET),
        ({"abatementDateTime": "2026-03-01"}, Truth.MET),
        ({"abatementDateTime": "2026-03-01T23:59:59Z"}, Truth.MET),
        ({"abatementDateTime": "2026-03-02"}, Truth.NOT_MET),
        ({"abatementDateTime": "2026-03-02T00:00:00Z"}, Truth.NOT_MET),
        ({"abatementDateTime": "2026-09-01"}, Truth.NOT_MET),
        ({"abatementDateTime": "2026-03"}, Truth.UNKNOWN),
        ({"abatementDateTime": "2026"}, Truth.UNKNOWN),
        ({"abatementPeriod": {"start": "2026-08-01", "end": "2026-09-01"}}, Truth.NOT_MET),
        ({"abatementPeriod": {"start": "2026-02-01", "end": "2026-09-01"}}, Truth.UNKNOWN),
        ({"abatementPeriod": {"start": "2026-02-01", "end": "2026-02-20"}}, Truth.MET),
        ({"abatementPeriod": {"start": "2026-02-01"}}, Truth.UNKNOWN),
        ({"abatementPeriod": {"end": "2026-02-20"}}, Truth.MET),
        ({"abatementAge": {"value": 35, "code": "a"}}, Truth.UNKNOWN),
        ({"abatementAge": {"value": 34, "code": "a"}}, Truth.MET),
        ({"abatementString": "when it is"}, Truth.UNKNOWN),
        ({"abatementDateTime": "soon"}, Truth.UNKNOWN),
    ],
)
def test_without_a_status_an_end_says_whether_it_is_over(
    facts_of: FactsOf, fields: dict[str, Any], over: Truth
) -> None:
    """An end after the day that is asked about is no fact yet; a vague one leaves it open."""
    assert only(facts_of, **fields)[0].over(MARCH) is over


@pytest.mark.parametrize(
    ("clinical", "over"),
    [("active", Truth.NOT_MET), ("resolved", Truth.MET), ("sleeping", Truth.NOT_MET)],
)
@pytest.mark.parametrize("end", ["2020", "2026", "2027"])
def test_a_status_says_more_than_an_end(
    facts_of: FactsOf, clinical: str, end: str, over: Truth
) -> None:
    found, _ = only(facts_of, abatementDateTime=end, clinicalStatus=status(clinical))
    assert found.over(MARCH) is over


@pytest.mark.parametrize(
    ("fields", "event"),
    [
        ({"onsetDateTime": "2025-12-01", "recordedDate": "2026-01-01"}, "2025-12-01"),
        ({"recordedDate": "2026-01-01"}, "2026-01-01"),
        ({"onsetPeriod": {"start": "2025-01-01", "end": "2025-02-01"}}, "2025-01-01/2025-02-01"),
        ({"onsetPeriod": {"start": "2025-01-01"}}, "2025-01-01"),
        ({"onsetAge": {"value": 35, "code": "a"}}, "at 35 years of age"),
        ({"onsetString": "as a child", "recordedDate": "2026-01-01"}, None),
        ({"onsetDateTime": "once", "recordedDate": "2026-01-01"}, None),
        ({"onsetAge": {"value": 35}, "recordedDate": "2026-01-01"}, None),
        ({"recordedDate": 5}, None),
        ({}, None),
    ],
)
def test_an_event_is_dated_by_its_onset_else_by_its_record(
    facts_of: FactsOf, fields: dict[str, Any], event: str | None
) -> None:
    when = only(facts_of, **fields)[0].event
    assert (when.text if when else None) == event


def test_an_age_at_onset_is_a_year_after_that_birthday(facts_of: FactsOf) -> None:
    when = only(facts_of, onsetAge={"value": 35, "unit": "years"})[0].event
    assert when is not None
    assert (when.first.isoformat(), when.last.isoformat()) == ("2025-05-17", "2026-05-16")


@pytest.mark.parametrize(
    ("age", "first", "last", "text"),
    [
        ({"value": 1, "code": "a"}, "1991-05-17", "1992-05-16", "at 1 year of age"),
        ({"value": 5.5, "code": "a"}, "1995-05-17", "1996-05-16", "at 5.5 years of age"),
        ({"value": 5.0, "code": "a"}, "1995-05-17", "1996-05-16", "at 5 years of age"),
        ({"value": 30, "code": "a"}, "2020-05-17", "2021-05-16", "at 30 years of age"),
        ({"value": 6, "code": "mo"}, "1990-11-17", "1990-12-16", "at 6 months of age"),
        ({"value": 2, "code": "wk"}, "1990-05-31", "1990-06-06", "at 2 weeks of age"),
        ({"value": 3, "code": "d"}, "1990-05-20", "1990-05-20", "at 3 days of age"),
        ({"value": 0, "code": "d"}, "1990-05-17", "1990-05-17", "at 0 days of age"),
        ({"value": 30, "code": "h"}, "1990-05-18", "1990-05-19", "at 30 hours of age"),
        ({"value": 10000, "code": "d"}, "2017-10-02", "2017-10-02", "at 10000 days of age"),
    ],
)
def test_an_age_is_every_day_on_which_somebody_was_so_old(
    facts_of: FactsOf, age: dict[str, Any], first: str, last: str, text: str
) -> None:
    """Whole units are completed ones; of a fraction nobody knows how it was rounded."""
    when = only(facts_of, onsetAge=age)[0].event
    assert when is not None
    assert (when.first.isoformat(), when.last.isoformat(), when.text) == (first, last, text)


@pytest.mark.parametrize(
    "age",
    [
        {"value": -1, "code": "a"},
        {"value": 151, "code": "a"},
        {"value": 60000, "code": "d"},
        {"value": 5, "code": "a", "comparator": "<"},
        {"value": 5, "code": "furlong"},
        {"code": "a"},
    ],
)
def test_an_age_that_nobody_has_is_no_date(facts_of: FactsOf, age: dict[str, Any]) -> None:
    assert only(facts_of, onsetAge=age)[0].event is None


@pytest.mark.parametrize(
    ("fields", "ended", "unreadable"),
    [
        ({"abatementDateTime": "2020-05"}, "2020-05", False),
        ({"abatementPeriod": {"start": "2020-01", "end": "2020-03"}}, "2020-01/2020-03", False),
        ({"abatementAge": {"value": 30, "unit": "a"}}, "at 30 years of age", False),
        ({"abatementString": "long ago"}, None, True),
        ({"abatementDateTime": "long ago"}, None, True),
        ({}, None, False),
    ],
)
def test_an_end_is_a_date_or_known_to_be_unreadable(
    facts_of: FactsOf,
    fields: dict[str, Any],
    ended: str | None,
    unreadable: bool,  # noqa: FBT001
) -> None:
    found, _ = only(facts_of, **fields)
    assert (found.ended.text if found.ended else None) == ended
    assert found.ended_unreadable is unreadable


def test_every_coding_of_an_entry_is_looked_up(facts_of: FactsOf) -> None:
    both = {"coding": [{"system": "urn:oid:1", "code": "CLOT"}, *DVT["coding"]], "text": "a clot"}
    found, mark = only(facts_of, code=both)
    assert found.display == "a clot"
    assert mark.decides


@pytest.mark.parametrize("system", ["urn:oid:2.16.840.1.113883.6.90", ICD])
@pytest.mark.parametrize("code", ["I82.401", "I82401", "i82.401"])
def test_icd_codes_match_with_and_without_dot_under_their_own_system(
    facts_of: FactsOf, system: str, code: str
) -> None:
    assert facts_of(condition({"coding": [{"system": system, "code": code}]})).conditions["dvt"]


def test_a_text_alone_is_evidence_for_a_human(facts_of: FactsOf) -> None:
    facts = facts_of(condition({"text": "Left leg deep vein thrombosis, 2024"}))
    ((found, mark),) = facts.conditions["dvt"]
    assert not mark.decides
    assert found.display == "Left leg deep vein thrombosis, 2024"
    assert facts.unrecognised["Condition"] == 0


def test_a_local_code_is_read_by_its_words(facts_of: FactsOf) -> None:
    local = {"coding": [{"system": "urn:oid:1", "code": "X", "display": "Pulmonary embolism"}]}
    ((_, mark),) = facts_of(condition(local)).conditions["pulmonary_embolism"]
    assert not mark.decides


def test_a_snomed_code_that_no_list_holds_is_read_by_its_words(facts_of: FactsOf) -> None:
    unlisted = {
        "coding": [{"system": SNOMED, "code": "999999", "display": "Sarcoma of elbow (disorder)"}]
    }
    ((found, mark),) = facts_of(condition(unlisted)).conditions["other_malignancy"]
    assert not mark.decides
    assert "other_malignancy" in found.concepts


def test_an_icd_code_that_no_list_holds_says_that_it_is_none_of_them(facts_of: FactsOf) -> None:
    cold = {"coding": [{"system": ICD, "code": "J00"}], "text": "cold, no deep vein thrombosis"}
    facts = facts_of(condition(cold))
    assert facts.conditions.get("dvt", ()) == ()
    assert facts.unrecognised["Condition"] == 0


def test_what_nobody_knows_is_counted(facts_of: FactsOf) -> None:
    strange = condition({"text": "itchy elbow of unclear origin"})
    facts = facts_of(strange, strange | {"id": "other"}, condition())
    assert facts.unrecognised["Condition"] == 2
    assert facts.totals["Condition"] == 3


def test_a_history_code_says_that_it_was_not_that_it_is(facts_of: FactsOf) -> None:
    history = {"coding": [{"system": ICD, "code": "Z85.3"}]}
    pairs = facts_of(condition(history)).conditions
    marks = [mark for found in pairs.values() for _, mark in found]
    assert marks
    assert all(mark.history for mark in marks)
