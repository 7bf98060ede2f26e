"""Which result decides, and what leaves a lab unknown: criteria README, Observations."""

from __future__ import annotations

from datetime import UTC, date
from decimal import Decimal

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.core.answer import Answer, Gap
from cds.core.facts import Facts, Patient, Reading, ReferenceRange, Result, Retrieval
from cds.core.truth import Truth
from cds.core.when import Age, Evaluation, Span, read_when
from cds.engine.lab import Absent, Bound, Lab, Sign

ASKED = Evaluation.of(date(2026, 3, 1))
ADULT = Patient("Patient/p", read_when("1990-05-05"), "female")


def lab(sign: Sign | None = Sign.AT_LEAST, bound: str = "1.5", **more: object) -> Lab:
    """ANC against a bound, 28 days."""
    settings: dict[str, object] = {"look_back": Span(days=28), "bounds": (Bound(Decimal(bound)),)}
    return Lab(("anc",), "ANC", "10*9/L", ("laboratory",), sign, **(settings | more))  # type: ignore[arg-type]


def result(value: str | Reading | None, taken: str | None, **more: object) -> Result:
    """One result; None is a value that cannot be used."""
    reading = Reading(Decimal(value), Decimal(value)) if isinstance(value, str) else value
    when = None if taken is None else read_when(taken, UTC)
    gap = Gap.UNIT if reading is None and "skipped" not in more else None
    settings: dict[str, object] = {"unusable": gap} | more
    return Result(f"Observation/{taken}-{value}", when, str(value), reading, **settings)  # type: ignore[arg-type]


def answer(form: Lab, *results: Result, patient: Patient = ADULT, **more: object) -> Answer:
    """What the form says about these results."""
    return form.answer(Facts(patient, results={"anc": results}, **more), ASKED)  # type: ignore[arg-type]


def gaps(got: Answer) -> set[Gap]:
    """The gaps of an answer."""
    return {missing.gap for missing in got.gaps}


@pytest.mark.parametrize(
    ("sign", "below", "at", "above"),
    [
        (Sign.AT_LEAST, Truth.NOT_MET, Truth.MET, Truth.MET),
        (Sign.ABOVE, Truth.NOT_MET, Truth.NOT_MET, Truth.MET),
        (Sign.AT_MOST, Truth.MET, Truth.MET, Truth.NOT_MET),
        (Sign.BELOW, Truth.MET, Truth.NOT_MET, Truth.NOT_MET),
    ],
)
def test_at_the_limit_the_sign_decides(sign: Sign, below: Truth, at: Truth, above: Truth) -> None:
    """Exact decimals: a ten-thousandth off the limit is off the limit."""
    form = lab(sign)
    assert answer(form, result("1.4999", "2026-02-20")).truth is below
    assert answer(form, result("1.5000", "2026-02-20")).truth is at
    assert answer(form, result("1.5001", "2026-02-20")).truth is above


@pytest.mark.parametrize(
    ("reading", "at_least", "above", "at_most", "below"),
    [
        (Reading(None, Decimal("0.5"), high_open=True), "not met", "not met", "met", "met"),
        (Reading(None, Decimal("2.0"), high_open=True), "unknown", "unknown", "unknown", "unknown"),
        (Reading(None, Decimal("1.5"), high_open=True), "not met", "not met", "met", "met"),
        (Reading(None, Decimal("1.5")), "unknown", "not met", "met", "unknown"),
        (Reading(Decimal("1.5"), None, low_open=True), "met", "met", "not met", "not met"),
        (Reading(Decimal("1.5"), None), "met", "unknown", "unknown", "not met"),
        (Reading(Decimal(1), Decimal(2)), "unknown", "unknown", "unknown", "unknown"),
    ],
)
def test_a_comparator_decides_only_where_every_value_agrees(
    reading: Reading, at_least: str, above: str, at_most: str, below: str
) -> None:
    """<0.5 fails ≥1.5; <2.0 leaves it open."""
    expected = {
        Sign.AT_LEAST: at_least, Sign.ABOVE: above, Sign.AT_MOST: at_most, Sign.BELOW: below,
    }  # fmt: skip
    for sign, truth in expected.items():
        assert answer(lab(sign), result(reading, "2026-02-20")).truth is Truth(truth)


