from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from cds.content.in_words import in_words, unknowns, windows
from cds.core.truth import Truth
from cds.core.when import Span
from cds.engine.entries import Weight
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Absent, Bound, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone
from cds.engine.window import Window

if TYPE_CHECKING:
    from cds.core.criterion import Characteristic

LABELS = {"pe": "pulmonary embolism"}
ANC = Lab(
    ("anc",),
    "ANC",
    "10*9/L",
    ("laboratory",),
    Sign.AT_LEAST,
    (Bound(Decimal("1.5")),),
    look_back=Span(28),
)
QTC = Lab(
    ("qtc",),
    "QTc",
    "ms",
    ("exam",),
    Sign.AT_LEAST,
    (Bound(Decimal(450), sex="male"), Bound(Decimal(470), sex="female")),
    absent=Absent.NO,
)
HIV = Lab(("hiv",), "HIV test", "", ("laboratory",), positive=True, any_result=True)


@pytest.mark.parametrize(
    ("form", "words"),
    [
        (ANC, "the newest ANC result within 28 days is at least 1.5 10*9/L"),
        (
            QTC,
            (
                "the newest QTc result at any time is at least 450 ms (men and boys) or "
                "at least 470 ms (women and girls); without a usable result this does not hold"
            ),
        ),
        (HIV, "any HIV test result at any time is positive"),
        (Age(5, 18), "age in completed years is at least 5 and at most 18"),
        (Sex(), "any sex"),
        (
            Sex(("male",), Truth.NOT_MET),
            "sex is male; other, unknown or not recorded does not count as it",
        ),
        (
            Finding(("dvt",), "DVT", excluding=frozenset({"pe"})),
            (
                "DVT is recorded, whenever it was; "
                "entries that are also pulmonary embolism do not count"
            ),
        ),
        (
            Finding(("dvt",), "DVT", active=True, resolved=Weight.AGAINST),
            "DVT is recorded and active; a resolved one does not count",
        ),
        (
            Finding(("dvt",), "DVT", within=Window(Span(months=6)), older=Weight.REVIEW),
            "DVT is recorded, with onset within 6 months; an older one is for a human",
        ),
        (
            Finding(("ca",), "cancer", ended_within=Window(Span(months=60))),
            "cancer is active, or ended within 5 years",
        ),
        (
            Medication(("x",), "inducer", Time.WINDOW, Window(Span(12)), planned=True),
            "inducer was taken within 12 days (that day counts), or is ordered for later",
        ),
        (
            Medication(("x",), "antihypertensive", Time.CURRENT, distinct=2),
            "2 or more different drugs: antihypertensive is taken now",
        ),
        (
            ProcedureDone(("s",), "major surgery", Window(Span(28))),
            "major surgery was done within 28 days (that day counts); an older one does not count",
        ),
    ],
)
def test_a_form_is_said_in_words(form: Characteristic, words: str) -> None:
    assert in_words(form, LABELS) == [f"- {words}"]


def test_parts_stand_below_what_joins_them() -> None:
    after = Not(Medication(("x",), "chemotherapy", Time.WINDOW, Window(Span(21), inclusive=False)))
    ask = Judgement("Is it severe?", "X", (Finding(("dvt",), "DVT"),))
    assert in_words(AnyOf((AllOf((ANC, ask)), after)), LABELS) == [
        "- at least one of these holds:",
        "  - all of these hold:",
        "    - the newest ANC result within 28 days is at least 1.5 10*9/L",
        "    - a human answers: *Is it severe?*; shown with it:",
        "      - DVT is recorded, whenever it was",
        "  - this does not hold:",
        "    - chemotherapy was taken less than 21 days ago (that day is enough)",
    ]


def test_every_window_is_named_once() -> None:
    assert windows(AllOf((ANC, ANC, HIV))) == ["ANC: the last 28 days", "HIV test: any time"]


def test_what_leaves_a_criterion_unknown_is_named() -> None:
    ratio = Lab(
        ("alt",),
        "ALT",
        "U/L",
        ("laboratory",),
        Sign.AT_MOST,
        (Bound(Decimal(0), Decimal(3)),),
        look_back=Span(28),
    )
    said = unknowns(AllOf((ratio, Finding(("dvt",), "DVT", within=Window(Span(28))))))
    assert said == [
        "no ALT result of the last 28 days with a value",
        "a newest ALT result that cannot be used (unit, magnitude, date)",
        "ALT without an upper limit of normal that fits the patient",
        "conditions not read, or only in part",
        "an entry without a date that settles it",
    ]


def test_a_human_s_judgement_is_no_missing_datum() -> None:
    assert unknowns(Judgement("Is it so?", "X", (ANC,))) == []
