"""Findings, procedures and drugs: criteria README, Medications and Conditions."""

from __future__ import annotations

from datetime import UTC, date
from typing import Any

import pytest

from cds.core.answer import Answer, Gap
from cds.core.facts import (
    Clinical,
    Condition,
    Course,
    Exposure,
    Facts,
    Mark,
    Patient,
    Procedure,
    Retrieval,
)
from cds.core.truth import Truth
from cds.core.when import Evaluation, Span, When, read_when
from cds.engine.finding import Finding
from cds.engine.medication import Medication, Time
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone
from cds.engine.window import Window

ASKED = Evaluation.of(date(2026, 3, 1))
PATIENT = Patient("Patient/p", read_when("1990-05-05"), "female")
SEVEN_DAYS = Window(Span(days=7))
DATE, JUDGEMENT, NOT_RETRIEVED = {Gap.DATE}, {Gap.JUDGEMENT}, {Gap.NOT_RETRIEVED}


def when(text: str | None) -> When | None:
    """A date, or none."""
    return None if text is None else read_when(text, UTC)


def gaps(got: Answer) -> set[Gap]:
    """The gaps of an answer."""
    return {missing.gap for missing in got.gaps}


def drug(
    course: Course = Course.ACTIVE, start: str | None = None, end: str | None = None, **more: Any
) -> Exposure:
    """One exposure to clarithromycin."""
    more = {k: when(v) if k == "assumed_end" else v for k, v in more.items()}
    return Exposure(
        "MedicationStatement/m", "clarithromycin", course, when(start), when(end), **more
    )


def taken(
    *drugs: Exposure, mark: Mark | None = None, time: Time = Time.WINDOW, **facts: Any
) -> Answer:
    """Whether the drug was taken within 7 days (ever, now)."""
    form = Medication(("d",), "drug", time, SEVEN_DAYS if time is Time.WINDOW else None)
    entries = [(exposure, mark or Mark(ingredient="clarithromycin")) for exposure in drugs]
    return form.answer(Facts(PATIENT, exposures={"d": entries}, **facts), ASKED)


@pytest.mark.parametrize(
    ("exposure", "truth", "clears_on"),
    [
        (drug(Course.PAST, end="2026-02-22"), Truth.MET, date(2026, 3, 2)),
        (drug(Course.PAST, end="2026-02-21"), Truth.NOT_MET, None),
        (drug(Course.ACTIVE, "2020-01-01"), Truth.MET, None),
        (drug(Course.ACTIVE), Truth.MET, None),
        (drug(Course.ACTIVE, "2026-02-20", "2026-03-05"), Truth.MET, date(2026, 3, 13)),
        (drug(Course.ACTIVE, "2026-01-01", "2026-02-01"), Truth.NOT_MET, None),
        (drug(Course.PAST, "2026-02-25"), Truth.MET, None),
        (drug(Course.PAST, "2026-02-01"), Truth.UNKNOWN, None),
        (drug(Course.UNCERTAIN, "2026-02-01"), Truth.UNKNOWN, None),
        (drug(Course.PAST), Truth.UNKNOWN, None),
        (drug(Course.PAST, "2025-01-01", assumed_end="2025-02-01"), Truth.NOT_MET, None),
        (drug(Course.PAST, "2026-02-01", assumed_end="2026-02-28"), Truth.UNKNOWN, None),
        (drug(Course.PAST, "2026-02-25", assumed_end="2026-03-04"), Truth.MET, date(2026, 3, 5)),
        (drug(Course.INTENDED, "2026-01-01", "2026-03-04"), Truth.MET, date(2026, 3, 5)),
        (drug(Course.PAST, "2026-02", "2026-02-24"), Truth.MET, date(2026, 3, 4)),
        (drug(Course.PAST, end="2026-02"), Truth.UNKNOWN, None),
        (drug(Course.ACTIVE, "2026-03-05"), Truth.NOT_MET, None),
        (drug(Course.ACTIVE, dates_unreadable=True), Truth.UNKNOWN, None),
        (drug(Course.INTENDED, "2026-01-01"), Truth.MET, None),
        (drug(Course.INTENDED, "2026-01-01", "2026-02-28"), Truth.NOT_MET, None),
    ],
)
def test_when_a_drug_was_last_taken_decides_a_washout(
    exposure: Exposure, truth: Truth, clears_on: date | None
) -> None:
    """The seventh day is inside; what is not known stays unknown; running drugs never clear."""
    got = taken(exposure)
    assert got.truth is truth
    assert got.changes_on == clears_on
    assert gaps(got) == (DATE if truth is Truth.UNKNOWN else set())


