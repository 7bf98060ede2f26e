"""Moving a story in time: what moves, what stays, and that nobody grows older by it."""

import re
from datetime import date, timedelta

import pytest
from fhir.resources.R4B.annotation import Annotation
from fhir.resources.R4B.condition import Condition
from fhir.resources.R4B.medicationadministration import MedicationAdministration
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.medicationstatement import MedicationStatement
from fhir.resources.R4B.meta import Meta
from fhir.resources.R4B.observation import Observation
from fhir.resources.R4B.patient import Patient
from fhir.resources.R4B.period import Period
from fhir.resources.R4B.procedure import Procedure
from fhir.resources.R4B.timing import Timing
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel

from cds.web.fhir_endpoint import shift_dates

DAY = date(2026, 3, 1)

FULL_DATES = st.dates(date(1900, 1, 1), date(2100, 1, 1))
SHIFTS = st.integers(-20_000, 20_000)


@given(
    when=FULL_DATES,
    clock=st.sampled_from(["", "T08:15:00Z", "T23:59:59.123-05:00", "T07:00"]),
    days=SHIFTS,
)
def test_a_full_date_moves_by_whole_days_and_comes_back(when: date, clock: str, days: int) -> None:
    written = {"issued": when.isoformat() + clock, "effectivePeriod": {"start": when.isoformat()}}
    moved = shift_dates(written, days)
    assert moved["issued"] == (when + timedelta(days=days)).isoformat() + clock
    assert shift_dates(moved, -days) == written


def years(born: str, on: date) -> tuple[int, int]:
    """The youngest and the oldest that someone may be, by a date of birth of any precision."""
    parts = [int(part) for part in born.split("-")]
    first = (*parts, 1, 1)[:3] if len(parts) < 3 else tuple(parts)
    last = (*parts, 12, 31)[:3] if len(parts) < 3 else tuple(parts)
    ages = [on.year - y - ((on.month, on.day) < (m, d)) for y, m, d in (last, first)]
    return ages[0], ages[1]


@given(born=FULL_DATES, day=FULL_DATES, days=SHIFTS)
def test_a_patient_is_as_old_on_the_shifted_day_as_in_the_story(
    born: date, day: date, days: int
) -> None:
    moved = shift_dates({"birthDate": born.isoformat()}, days, day=day)["birthDate"]
    assert years(moved, day + timedelta(days=days)) == years(born.isoformat(), day)
    assert abs((date.fromisoformat(moved) - born).days - days) <= 1


def test_a_patient_just_of_age_stays_so_across_a_leap_day() -> None:
    """730 days on, 29 February comes between: 17 years old by plain days, 18 in the story."""
    born = {
        "birthDate": "2008-03-01",
        "_birthDate": {"extension": [{"valueDateTime": "2008-03-01T04:05:00Z"}]},
        "meta": {"lastUpdated": "2026-02-01T00:00:00Z"},
    }
    assert shift_dates(born, 730)["birthDate"] == "2010-03-01"
    assert shift_dates(born, 730, day=DAY) == {
        "birthDate": "2010-02-28",
        "_birthDate": {"extension": [{"valueDateTime": "2010-02-28T04:05:00Z"}]},
        "meta": {"lastUpdated": "2028-02-01T00:00:00Z"},
    }
    assert years("2010-02-28", date(2028, 2, 29)) == years("2008-03-01", DAY) == (18, 18)


@given(year=st.integers(1900, 2100), days=SHIFTS)
def test_a_year_of_birth_gives_the_same_ages_and_stays_a_year(year: int, days: int) -> None:
    moved = shift_dates({"birthDate": str(year)}, days, day=DAY)["birthDate"]
    new_day = DAY + timedelta(days=days)
    assert len(moved) == 4
    assert new_day.year - int(moved) == DAY.year - year


def test_without_a_story_day_part_of_a_date_moves_to_the_nearest() -> None:
    assert shift_dates({"onsetDateTime": "2024-11"}, 31) == {"onsetDateTime": "2024-12"}
    assert shift_dates({"onsetDateTime": "2024"}, 365) == {"onsetDateTime": "2025"}
    assert shift_dates({"onsetDateTime": "2024"}, 100) == {"onsetDateTime": "2024"}


def test_last_month_stays_last_month() -> None:
    moved = shift_dates({"onsetDateTime": "2026-02"}, 320, day=DAY)
    assert moved == {"onsetDateTime": "2026-12"}
    assert DAY + timedelta(days=320) == date(2027, 1, 15)


def test_only_dates_move() -> None:
    still = {
        "id": "anc-2026-02-20",
        "identifier": [{"value": "2026-02-20"}],
        "code": {"coding": [{"code": "2026", "display": "2026-02-20"}]},
        "valueTime": "08:00:00",
        "end": 2026,
        "recordedDate": "2026-02-30",
        "abatementDateTime": "9999-12-31",
        "medicationReference": {"reference": "Medication/m-2026-02-20"},
    }
    assert shift_dates(still, 40) == still


def test_dates_in_notes_and_time_of_birth_move_along() -> None:
    written = {
        "birthDate": "2000-03-01",
        "_birthDate": {"extension": [{"valueDateTime": "2000-03-01T04:05:00Z"}]},
        "note": [{"text": "Stopped 2026-02-24, see order 2026-02-24-7."}],
        "event": ["2026-02-24"],
    }
    assert shift_dates(written, 2) == {
        "birthDate": "2000-03-03",
        "_birthDate": {"extension": [{"valueDateTime": "2000-03-03T04:05:00Z"}]},
        "note": [{"text": "Stopped 2026-02-26, see order 2026-02-24-7."}],
        "event": ["2026-02-26"],
    }


def test_shifting_leaves_the_given_resource_alone() -> None:
    written = {"contained": [{"issued": "2026-01-01"}]}
    shift_dates(written, 5)
    assert written == {"contained": [{"issued": "2026-01-01"}]}


@pytest.mark.parametrize(
    "model",
    [Annotation, Condition, MedicationAdministration, MedicationRequest, MedicationStatement,
     Meta, Observation, Patient, Period, Procedure, Timing],
)  # fmt: skip
def test_every_date_element_of_what_we_read_moves(model: type[BaseModel]) -> None:
    """The list of elements is held against the R4 models, not against itself."""
    dated = {
        field.alias or name
        for name, field in model.model_fields.items()
        if re.search(r"\bdate(time)?\.date(time)?\b", str(field.annotation))
    }
    assert dated
    for element in dated:
        assert shift_dates({element: "2026-01-01"}, 1) == {element: "2026-01-02"}, element