def test_the_newest_result_decides_even_when_an_older_one_was_kinder() -> None:
    """2.0 last month does not help 1.2 this week."""
    got = answer(lab(), result("2.0", "2026-02-10"), result("1.2", "2026-02-25"))
    assert got.truth is Truth.NOT_MET
    assert [e.date for e in got.evidence] == ["2026-02-25"]


def test_a_newer_value_that_cannot_be_used_makes_it_unknown_and_both_are_named() -> None:
    """An unreadable unit may hide the value that matters."""
    got = answer(lab(), result("2.0", "2026-02-10"), result(None, "2026-02-25"))
    assert got.truth is Truth.UNKNOWN
    assert gaps(got) == {Gap.UNIT}
    assert [e.date for e in got.evidence] == ["2026-02-25", "2026-02-10"]


def test_an_older_value_that_cannot_be_used_changes_nothing() -> None:
    """Only what is or may be newer can hide anything."""
    got = answer(lab(), result(None, "2026-02-10"), result("2.0", "2026-02-25"))
    assert got.truth is Truth.MET


def test_a_result_without_a_readable_date_may_be_the_newest() -> None:
    """Its gap is the date."""
    undated = result(None, None, unusable=Gap.DATE)
    got = answer(lab(), result("2.0", "2026-02-25"), undated)
    assert gaps(got) == {Gap.DATE}


def test_a_result_without_a_value_is_passed_over_and_mentioned() -> None:
    """A haemolysed sample does not hide last week's count."""
    passed = result(None, "2026-02-27", skipped="no value: haemolysed")
    got = answer(lab(), result("2.0", "2026-02-20"), passed)
    assert got.truth is Truth.MET
    assert "haemolysed" in got.reason


@pytest.mark.parametrize(
    ("taken", "truth", "gap"),
    [
        ("2026-02-01", Truth.MET, None),
        ("2026-01-31", Truth.UNKNOWN, Gap.TOO_OLD),
        ("2026-03-02", Truth.UNKNOWN, Gap.NOT_RECORDED),
        ("2026-03-01T23:59:59Z", Truth.MET, None),
        ("2026", Truth.UNKNOWN, Gap.DATE),
        ("2026-03", Truth.UNKNOWN, Gap.DATE),
        ("2026-02", Truth.MET, None),
    ],
)
def test_the_28th_day_is_inside_and_tomorrow_is_no_fact(
    taken: str, truth: Truth, gap: Gap | None
) -> None:
    """Partial dates decide where their whole range lies inside."""
    got = answer(lab(), result("2.0", taken))
    assert got.truth is truth
    assert gaps(got) == ({gap} if gap else set())


def test_results_of_one_day_without_a_time_decide_only_together() -> None:
    """No order, no issued: an answer only if both give it."""
    high, low = result("2.0", "2026-02-20"), result("1.2", "2026-02-20T08:00:00Z")
    assert gaps(answer(lab(), high, low)) == {Gap.CONFLICTING}
    assert answer(lab(bound="1.0"), high, low).truth is Truth.MET


def test_of_results_that_cannot_be_put_in_order_the_later_issued_decides() -> None:
    """A correction issued an hour later wins."""
    first = result("2.0", "2026-02-20", issued=1)
    second = result("1.2", "2026-02-20T08:00:00Z", issued=2)
    assert answer(lab(), first, second).truth is Truth.NOT_MET


def test_nothing_recorded_is_unknown_unless_the_criterion_says_otherwise() -> None:
    """Rows whose note says none=pass treat it as not there."""
    assert gaps(answer(lab())) == {Gap.NOT_RECORDED}
    assert answer(lab(absent=Absent.NO)).truth is Truth.NOT_MET
    assert gaps(answer(lab(absent=Absent.REVIEW))) == {Gap.JUDGEMENT}


