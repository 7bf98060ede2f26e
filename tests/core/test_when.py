"""Dates as ranges, and windows that count back in calendar days."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.core.when import Evaluation, Span, completed_years, read_span, read_when
from cds.engine.window import Window

days = st.dates(date(1990, 1, 1), date(2060, 12, 31))
spans = st.one_of(
    st.integers(1, 400).map(lambda n: Span(days=n)),
    st.integers(1, 60).map(lambda n: Span(months=n)),
)


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("2026", date(2026, 1, 1), date(2026, 12, 31)),
        ("2024-02", date(2024, 2, 1), date(2024, 2, 29)),
        ("2026-02-20", date(2026, 2, 20), date(2026, 2, 20)),
        ("2026-02-20T23:30:00Z", date(2026, 2, 20), date(2026, 2, 20)),
        ("2026-02-20T23:30:00.123+02:00", date(2026, 2, 20), date(2026, 2, 20)),
    ],
)
def test_a_date_is_every_day_that_it_allows(text: str, first: date, last: date) -> None:
    """A year is its whole year, a month its whole month."""
    when = read_when(text, UTC)
    assert when is not None
    assert (when.first, when.last) == (first, last)
    assert when.start <= when.end


@pytest.mark.parametrize(
    "text",
    [
        "",
        "2026-13-01",
        "2026-02-30",
        "yesterday",
        "20260220",
        "2026-W09-7",
        "2026-02-20T25:00:00Z",
        "0000",
    ],
)
def test_what_is_no_date_is_not_guessed(text: str) -> None:
    """An unreadable date is None, never a nearby one."""
    assert read_when(text, UTC) is None


def test_the_day_of_an_instant_is_the_day_in_the_configured_zone() -> None:
    """23:30 UTC is the next morning in Shanghai."""
    when = read_when("2026-02-20T23:30:00Z", ZoneInfo("Asia/Shanghai"))
    assert when is not None
    assert when.first == date(2026, 2, 21)


def test_a_time_without_a_zone_is_read_in_the_configured_zone() -> None:
    """Real feeds send them."""
    shanghai = ZoneInfo("Asia/Shanghai")
    assert read_when("2026-02-21T07:30:00", shanghai) is not None
    with_zone = read_when("2026-02-21T07:30:00+08:00", shanghai)
    without = read_when("2026-02-21T07:30:00", shanghai)
    assert with_zone is not None
    assert without is not None
    assert with_zone.start == without.start


@pytest.mark.parametrize(
    ("text", "span"),
    [
        ("28 days", Span(days=28)), ("1 day", Span(days=1)), ("4 weeks", Span(days=28)),
        ("6 months", Span(months=6)), ("5 years", Span(months=60)),
    ],
)  # fmt: skip
def test_spans_are_written_as_clinicians_say_them(text: str, span: Span) -> None:
    """Weeks are seven days, years twelve months."""
    assert read_span(text) == span


@pytest.mark.parametrize("text", ["P28D", "28", "a week", "-3 days", "1.5 months"])
def test_an_unreadable_span_is_refused_with_a_sentence(text: str) -> None:
    """The sentence quotes what stands there."""
    with pytest.raises(ValueError, match="is not a length of time"):
        read_span(text)


def test_months_clamp_to_the_last_day_of_the_month() -> None:
    """31 August minus 6 months is 28 February."""
    assert Span(months=6).before(date(2026, 8, 31)) == date(2026, 2, 28)
    assert Span(months=6).before(date(2024, 8, 31)) == date(2024, 2, 29)


def test_within_seven_days_contains_the_seventh_and_clears_on_the_eighth() -> None:
    """The contract's example: within 7 days of 1 March clears on 9 March."""
    within = Window(Span(days=7))
    assert within.first_day(date(2026, 3, 8)) == date(2026, 3, 1)
    assert within.clear_of(date(2026, 3, 1)) == date(2026, 3, 9)


def test_at_least_21_days_after_is_met_on_the_21st() -> None:
    """The contract's example: at least 21 days after 1 March clears on 22 March."""
    after = Window(Span(days=21), inclusive=False)
    assert after.first_day(date(2026, 3, 22)) == date(2026, 3, 2)
    assert after.clear_of(date(2026, 3, 1)) == date(2026, 3, 22)


@given(spans, days, st.booleans())
def test_clears_on_is_the_first_day_outside_the_window(
    span: Span,
    last: date,
    inclusive: bool,  # noqa: FBT001
) -> None:
    """On clears_on the event is outside; the day before it is still inside."""
    window = Window(span, inclusive)
    clear = window.clear_of(last)
    assert window.first_day(clear) > last
    assert window.first_day(clear - timedelta(days=1)) <= last


@pytest.mark.parametrize(
    ("birth", "on", "age"),
    [
        (date(2010, 3, 1), date(2026, 3, 1), 16),
        (date(2010, 3, 2), date(2026, 3, 1), 15),
        (date(2008, 2, 29), date(2026, 2, 28), 17),
        (date(2008, 2, 29), date(2026, 3, 1), 18),
    ],
)
def test_age_is_completed_years_and_the_birthday_counts(birth: date, on: date, age: int) -> None:
    """Who is born on 29 February ages on 1 March in common years."""
    assert completed_years(birth, on) == age


def test_the_evaluation_instant_is_the_end_of_the_day_in_its_zone() -> None:
    """A result of that evening still counts; one of the next morning does not."""
    asked = Evaluation.of(date(2026, 3, 1), ZoneInfo("Asia/Shanghai"))
    evening = read_when("2026-03-01T15:59:59Z", UTC)
    morning = read_when("2026-03-01T16:00:00Z", UTC)
    assert evening is not None
    assert morning is not None
    assert evening.end <= asked.end < morning.start
