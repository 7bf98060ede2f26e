"""The tables of docs/adding-a-trial.md are the grammar, neither more nor less."""

from __future__ import annotations

import re
from pathlib import Path

from cds.content import forms, given

PAGE = (Path(__file__).parents[2] / "docs" / "adding-a-trial.md").read_text("utf-8")


def pairs(heading: str) -> list[tuple[str, str]]:
    """The first two cells of each row of the table whose first column has this heading."""
    table = PAGE.partition(f"| {heading} | key | meaning |\n")[2].partition("\n\n")[0]
    rows = re.findall(r"^\| `(\w+)` \| (?:`(\w+)`)? ?\| .+ \|$", table, re.MULTILINE)
    assert len(rows) == table.count("\n"), "a row of the table is not understood"
    return rows


def test_every_key_of_every_form_is_explained_once() -> None:
    grammar = [(head, key) for head, keys in forms.KEYS.items() for key in ["", *sorted(keys)]]
    assert sorted(pairs("form")) == sorted(grammar)


def test_every_fact_that_a_case_may_state_is_explained_once() -> None:
    grammar = [(head, key) for head, keys in given.KEYS.items() for key in ["", *sorted(keys)]]
    assert sorted(pairs("fact")) == sorted(grammar)