@pytest.mark.parametrize(
    ("exposure", "truth"),
    [
        (drug(Course.ACTIVE), Truth.MET),
        (drug(Course.ACTIVE, "2026-01-01", "2026-03-01"), Truth.MET),
        (drug(Course.ACTIVE, "2026-01-01", "2026-02-28"), Truth.NOT_MET),
        (drug(Course.ACTIVE, end="2026-03"), Truth.MET),
        (drug(Course.ACTIVE, end="2026"), Truth.UNKNOWN),
        (drug(Course.PAST), Truth.NOT_MET),
        (drug(Course.PAST, end="2026-03-01"), Truth.NOT_MET),
        (drug(Course.UNCERTAIN), Truth.UNKNOWN),
        (drug(Course.UNCERTAIN, end="2026-02-01"), Truth.NOT_MET),
    ],
)
def test_completed_and_stopped_drugs_are_past_and_on_hold_is_unknown(
    exposure: Exposure, truth: Truth
) -> None:
    """Criteria about current treatment."""
    assert taken(exposure, time=Time.CURRENT).truth is truth


def test_ever_taken_needs_no_date() -> None:
    """Any recorded exposure counts, whatever its dates."""
    assert taken(drug(Course.PAST), time=Time.EVER).truth is Truth.MET


def test_what_is_for_local_use_never_counts() -> None:
    """Ketoconazole shampoo is no CYP3A4 inhibitor."""
    got = taken(drug(local=True))
    assert got.truth is Truth.NOT_MET
    assert "local use" in got.reason


def test_a_flush_or_a_membership_that_is_not_verified_is_for_a_human() -> None:
    """Heparin lock, drugs recalled but not looked up."""
    assert gaps(taken(drug(flush=True))) == JUDGEMENT
    assert gaps(taken(drug(), mark=Mark(decides=False))) == JUDGEMENT


def test_a_route_that_is_not_recorded_is_said() -> None:
    """It counts, and the reason says so."""
    assert "route not recorded" in taken(drug(route_stated=False)).reason


STRANGER = Exposure("MedicationStatement/h", "herbal mixture", Course.ACTIVE, recognised=False)


def test_an_entry_that_nobody_recognises_is_for_a_human_if_its_time_may_fit() -> None:
    """It never lets a drug criterion pass by itself."""
    assert gaps(taken(unrecognised_drugs=[STRANGER])) == JUDGEMENT
    old = Exposure("MedicationStatement/h", "herbal", Course.PAST, end=when("2025-01-01"))
    assert taken(unrecognised_drugs=[old]).truth is Truth.NOT_MET
    assert taken(drug(), unrecognised_drugs=[STRANGER]).truth is Truth.MET


@pytest.mark.parametrize(
    ("statement", "request_", "truth"),
    [
        (Retrieval.COMPLETE, Retrieval.COMPLETE, Truth.NOT_MET),
        (Retrieval.NOT_KEPT, Retrieval.COMPLETE, Truth.NOT_MET),
        (Retrieval.COMPLETE, Retrieval.NOT_KEPT, Truth.NOT_MET),
        (Retrieval.NOT_KEPT, Retrieval.NOT_KEPT, Truth.UNKNOWN),
        (Retrieval.NOT_RETRIEVED, Retrieval.COMPLETE, Truth.UNKNOWN),
        (Retrieval.COMPLETE, Retrieval.PARTIAL, Truth.UNKNOWN),
        (Retrieval.NOT_KEPT, Retrieval.PARTIAL, Truth.UNKNOWN),
    ],
)
def test_absence_of_a_drug_needs_both_lists_read_unless_one_is_not_kept(
    statement: Retrieval, request_: Retrieval, truth: Truth
) -> None:
    """Contract, open and closed world."""
    retrieval = {"MedicationStatement": statement, "MedicationRequest": request_}
    got = taken(retrieval=retrieval)
    assert got.truth is truth
    assert taken(drug(), retrieval=retrieval).truth is Truth.MET
    if truth is Truth.UNKNOWN:
        assert gaps(got) == NOT_RETRIEVED


def count(*names: str, unsure: tuple[str, ...] = (), **facts: Any) -> Answer:
    """Whether two different drugs are taken now."""
    entries = [(drug(), Mark(ingredient=name)) for name in names]
    entries += [(drug(Course.UNCERTAIN), Mark(ingredient=name)) for name in unsure]
    form = Medication(("d",), "antihypertensive", Time.CURRENT, distinct=2)
    return form.answer(Facts(PATIENT, exposures={"d": entries}, **facts), ASKED)


