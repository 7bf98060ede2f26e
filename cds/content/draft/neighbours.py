"""Sentences that were understood alone, but not with what stands around them.

A sentence that nobody read may take back, limit or offer an alternative to one that was read: "if
liver metastases are present, ≤ 5 × ULN", "Note: …", "or". Then both are for a human.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.draft.proposal import concepts_of
from cds.content.draft.vocabulary import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.content.draft.drafting import Sentence

_CHANGES = word_set("neighbour")
_FIRST = _CHANGES | word_set("first")
_BINDS = frozenset({"or", "and", "and/or"})
_TESTS = frozenset({"LAB_NAME", "ECOG_NAME", "VIRUS_NAME"})
_NAMED = _TESTS | {"FINDING_NAME", "PROCEDURE_NAME", "DRUG_CLASS", "HIV_NAME"}
_ALONE = "a sentence beside it may change what it says, and was not understood"
_SAME = "another sentence about the same thing was not understood"
_TWICE = "the text gives two different limits for the same thing"


def unsettled(sentences: Sequence[Sentence]) -> Iterator[tuple[Sentence, str]]:
    """The understood sentences that must not stand, and why."""
    for place, sentence in enumerate(sentences):
        if sentence.found or sentence.scope.heading:
            continue
        for other in _touched(place, sentences):
            if other.found:
                yield other, _ALONE
        mentioned = _mentioned(sentence)
        for other in sentences:
            if other.found and mentioned & _keys(other):
                yield other, _SAME
    yield from _twice(sentences)


def _words(sentence: Sentence) -> list[str]:
    return [word.text.casefold() for word in sentence.words]


def _touched(place: int, sentences: Sequence[Sentence]) -> Iterator[Sentence]:
    """The sentences beside one that nobody read, as far as it may change them."""
    sentence = sentences[place]
    words = _words(sentence)
    body = [word for word in words if word[:1].isalnum()]
    changes = not _CHANGES.isdisjoint(words)
    if changes:
        yield from (
            one
            for one in sentences
            if one.piece.item == sentence.piece.item and one.piece.section == sentence.piece.section
        )
    if body and body[0] in _FIRST and place:
        yield sentences[place - 1]
    if body and body[-1] in _BINDS and place + 1 < len(sentences):
        yield sentences[place + 1]
    if changes and place and body and body[0] in _CHANGES and place + 1 < len(sentences):
        yield sentences[place + 1]


def _mentioned(sentence: Sentence) -> set[str]:
    """The concepts that a sentence names: tests always, others where it may change them."""
    terminals = _NAMED if not _CHANGES.isdisjoint(_words(sentence)) else _TESTS
    return {key for word in sentence.words if word.terminal in terminals for key in word.keys}


def _keys(sentence: Sentence) -> set[str]:
    return {key for proposal in sentence.found for key in concepts_of(proposal.form)}


def _twice(sentences: Sequence[Sentence]) -> Iterator[tuple[Sentence, str]]:
    """Sentences of one list that give one test, age or score different limits."""
    limits: dict[tuple[str, str, str], list[tuple[Sentence, str]]] = {}
    for sentence in sentences:
        for proposal in sentence.found:
            form = proposal.form or {}
            if "lab" not in form and "age" not in form:
                continue
            for sign in ("at_least", "at_most", "above", "below"):
                if sign in form:
                    side = "low" if sign in {"at_least", "above"} else "high"
                    key = sentence.piece.section, str(form.get("lab", "age")), side
                    limits.setdefault(key, []).append((sentence, f"{sign} {form[sign]}"))
    for said in limits.values():
        if len({limit for _, limit in said}) > 1:
            for sentence, _ in said:
                yield sentence, _TWICE
