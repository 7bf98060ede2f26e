"""Which answers count on a day, for the hook and for the page; statuses stay as computed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cds.core.criterion import Status
from cds.store.attestations import WITHDRAWN, Attestation, attested, newest

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping
    from datetime import date

    from cds.core.criterion import Determination
    from cds.store.database import Store

YES, NO, NOT_YET = "yes", "no", "not-yet"
ANSWERS = (YES, NO, NOT_YET)
"""Seen from eligibility, as statuses are: yes does not stand in the way, no rules out."""


def question_of(text: str, reading: str) -> str:
    """A digest of a criterion's words; an answer is to these and to no others."""
    return hashlib.sha256(msgspec.json.encode([text, reading])).hexdigest()


def counts(said: Attestation, question: str, on: date) -> bool:
    """Whether an answer still holds on a day for a question as it is worded now."""
    return (
        said.answer != WITHDRAWN
        and said.question == question
        and said.expires is not None
        and on <= said.expires
    )


class Standing(NamedTuple):
    """How far the questions of one trial are answered; `against`: a no that counts."""

    answered: int
    of: int
    against: Attestation | None


def answered_in(
    determination: Determination, said: Mapping[tuple[str, str], Attestation], on: date
) -> Standing:
    """The answers that count for one determination.

    Asked is what only a human can decide, and what was answered while that was so.
    """
    asked, counting = 0, []
    for decision in determination.decisions:
        criterion = decision.criterion
        one = said.get((determination.trial.id, criterion.id))
        holds = one is not None and counts(one, question_of(criterion.text, criterion.reading), on)
        asked += holds or decision.status is Status.REVIEW
        if one is not None and holds:
            counting.append(one)
    against = next((one for one in counting if one.answer == NO), None)
    return Standing(sum(one.answer in {YES, NO} for one in counting), asked, against)


def answers_for(
    store: Store, patient: Collection[str], determinations: Iterable[Determination], on: date
) -> dict[str, Standing]:
    """Trial → how far its questions are answered, where somebody answered one.

    Raises:
        StoreFault: the database cannot be read now.
    """
    said = newest(attested(store, patient))
    if not said:
        return {}
    found = {d.trial.id: answered_in(d, said, on) for d in determinations}
    return {trial: one for trial, one in found.items() if one.answered}


def notes_on(said: Mapping[str, Standing]) -> dict[str, tuple[str, ...]]:
    """Trial → the line on its card that says how far its questions are answered."""
    return {
        trial: (f"{one.answered} of {one.of} questions answered.",) for trial, one in said.items()
    }


def joined(
    first: Mapping[str, tuple[str, ...]], then: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[str, ...]]:
    """Trial → the lines of both."""
    return {trial: (*first.get(trial, ()), *then.get(trial, ())) for trial in {**first, **then}}
