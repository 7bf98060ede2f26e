"""The names that may become forms, and the words of the grammar."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cds.content.draft.lexicon import _rows
from cds.content.draft.parsing import _GRAMMAR

if TYPE_CHECKING:
    from cds.content.draft.lexicon import Lexicon

_DOMAINS = {
    "lab": {"lab", "vital"}, "virus": {"lab"}, "score": {"score"}, "finding": {"finding"},
    "event": {"finding"}, "hiv": {"finding"}, "procedure": {"procedure"}, "clot": {"finding"},
    "medication": {"medication"}, "part": {"finding"}, "other": set(),
}  # fmt: skip


def test_every_name_belongs_to_a_concept_of_its_kind(names: Lexicon) -> None:
    concepts = names.terminology.concepts
    for kind, keys, _ in _rows():
        assert {concepts[key].domain for key in keys} <= _DOMAINS[kind], (kind, keys)


def test_no_name_stands_for_two_things() -> None:
    said = [name.casefold() for _, _, listed in _rows() for name in listed]
    assert sorted({name for name in said if said.count(name) > 1}) == []


def test_no_word_of_the_grammar_is_mistaken_for_one_of_its_terminals() -> None:
    text = _GRAMMAR.read_text("utf-8")
    declared = {
        name for line in re.findall(r"^%declare (.+)$", text, re.MULTILINE) for name in line.split()
    }
    quoted = {word.upper() for word in re.findall(r'"([^"]+)"', text)}
    assert declared & quoted == set()
