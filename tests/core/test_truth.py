"""CQL, Logical Operators: the nine-row tables of And and Or, and Not."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.core.truth import Truth, all_of, any_of, negate

MET, NOT_MET, UNKNOWN = Truth.MET, Truth.NOT_MET, Truth.UNKNOWN
truths = st.lists(st.sampled_from(list(Truth)))


# And: false wins over null; null wins over true.
@pytest.mark.parametrize(
    ("left", "right", "both"),
    [
        (MET, MET, MET), (MET, NOT_MET, NOT_MET), (MET, UNKNOWN, UNKNOWN),
        (NOT_MET, MET, NOT_MET), (NOT_MET, NOT_MET, NOT_MET), (NOT_MET, UNKNOWN, NOT_MET),
        (UNKNOWN, MET, UNKNOWN), (UNKNOWN, NOT_MET, NOT_MET), (UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)  # fmt: skip
def test_and_over_every_pair(left: Truth, right: Truth, both: Truth) -> None:
    """all_of agrees with the table for two operands."""
    assert all_of([left, right]) is both


# Or: true wins over null; null wins over false.
@pytest.mark.parametrize(
    ("left", "right", "either"),
    [
        (MET, MET, MET), (MET, NOT_MET, MET), (MET, UNKNOWN, MET),
        (NOT_MET, MET, MET), (NOT_MET, NOT_MET, NOT_MET), (NOT_MET, UNKNOWN, UNKNOWN),
        (UNKNOWN, MET, MET), (UNKNOWN, NOT_MET, UNKNOWN), (UNKNOWN, UNKNOWN, UNKNOWN),
    ],
)  # fmt: skip
def test_or_over_every_pair(left: Truth, right: Truth, either: Truth) -> None:
    """any_of agrees with the table for two operands."""
    assert any_of([left, right]) is either


@pytest.mark.parametrize(("one", "other"), [(MET, NOT_MET), (NOT_MET, MET), (UNKNOWN, UNKNOWN)])
def test_not_keeps_unknown(one: Truth, other: Truth) -> None:
    """Negation never turns unknown into an answer."""
    assert negate(one) is other


@pytest.mark.parametrize("truth", list(Truth))
def test_a_truth_refuses_to_be_a_bool(truth: Truth) -> None:
    """`if truth:` would read unknown as true, so it raises."""
    with pytest.raises(TypeError, match="three values"):
        bool(truth)


@given(truths)
def test_all_of_is_any_of_seen_from_the_other_side(parts: list[Truth]) -> None:
    """De Morgan holds for any number of parts."""
    assert all_of(parts) is negate(any_of([negate(part) for part in parts]))


@given(truths, st.randoms())
def test_the_order_of_parts_never_matters(parts: list[Truth], random: object) -> None:
    """Reordering changes neither all_of nor any_of."""
    shuffled = list(parts)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert all_of(shuffled) is all_of(parts)
    assert any_of(shuffled) is any_of(parts)