def test_different_drugs_are_counted_not_entries() -> None:
    """Two boxes of lisinopril are one drug; a combination tablet is two."""
    assert count("lisinopril", "lisinopril").truth is Truth.NOT_MET
    assert count("lisinopril", "hydrochlorothiazide").truth is Truth.MET
    assert gaps(count("lisinopril", unsure=("amlodipine",))) == DATE
    assert gaps(count("lisinopril", unrecognised_drugs=[STRANGER])) == JUDGEMENT
    assert (
        gaps(count("lisinopril", retrieval={"MedicationRequest": Retrieval.PARTIAL}))
        == NOT_RETRIEVED
    )


def condition(
    status: Clinical = Clinical.NOT_STATED, event: str | None = None, **more: Any
) -> Condition:
    """One condition."""
    more = {k: when(v) if k == "ended" else v for k, v in more.items()}
    return Condition("Condition/c", "thrombosis", status, event=when(event), **more)


def found(form: Finding, *entries: Condition, mark: Mark | None = None, **facts: Any) -> Answer:
    """What the form says about these conditions."""
    rows = [(entry, mark or Mark()) for entry in entries]
    return form.answer(Facts(PATIENT, conditions={"c": rows}, **facts), ASKED)


ACTIVE = Finding(("c",), "thrombosis", active=True)
EVER = Finding(("c",), "thrombosis")
RECENT = Finding(("c",), "thrombosis", within=Window(Span(months=6)))
CANCER = Finding(("c",), "cancer", ended_within=Window(Span(months=60)))


@pytest.mark.parametrize(
    ("form", "entry", "truth", "expected"),
    [
        (ACTIVE, condition(Clinical.ACTIVE), Truth.MET, set()),
        (ACTIVE, condition(), Truth.MET, set()),
        (ACTIVE, condition(Clinical.INACTIVE), Truth.UNKNOWN, JUDGEMENT),
        (EVER, condition(Clinical.INACTIVE), Truth.MET, set()),
        (ACTIVE, condition(Clinical.ACTIVE, doubtful=True), Truth.UNKNOWN, JUDGEMENT),
        (RECENT, condition(event="2025-09-01"), Truth.MET, set()),
        (RECENT, condition(event="2025-08-31"), Truth.NOT_MET, set()),
        (RECENT, condition(event="2025"), Truth.UNKNOWN, DATE),
        (RECENT, condition(), Truth.UNKNOWN, DATE),
        (RECENT, condition(event="2026-03-02"), Truth.NOT_MET, set()),
        (CANCER, condition(Clinical.ACTIVE, "2001-01-01"), Truth.MET, set()),
        (CANCER, condition(Clinical.INACTIVE, ended="2021-03-01"), Truth.MET, set()),
        (CANCER, condition(Clinical.INACTIVE, ended="2021-02-28"), Truth.NOT_MET, set()),
        (CANCER, condition(Clinical.INACTIVE, "2022-01-01"), Truth.MET, set()),
        (CANCER, condition(Clinical.INACTIVE, "2010-01-01"), Truth.UNKNOWN, DATE),
        (CANCER, condition(Clinical.INACTIVE, ended_unreadable=True), Truth.UNKNOWN, DATE),
    ],
)
def test_how_a_condition_weighs(
    form: Finding, entry: Condition, truth: Truth, expected: set[Gap]
) -> None:
    """Present-tense, history, events in a window, and diseases counted to their end."""
    got = found(form, entry)
    assert got.truth is truth
    assert gaps(got) == expected


def test_a_history_code_says_that_it_happened_never_that_it_is_active() -> None:
    """Its dates are those of the entry: a window stays unknown."""
    history = Mark(history=True)
    entry = condition(event="2026-02-20")
    assert found(EVER, entry, mark=history).truth is Truth.MET
    assert gaps(found(ACTIVE, entry, mark=history)) == JUDGEMENT
    assert gaps(found(RECENT, entry, mark=history)) == DATE
    assert gaps(found(CANCER, entry, mark=history)) == DATE


def test_what_is_known_by_text_only_never_decides() -> None:
    """Evidence for review, but no evidence where it is surely outside the window."""
    text_only = Mark(decides=False)
    assert gaps(found(EVER, condition(), mark=text_only)) == JUDGEMENT
    assert gaps(found(RECENT, condition(), mark=text_only)) == JUDGEMENT
    assert found(RECENT, condition(event="2020-01-01"), mark=text_only).truth is Truth.NOT_MET


def test_absence_of_a_condition_needs_conditions_read_completely() -> None:
    """And presence does not."""
    for state in (Retrieval.PARTIAL, Retrieval.NOT_RETRIEVED):
        retrieval = {"Condition": state}
        assert gaps(found(EVER, retrieval=retrieval)) == NOT_RETRIEVED
        assert found(EVER, condition(), retrieval=retrieval).truth is Truth.MET