@pytest.mark.parametrize("absent", list(Absent))
def test_results_that_were_not_read_are_never_taken_for_absent(absent: Absent) -> None:
    """A refused search leaves it unknown, whatever none would give."""
    for state in (Retrieval.NOT_RETRIEVED, Retrieval.PARTIAL, Retrieval.CUT_OFF):
        got = answer(lab(absent=absent), retrieval={"Observation": state})
        assert gaps(got) == {Gap.NOT_RETRIEVED}


def test_a_refused_category_matters_only_to_its_own_results() -> None:
    """Vital signs refused: the laboratory is still complete."""
    retrieval = {"Observation": Retrieval.PARTIAL, "Observation:laboratory": Retrieval.COMPLETE}
    assert gaps(answer(lab(), retrieval=retrieval)) == {Gap.NOT_RECORDED}


CUT_OFF = {"Observation": Retrieval.CUT_OFF}


@pytest.mark.parametrize(
    "value",
    [
        result("2.1", "2026-02-20"),
        result("0.2", "2026-02-20"),
        result(None, "2026-02-20"),
        result("2.1", "2025-02-20"),
        result("2.1", "2026"),
        result(None, None, unusable=Gap.DATE),
    ],
    ids=["kind", "unkind", "unusable", "too old", "vaguely dated", "undated"],
)
@pytest.mark.parametrize("absent", list(Absent))
def test_in_a_list_that_was_cut_off_nobody_knows_which_result_is_the_newest(
    value: Result, absent: Absent
) -> None:
    """A newer one may be on the page that nobody saw: neither pass nor fail hangs on this one."""
    got = answer(lab(absent=absent), value, retrieval=CUT_OFF)
    assert got.truth is Truth.UNKNOWN
    assert gaps(got) == {Gap.NOT_RETRIEVED}
    assert [one.reference for one in got.evidence] == [value.reference]


def test_the_newest_result_that_came_of_a_list_that_was_cut_off_is_named() -> None:
    """The reader can look for the newer one."""
    older = result("0.9", "2026-02-10")
    got = answer(lab(), older, result("2.1", "2026-02-20"), retrieval=CUT_OFF)
    assert got.reason == (
        "ANC 2.1 10*9/L on 2026-02-20 is the newest that was read (needs ≥ 1.5 10*9/L); "
        "not all results could be read, a newer one may exist"
    )


def test_one_entry_that_could_not_be_read_does_not_make_the_others_unknown() -> None:
    """The list came whole: what is there decides, only absence proves nothing."""
    partial = {"Observation": Retrieval.PARTIAL}
    assert answer(lab(), result("2.1", "2026-02-20"), retrieval=partial).truth is Truth.MET
    assert answer(lab(), result("0.2", "2026-02-20"), retrieval=partial).truth is Truth.NOT_MET


def test_a_list_cut_off_in_another_category_leaves_a_laboratory_result_decided() -> None:
    """Vital signs that nobody saw are no blood counts."""
    retrieval = {"Observation:vital-signs": Retrieval.CUT_OFF}
    assert answer(lab(), result("2.1", "2026-02-20"), retrieval=retrieval).truth is Truth.MET


def test_a_category_that_was_refused_may_hold_the_newest_result_of_two() -> None:
    """A pregnancy status that was read says nothing of the test that nobody could read."""
    form = msgspec.structs.replace(lab(), categories=("social-history", "laboratory"))
    for refused in form.categories:
        retrieval = {"Observation": Retrieval.COMPLETE}
        retrieval[f"Observation:{refused}"] = Retrieval.NOT_RETRIEVED
        got = answer(form, result("2.1", "2026-02-20"), retrieval=retrieval)
        assert gaps(got) == {Gap.NOT_RETRIEVED}
    assert answer(form, result("2.1", "2026-02-20")).truth is Truth.MET


