"""The cheapest step that could settle a trial, in a few short sentences."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING

from cds.cards.orders import CONSENT_FIRST, ordered_as, tests_to_order
from cds.cards.words import capitalised, counted, listed, plain
from cds.core.answer import Gap
from cds.core.criterion import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from cds.cards.orders import Words
    from cds.core.answer import Missing
    from cds.core.criterion import Determination

_MOST_NAMES = 6


class Step(Enum):
    """How one comes by a missing datum, in the order in which a card says it.

    The value is the sentence, around what is missing.
    """

    LIMIT = "ask the laboratory for the upper limit of normal of {}, or repeat"
    ORDER = "order {}"
    MEASURE = "measure {}"
    ASSESS = "assess {}"
    ASK = "ask for or look up {}"
    UNIT = "have {} sent in a unit that can be compared"
    IMPLAUSIBLE = "check {} at its source: the number is not plausible"
    CONFLICT = "find out which entry is right for {}"
    DATE = "find out the date of {}"
    UNREAD = "look up in the chart what could not be read: {}"


_BY_GAP = {
    Gap.NOT_RETRIEVED: Step.UNREAD,
    Gap.NO_RANGE: Step.LIMIT,
    Gap.UNIT: Step.UNIT,
    Gap.IMPLAUSIBLE: Step.IMPLAUSIBLE,
    Gap.CONFLICTING: Step.CONFLICT,
    Gap.DATE: Step.DATE,
}
_BY_CATEGORY = {"vital-signs": Step.MEASURE, "survey": Step.ASSESS}
_SAID_AS = {
    "age": "the date of birth",  # what one can ask for
    "systolic_bp": "blood pressure",
    "diastolic_bp": "blood pressure",
}


_ABOUT_THE_PERSON = {"age", "sex"}


def step_to(missing: Missing, tests: Collection[str], words: Words) -> Step:
    """How one comes by a datum; `tests` are those that can be ordered."""
    if missing.gap is Gap.NO_RANGE:
        return Step.LIMIT
    if missing.concept in _ABOUT_THE_PERSON:
        return Step.ASK
    if missing.concept in tests:
        return Step.ORDER
    known = words.orderable.get(missing.concept)
    by_category = Step.ASK if known is None else _BY_CATEGORY.get(known.category, Step.ASK)
    return _BY_GAP.get(missing.gap, by_category)


def needed(determination: Determination, words: Words) -> list[str]:
    """The names of the data that unknown criteria lack, each once; what can be ordered first."""
    tests = set(tests_to_order(determination, words.orderable))
    concepts = dict.fromkeys(missing.concept for missing in _missing(determination))
    ordered = sorted(concepts, key=lambda concept: concept not in tests)
    return list(dict.fromkeys(_label(concept, words) for concept in ordered))


def next_step(determination: Determination, words: Words) -> str:
    """'**Next: order TSH.** …': an order first where one may settle it, else a question."""
    tests = tests_to_order(determination, words.orderable)
    sentences = list(_sentences(determination, tests, words))
    if not sentences:
        unknown = len(determination.with_status(Status.UNKNOWN))
        return f"**{counted(unknown, 'criterion', 'criteria')} cannot be told from the record.**"
    first, *rest = sentences
    said = [f"**Next: {first}.**", *(f"{capitalised(one)}." for one in rest)]
    if tests:
        said.append(CONSENT_FIRST)
    return " ".join(said)


def _sentences(determination: Determination, tests: Collection[str], words: Words) -> Iterator[str]:
    """One sentence for each kind of step; a concept stands in the first that fits."""
    steps: dict[str, Step] = {}
    for missing in _missing(determination):
        step = step_to(missing, tests, words)
        known = steps.get(missing.concept, step)
        steps[missing.concept] = min(step, known, key=list(Step).index)
    for step in Step:
        names = [
            ordered_as(concept, _label(concept, words))
            if step is Step.ORDER
            else _label(concept, words)
            for concept, taken in steps.items()
            if taken is step
        ]
        if names:
            yield step.value.format(plain(listed(names, _MOST_NAMES)))


def _missing(determination: Determination) -> Iterator[Missing]:
    for decision in determination.with_status(Status.UNKNOWN):
        for missing in decision.gaps:
            if missing.gap is not Gap.JUDGEMENT:
                yield missing


def _label(concept: str, words: Words) -> str:
    return _SAID_AS.get(concept) or words.labels.get(concept, concept.replace("_", " "))
