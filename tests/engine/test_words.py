"""Dates in a reason read as a person would write them."""

from __future__ import annotations

from datetime import date

import pytest

from cds.core.when import When, read_when
from cds.engine.words import day


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("2026-02-20", "2026-02-20"),
        ("2026-02", "2026-02"),
        ("2026", "2026"),
        ("2026-02-20T10:00:00+01:00", "2026-02-20"),
        ("2026-02-01/2026-02-20", "2026-02-01 to 2026-02-20"),
        ("2026-02-01T08:00:00Z/2026-02", "2026-02-01 to 2026-02"),
        ("at 13 years of age", "at 13 years of age"),
    ],
)
def test_a_date_is_said_whole(text: str, said: str) -> None:
    someday = date(2026, 2, 1)
    assert day(read_when(text) or When(text, someday, someday, 0, 0)) == said


def test_no_date_is_said_too() -> None:
    assert day(None) == "no readable date"
