"""Sixty sentences of other diseases, written before the grammar: what is right, missed, wrong."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml

if TYPE_CHECKING:
    from collections.abc import Callable

SENTENCES = yaml.safe_load(Path(__file__).with_name("other_diseases.yaml").read_text("utf-8"))[
    "sentences"
]
REVIEW = [{"review": True}]


def plainly(form: Any) -> Any:
    """An expected form as the fixture gives proposed ones."""
    if isinstance(form, dict):
        return {"review": True} if "review" in form else {k: plainly(v) for k, v in form.items()}
    if isinstance(form, list):
        return [plainly(part) for part in form]
    return {True: "yes", False: "no"}[form] if isinstance(form, bool) else str(form)


def outcome(sentence: Any, propose: Callable[..., list[Any]]) -> str:
    """`right`, `missed` (left to a human), or `wrong` (a form that a reader would not write)."""
    expected = [plainly(atom.get("form", {"review": True})) for atom in sentence["atoms"]]
    got = propose(sentence["text"], excluding=sentence["kind"] == "exclusion") or REVIEW
    if got == expected:
        return "right"
    return "missed" if got == REVIEW else "wrong"


@pytest.fixture(scope="module")
def outcomes(propose: Callable[..., list[Any]]) -> dict[str, str]:
    """What became of each sentence."""
    return {one["text"]: outcome(one, propose) for one in SENTENCES}


def test_no_sentence_of_another_disease_gets_a_wrong_form(outcomes: dict[str, str]) -> None:
    assert [text for text, what in outcomes.items() if what == "wrong"] == []


def test_nearly_all_sentences_of_other_diseases_are_read_as_a_careful_reader_would(
    outcomes: dict[str, str],
) -> None:
    assert len(outcomes) == 60
    assert list(outcomes.values()).count("right") >= 59