def test_none_recorded_says_how_many_were_read_and_how_many_nobody_recognised() -> None:
    """Closed world, and the reader knows over what."""
    got = found(EVER, totals={"Condition": 12}, unrecognised={"Condition": 1})
    assert got.reason == "no thrombosis recorded (12 conditions read, 1 not recognised)"


def test_an_excepted_diagnosis_does_not_count_under_any_of_its_codes() -> None:
    """The trial's own tumour is never another malignancy."""
    form = Finding(("c",), "cancer", active=True, excluding=frozenset({"target"}))
    assert found(form, condition(concepts=frozenset({"c", "target"}))).truth is Truth.NOT_MET


def test_an_event_window_clears_the_day_after_its_last_day() -> None:
    """Six months after 1 January, and one day."""
    assert found(RECENT, condition(event="2026-01-01")).changes_on == date(2026, 7, 2)


def done(form: ProcedureDone, *rows: Procedure, **facts: Any) -> Answer:
    """What the form says about these procedures."""
    entries = [(row, Mark()) for row in rows]
    return form.answer(Facts(PATIENT, procedures={"c": entries}, **facts), ASKED)


SURGERY = ProcedureDone(("c",), "surgery", within=Window(Span(days=28)))


@pytest.mark.parametrize(
    ("start", "end", "truth", "clears_on"),
    [
        ("2026-02-01", "2026-02-01", Truth.MET, date(2026, 3, 2)),
        ("2026-01-31", "2026-01-31", Truth.NOT_MET, None),
        ("2026-01-31", None, Truth.UNKNOWN, None),
        ("2026-01-01", "2026-02-10", Truth.MET, date(2026, 3, 11)),
        (None, None, Truth.UNKNOWN, None),
        ("2026", None, Truth.UNKNOWN, None),
        ("2026-03-02", None, Truth.NOT_MET, None),
    ],
)
def test_a_procedures_last_day_decides_its_window(
    start: str | None, end: str | None, truth: Truth, clears_on: date | None
) -> None:
    """A course of radiotherapy counts to its end."""
    got = done(SURGERY, Procedure("Procedure/p", "resection", when(start), when(end)))
    assert got.truth is truth
    assert got.changes_on == clears_on


def test_a_procedure_in_progress_counts_and_never_clears() -> None:
    """Dialysis that goes on."""
    got = done(SURGERY, Procedure("Procedure/p", "dialysis", when("2020-01-01"), running=True))
    assert got.truth is Truth.MET
    assert got.changes_on is None


def test_a_status_code_for_a_procedure_has_no_date_of_its_own() -> None:
    """Z94.84 proves a stem cell transplant, not when."""
    form = ProcedureDone(
        ("c",), "transplant", within=Window(Span(days=56)), types=("Procedure", "Condition")
    )
    facts = Facts(PATIENT, conditions={"c": [(condition(event="2026-02-20"), Mark(history=True))]})
    assert gaps(form.answer(facts, ASKED)) == DATE
    unread = Facts(PATIENT, retrieval={"Condition": Retrieval.NOT_RETRIEVED})
    assert gaps(form.answer(unread, ASKED)) == NOT_RETRIEVED


@pytest.mark.parametrize(
    ("birth", "truth"),
    [
        ("2016-03-01", Truth.MET), ("2016-03-02", Truth.NOT_MET), ("2016", Truth.UNKNOWN),
        ("2016-02", Truth.MET), ("2015", Truth.MET), ("2017", Truth.NOT_MET), (None, Truth.UNKNOWN),
    ],
)  # fmt: skip
def test_age_decides_where_every_possible_birthday_agrees(birth: str | None, truth: Truth) -> None:
    """At least ten years on 1 March 2026."""
    patient = Patient("Patient/p", when(birth), birth_text=birth)
    got = Age(at_least=10).answer(Facts(patient), ASKED)
    assert got.truth is truth
    if truth is Truth.UNKNOWN:
        assert gaps(got) == (DATE if birth else {Gap.NOT_RECORDED})


def test_any_sex_passes_whatever_is_recorded() -> None:
    """Other and unknown too; a stated sex needs one."""
    for sex in ("male", "female", "other", None):
        facts = Facts(Patient("Patient/p", sex=sex))
        assert Sex().answer(facts, ASKED).truth is Truth.MET
    assert (
        Sex(("male",)).answer(Facts(Patient("Patient/p", sex="other")), ASKED).truth
        is Truth.UNKNOWN
    )
