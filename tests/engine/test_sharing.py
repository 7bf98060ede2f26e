"""Statements that several trials share are decided once, and say the same as before."""

from __future__ import annotations

from datetime import date

import msgspec

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.core.answer import Answer
from cds.core.facts import Facts, Patient
from cds.core.truth import Truth
from cds.core.when import Evaluation
from cds.engine.group import AllOf, AnyOf
from cds.engine.once import answer_of
from cds.engine.person import Age
from cds.engine.sharing import Sharing

FACTS = Facts(Patient("Patient/p"))


def test_equal_statements_of_two_trials_become_one_object_and_stay_equal() -> None:
    trials = load_content([bundled_content()]).trials
    sharing = Sharing()
    first, second = (
        sharing.trial(msgspec.structs.replace(trial, id=f"NCT9000000{number}"))
        for number, trial in enumerate((trials[0], trials[0]))
    )
    assert first.criteria == trials[0].criteria
    for one, other in zip(first.criteria, second.criteria, strict=True):
        assert one.form is other.form


def test_a_statement_is_decided_once_for_a_day_and_anew_for_another() -> None:
    form = AllOf((Age(at_least=18),))
    asked = Evaluation.of(date(2026, 3, 1))
    assert answer_of(form, FACTS, asked) is answer_of(form, FACTS, asked)
    assert answer_of(form, FACTS, Evaluation.of(date(2026, 3, 2))) == answer_of(form, FACTS, asked)


def test_statements_that_come_and_go_are_never_mistaken_for_one_another() -> None:
    """A new object may lie where an old one lay."""
    asked = Evaluation.of(date(2026, 3, 1))
    for _ in range(50):
        assert answer_of(AllOf(()), FACTS, asked) == Answer(Truth.MET, "")
        assert answer_of(AnyOf(()), FACTS, asked) == Answer(Truth.NOT_MET, "")
