"""Deciding a statement once for a record and a day, however many criteria are made of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.core.answer import Answer
    from cds.core.criterion import Characteristic
    from cds.core.facts import Facts
    from cds.core.when import Evaluation


def answer_of(form: Characteristic, facts: Facts, asked: Evaluation) -> Answer:
    """The statement's answer; the same object as before where this very statement was decided.

    Statements are told apart by identity: to compare two costs as much as to decide one.
    """
    known = facts.worked_out(asked)
    found: tuple[Characteristic, Answer] | None = known.get(id(form))
    if found is not None and found[0] is form:
        return found[1]
    answer = form.answer(facts, asked)
    known[id(form)] = (form, answer)
    return answer
