"""The cheapest step that could settle a trial, in one or two sentences."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.orders import CONSENT_FIRST, tests_to_order
from cds.cards.words import counted, listed, plain
from cds.core.answer import Gap
from cds.core.criterion import Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.core.answer import Missing
    from cds.core.criterion import Determination

_MOST_NAMES = 6


def needed(determination: Determination, labels: Mapping[str, str]) -> list[str]:
    """The names of the data that unknown criteria lack, each once; what can be ordered first."""
    orderable = set(tests_to_order(determination))
    concepts = dict.fromkeys(missing.concept for missing in _missing(determination))
    ordered = sorted(concepts, key=lambda concept: concept not in orderable)
    return [_label(concept, labels) for concept in ordered]


def next_step(determination: Determination, labels: Mapping[str, str]) -> str:
    """'**Next: order TSH.** …'; what needs no needle and no money comes first."""
    sentences = list(_sentences(determination, labels))
    if not sentences:
        unknown = len(determination.with_status(Status.UNKNOWN))
        return f"**{counted(unknown, 'criterion', 'criteria')} cannot be told from the record.**"
    first, *rest = sentences
    said = [f"**Next: {first}.**", *(f"{one[0].upper()}{one[1:]}." for one in rest)]
    if tests_to_order(determination):
        said.append(CONSENT_FIRST)
    return " ".join(said)


def _sentences(determination: Determination, labels: Mapping[str, str]) -> Iterator[str]:
    missing = list(_missing(determination))
    tests = tests_to_order(determination)
    unread = _names((m for m in missing if m.gap is Gap.NOT_RETRIEVED), labels)
    ranges = {m.concept for m in missing if m.gap is Gap.NO_RANGE}
    without = [_label(concept, labels) for concept in tests if concept in ranges]
    without += [_label(c, labels) for c in ranges if c not in tests]
    to_order = [_label(concept, labels) for concept in tests if concept not in ranges]
    rest = (
        m
        for m in missing
        if m.gap not in {Gap.NOT_RETRIEVED, Gap.NO_RANGE} and m.concept not in tests
    )
    if without:
        yield f"ask the laboratory for the upper limit of normal of {_said(without)}, or repeat"
    if to_order:
        yield f"order {_said(to_order)}"
    if asked := _names(rest, labels):
        yield f"ask for or look up {_said(asked)}"
    if unread:
        yield f"look up in the chart what could not be read: {_said(unread)}"


def _missing(determination: Determination) -> Iterator[Missing]:
    for decision in determination.with_status(Status.UNKNOWN):
        for missing in decision.gaps:
            if missing.gap is not Gap.JUDGEMENT:
                yield missing


def _names(missing: Iterator[Missing], labels: Mapping[str, str]) -> list[str]:
    return list(dict.fromkeys(_label(one.concept, labels) for one in missing))


def _said(names: list[str]) -> str:
    return plain(listed(names, _MOST_NAMES))


def _label(concept: str, labels: Mapping[str, str]) -> str:
    if concept == "age":
        return "date of birth"  # what one can ask for
    return labels.get(concept, concept.replace("_", " "))