@pytest.mark.parametrize(
    ("look_back", "taken", "since", "decided"),
    [
        (Span(days=28), "2026-02-20", date(2026, 2, 1), True),  # all that the look-back spans
        (Span(days=28), "2026-02-20", date(2026, 2, 2), True),  # all since the result itself
        (Span(days=28), "2026-02-20", date(2026, 2, 20), True),
        (Span(days=28), "2026-02-20", date(2026, 2, 21), False),
        (None, "2020-02-20", date(2020, 2, 20), True),
        (None, "2020-02-20", date(2020, 2, 21), False),
        (None, "2020-02", date(2020, 2, 2), False),
    ],
)
def test_the_recent_part_that_came_whole_decides_what_it_spans(
    look_back: Span | None, taken: str, since: date, *, decided: bool
) -> None:
    """No newer result can be missing where everything since this one came."""
    got = answer(
        lab(look_back=look_back), result("2.1", taken), retrieval=CUT_OFF,
        whole_since={"Observation": since},
    )  # fmt: skip
    assert (got.truth is Truth.MET) is decided
    assert (gaps(got) == {Gap.NOT_RETRIEVED}) is not decided


def test_a_result_older_than_a_look_back_that_came_whole_is_no_newest() -> None:
    """Nothing is there within the look-back; older ones may be missing, so absence is not sure."""
    got = answer(
        lab(), result("2.1", "2025-02-20"), retrieval=CUT_OFF,
        whole_since={"Observation": date(2026, 2, 1)},
    )  # fmt: skip
    assert gaps(got) == {Gap.NOT_RETRIEVED}


def test_a_result_of_any_time_counts_in_a_list_that_was_cut_off() -> None:
    """Presence counts, and no newer result can undo it; that none meets the bound is not sure."""
    form = lab(any_result=True, look_back=None)
    assert answer(form, result("2.1", "2016-02-20"), retrieval=CUT_OFF).truth is Truth.MET
    got = answer(form, result("0.2", "2016-02-20"), retrieval=CUT_OFF)
    assert gaps(got) == {Gap.NOT_RETRIEVED}


MEN, WOMEN = ReferenceRange(Decimal(30), sex="male"), ReferenceRange(Decimal(40), sex="female")
NORMAL, LOWER, HIGHER = (ReferenceRange(Decimal(high)) for high in (40, 30, 50))
UPPER = (Bound(Decimal(0), Decimal("1.5")),)


def with_ranges(*ranges: ReferenceRange) -> Result:
    """60 with reference ranges."""
    return result("60", "2026-02-20", ranges=ranges)


@pytest.mark.parametrize(
    ("ranges", "truth", "gap"),
    [
        ((NORMAL,), Truth.MET, None),
        ((ReferenceRange(Decimal("39.99")),), Truth.NOT_MET, None),
        ((), Truth.UNKNOWN, Gap.NO_RANGE),
        ((ReferenceRange(None),), Truth.UNKNOWN, Gap.UNIT),
        ((ReferenceRange(Decimal(40), sex="male"),), Truth.UNKNOWN, Gap.NO_RANGE),
        ((MEN, WOMEN), Truth.MET, None),
        ((ReferenceRange(Decimal(40), age_high=Age(Decimal(17))),), Truth.UNKNOWN, Gap.NO_RANGE),
        ((ReferenceRange(Decimal(40), age_low=Age(Decimal(18))),), Truth.MET, None),
        ((NORMAL, LOWER), Truth.UNKNOWN, Gap.CONFLICTING),
        ((NORMAL, HIGHER), Truth.MET, None),
    ],
)  # fmt: skip
def test_the_limit_of_normal_comes_from_the_results_own_fitting_range(
    ranges: tuple[ReferenceRange, ...], truth: Truth, gap: Gap | None
) -> None:
    """A range for another age or sex is not used, even when it is the only one."""
    got = answer(lab(Sign.AT_MOST, bounds=UPPER), with_ranges(*ranges))
    assert got.truth is truth
    assert gaps(got) == ({gap} if gap else set())


def test_a_child_is_never_held_against_an_adults_range() -> None:
    """The adult creatinine limit says nothing about a six-year-old."""
    child = Patient("Patient/c", read_when("2020-01-01"), "male")
    adult_range = with_ranges(ReferenceRange(Decimal(90), age_low=Age(Decimal(18))))
    got = answer(lab(Sign.AT_MOST, bounds=UPPER), adult_range, patient=child)
    assert gaps(got) == {Gap.NO_RANGE}


