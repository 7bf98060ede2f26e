"""No change that can alter an answer goes unsaid, and nothing is said of a mere other order."""

from __future__ import annotations

from decimal import Decimal
from itertools import product
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.content.changed_forms import changed_form
from cds.core.when import Span
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.lab import Bound, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.person import Age
from cds.engine.window import Window

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.core.criterion import Characteristic


def anc(bound: str, days: int = 28, sign: Sign = Sign.AT_LEAST) -> Lab:
    return Lab(
        ("anc",), "ANC", "10*9/L", ("laboratory",), sign, (Bound(Decimal(bound)),),
        look_back=Span(days),
    )  # fmt: skip


def drug(days: int, *, inclusive: bool = True) -> Medication:
    return Medication(("d",), "a drug", Time.WINDOW, Window(Span(days), inclusive))


BOTH = "(bone marrow involvement, ANC)"
ACTIVE = "is recorded and active; a resolved one is for a human"
MARROW = Finding(("marrow",), "bone marrow involvement", active=True)


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        (anc("1.5"), anc("1.0"), ["ANC bound ≥ 1.5 ×10⁹/L → ≥ 1.0 ×10⁹/L"]),
        (anc("1.5"), anc("1.5", 14), ["ANC look-back 28 days → 14 days"]),
        (
            anc("1.5"),
            anc("1.5", sign=Sign.ABOVE),
            ["ANC bound ≥ 1.5 ×10⁹/L → > 1.5 ×10⁹/L"],
        ),
        (drug(28), drug(14), ["a drug window 28 days → 14 days"]),
        (drug(21), drug(21, inclusive=False), ["a drug window 21 days → at least 21 days"]),
        (Age(10, None), Age(12, 70), ["youngest age 10 → 12 years", "oldest age none → 70 years"]),
        (
            AllOf((MARROW, anc("1.0"))),
            AnyOf((MARROW, anc("1.0"))),
            [f"its parts are joined otherwise: all of {BOTH} → any of {BOTH}"],
        ),
        (
            AllOf((MARROW, anc("1.0"))),
            anc("1.0"),
            [f"no longer asked: bone marrow involvement {ACTIVE}"],
        ),
        (AllOf((MARROW, anc("1.0"))), AllOf((anc("1.0"), MARROW)), []),
    ],
)  # fmt: skip
def test_a_change_is_said_in_a_clinician_s_words(
    old: Characteristic, new: Characteristic, says: list[str]
) -> None:
    assert changed_form(old, new, {}) == says


LEAVES: tuple[Characteristic, ...] = (anc("1.0"), anc("1.5"), MARROW, drug(7))
FORMS = st.recursive(
    st.sampled_from(LEAVES),
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AllOf(tuple(parts))),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: AnyOf(tuple(parts))),
        inner.map(Not),
    ),
    max_leaves=6,
)


def holds(form: Characteristic, world: Mapping[str, bool]) -> bool:
    """Whether a form holds where each leaf is as the world says."""
    parts = [holds(part, world) for part in form.parts()]
    if isinstance(form, AllOf):
        return all(parts)
    if isinstance(form, AnyOf):
        return any(parts)
    if isinstance(form, Not):
        return not parts[0]
    return world[repr(form)]


@given(FORMS, FORMS)
def test_forms_that_can_answer_differently_are_never_said_to_be_the_same(
    old: Characteristic, new: Characteristic
) -> None:
    worlds = [
        dict(zip(map(repr, LEAVES), truths, strict=True))
        for truths in product((False, True), repeat=len(LEAVES))
    ]
    if any(holds(old, world) != holds(new, world) for world in worlds):
        assert changed_form(old, new, {}) != []


@given(FORMS)
def test_a_form_is_the_same_as_itself(form: Characteristic) -> None:
    assert changed_form(form, form, {}) == []