@pytest.mark.parametrize(
    ("sex", "value", "truth"),
    [
        ("male", "449", Truth.NOT_MET), ("male", "450", Truth.MET),
        ("female", "469", Truth.NOT_MET), ("female", "470", Truth.MET),
        ("other", "449", Truth.NOT_MET), ("other", "450", Truth.UNKNOWN),
        ("other", "470", Truth.MET), (None, "460", Truth.UNKNOWN),
    ],
)  # fmt: skip
def test_limits_by_sex_decide_for_other_sexes_only_where_they_agree(
    sex: str | None, value: str, truth: Truth
) -> None:
    """QTc 460 ms is unknown where the sex is not recorded."""
    bounds = (Bound(Decimal(450), sex="male"), Bound(Decimal(470), sex="female"))
    patient = Patient("Patient/p", read_when("1990-05-05"), sex)
    got = answer(lab(bounds=bounds), result(value, "2026-02-20"), patient=patient)
    assert got.truth is truth


def test_a_test_that_was_ever_positive_stays_positive_for_a_history() -> None:
    """Neither a newer negative nor a newer unreadable result takes it back."""
    ever = Lab(
        ("anc",), "HIV", "", ("laboratory",), positive=True, any_result=True, absent=Absent.NO
    )
    positive = result(Reading(presence=Truth.MET), "2020-01-01")
    negative = result(Reading(presence=Truth.NOT_MET), "2026-02-01")
    assert answer(ever, positive, negative).truth is Truth.MET
    assert answer(ever, positive, result(None, "2026-02-20")).truth is Truth.MET
    assert answer(ever, negative).truth is Truth.NOT_MET
    assert answer(ever, negative, result(None, "2026-02-20")).truth is Truth.UNKNOWN


@pytest.mark.parametrize(
    ("reading", "truth"),
    [
        (Reading(presence=Truth.MET), Truth.MET),
        (Reading(presence=Truth.UNKNOWN), Truth.UNKNOWN),
        (Reading(Decimal(1200), Decimal(1200)), Truth.MET),
        (Reading(Decimal(0), Decimal(0)), Truth.NOT_MET),
        (Reading(None, Decimal(15), high_open=True), Truth.UNKNOWN),
    ],
)
def test_an_amount_that_was_measured_is_positive(reading: Reading, truth: Truth) -> None:
    """An RNA reported as a number; '<15' does not say whether there was any."""
    form = lab(bounds=(), sign=None, positive=True)
    assert answer(form, result(reading, "2026-02-20")).truth is truth


def test_not_detected_is_above_no_limit_even_without_a_range() -> None:
    """HBV DNA not detected."""
    form = lab(Sign.ABOVE, bounds=(Bound(Decimal(0), Decimal(1)),))
    gone = result(Reading(presence=Truth.NOT_MET), "2026-02-20")
    assert answer(form, gone).truth is Truth.NOT_MET


decimals = st.decimals(0, 100, allow_nan=False, places=3)


@given(st.lists(st.tuples(st.integers(0, 60), decimals), max_size=6), st.randoms())
def test_the_order_of_entries_never_matters(
    rows: list[tuple[int, Decimal]], random: object
) -> None:
    """Shuffling the record changes no answer."""
    results = [
        result(str(value), f"2026-{1 + day // 28:02d}-{1 + day % 28:02d}") for day, value in rows
    ]
    shuffled = list(results)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert answer(lab(), *results).truth is answer(lab(), *shuffled).truth


@given(st.lists(st.tuples(st.integers(1, 27), decimals), min_size=1, max_size=5), decimals)
def test_a_result_older_than_the_deciding_one_changes_nothing(
    rows: list[tuple[int, Decimal]], older: Decimal
) -> None:
    """Adding an older result never changes an answer."""
    results = [result(str(value), f"2026-02-{day + 1:02d}") for day, value in rows]
    before = answer(lab(), *results)
    after = answer(lab(), *results, result(str(older), "2026-02-01"))
    assert before.truth is after.truth
