"""Which word an unknown gets, and when a compound failure ends: contracts.md section 1."""

from __future__ import annotations

from datetime import date

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.core.answer import Answer, Gap, Missing
from cds.core.criterion import Characteristic, Criterion, Kind, Status
from cds.core.facts import Facts, Patient
from cds.core.truth import Truth, all_of, any_of
from cds.core.when import Evaluation
from cds.engine.evaluate import decide
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement

FACTS = Facts(Patient("Patient/p"))
ASKED = Evaluation.of(date(2026, 3, 1))


class Fixed(msgspec.Struct, frozen=True):
    """A statement whose answer is given."""

    fixed: Answer

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """The given answer."""
        del facts, asked
        return self.fixed

    def parts(self):  # type: ignore[no-untyped-def]  # noqa: ANN201
        """None."""
        return iter(())


TRUE = Fixed(Answer(Truth.MET, "true"))
FALSE = Fixed(Answer(Truth.NOT_MET, "false"))
MISSING = Fixed(Answer(Truth.UNKNOWN, "missing", gaps=(Missing("anc", Gap.NOT_RECORDED),)))
JUDGEMENT = Fixed(Answer(Truth.UNKNOWN, "judgement", gaps=(Missing("x", Gap.JUDGEMENT),)))
EVERY = {"true": TRUE, "false": FALSE, "missing": MISSING, "judgement": JUDGEMENT}
parts = st.lists(st.sampled_from(list(EVERY.values())), min_size=1, max_size=5)


def status(form: Characteristic, kind: Kind = Kind.INCLUSION) -> Status:
    """What a criterion of this form comes to."""
    return decide(Criterion("X", kind, "", "", form), FACTS, ASKED).status


@pytest.mark.parametrize(
    ("form", "expected"),
    [
        (AllOf((MISSING, JUDGEMENT)), Status.UNKNOWN),
        (AllOf((TRUE, JUDGEMENT)), Status.REVIEW),
        (AnyOf((FALSE, JUDGEMENT)), Status.REVIEW),
        (AnyOf((MISSING, JUDGEMENT)), Status.UNKNOWN),
        (AnyOf((TRUE, JUDGEMENT)), Status.PASS),
        (AllOf((FALSE, JUDGEMENT)), Status.FAIL),
    ],
)
def test_the_contracts_table_of_unknowns(form: Characteristic, expected: Status) -> None:
    """Only a missing datum makes unknown; only judgement left makes review."""
    assert status(form) is expected


@pytest.mark.parametrize(
    ("part", "inclusion", "exclusion"),
    [
        (TRUE, Status.PASS, Status.FAIL),
        (FALSE, Status.FAIL, Status.PASS),
        (MISSING, Status.UNKNOWN, Status.UNKNOWN),
        (JUDGEMENT, Status.REVIEW, Status.REVIEW),
    ],
)
def test_an_exclusion_is_negated_once(part: Fixed, inclusion: Status, exclusion: Status) -> None:
    """The excluded state fails; what nobody knows stays what it is."""
    assert status(part, Kind.INCLUSION) is inclusion
    assert status(part, Kind.EXCLUSION) is exclusion


@given(parts)
def test_groups_agree_with_kleene(chosen: list[Fixed]) -> None:
    """Groups of any size have the truth that the tables give."""
    truths = [part.fixed.truth for part in chosen]
    assert AllOf(tuple(chosen)).answer(FACTS, ASKED).truth is all_of(truths)
    assert AnyOf(tuple(chosen)).answer(FACTS, ASKED).truth is any_of(truths)


@given(parts)
def test_an_unknown_always_names_its_gap_and_an_answer_never_has_one(chosen: list[Fixed]) -> None:
    """Gaps are there exactly when something is unknown."""
    for form in (AllOf(tuple(chosen)), AnyOf(tuple(chosen)), Not(AllOf(tuple(chosen)))):
        answer = form.answer(FACTS, ASKED)
        assert (answer.truth is Truth.UNKNOWN) == bool(answer.gaps)


def until(day: int | None, truth: Truth = Truth.MET) -> Fixed:
    """A statement that stops being so in March 2026, or never."""
    return Fixed(Answer(truth, "", changes_on=None if day is None else date(2026, 3, day)))


@pytest.mark.parametrize(
    ("form", "day"),
    [
        (AnyOf((until(5), until(9))), 9),
        (AnyOf((until(5), until(None))), None),
        (AnyOf((until(5), FALSE)), 5),
        (AllOf((until(5), until(9))), 5),
        (AllOf((until(5), TRUE)), 5),
        (AllOf((TRUE, TRUE)), None),
        (Not(AllOf((until(5), until(9)))), 5),
    ],
)
def test_a_compound_statement_ends_when_enough_of_its_parts_have(
    form: Characteristic, day: int | None
) -> None:
    """any_of ends with its last true part, all_of with its first."""
    expected = None if day is None else date(2026, 3, day)
    assert form.answer(FACTS, ASKED).changes_on == expected


def a_judge(words: str) -> Fixed:
    """A statement about the record that a human must judge, such as an unverified entry."""
    return Fixed(Answer(Truth.UNKNOWN, words, gaps=(Missing("x", Gap.JUDGEMENT),)))


ASK = Judgement("A drug is taken. Is it given for this?", "X")
OTHER = Judgement("Is it another malignancy?", "X")
DOUBTFUL = a_judge("unverified")


@pytest.mark.parametrize(
    ("form", "reason"),
    [
        # all_of: the question takes for granted that the rest holds.
        (AllOf((TRUE, ASK)), ASK.question),
        (AllOf((MISSING, ASK)), "missing"),
        (AllOf((ASK, MISSING)), "missing"),
        (AllOf((DOUBTFUL, ASK)), f"unverified; if that leaves it open: {ASK.question}"),
        (AllOf((ASK, DOUBTFUL)), f"unverified; if that leaves it open: {ASK.question}"),
        (AllOf((ASK, OTHER)), f"{ASK.question}; {OTHER.question}"),
        # any_of: that the rest does not.
        (AnyOf((FALSE, ASK)), ASK.question),
        (AnyOf((MISSING, ASK)), "missing"),
        (AnyOf((DOUBTFUL, ASK)), f"unverified; if that leaves it open: {ASK.question}"),
        (AnyOf((Not(MISSING), MISSING, ASK)), "missing"),
        # Alternatives that stand by themselves do not wait for one another.
        (AnyOf((MISSING, AllOf((TRUE, ASK)))), f"missing; {ASK.question}"),
        (AnyOf((AllOf((TRUE, ASK)), AllOf((TRUE, OTHER)))), f"{ASK.question}; {OTHER.question}"),
        # However deep the question stands.
        (AllOf((MISSING, AnyOf((FALSE, ASK)))), "missing"),
        (AllOf((MISSING, Not(AllOf((TRUE, ASK))))), "missing"),
        (
            AllOf((DOUBTFUL, AnyOf((FALSE, ASK)))),
            f"unverified; if that leaves it open: {ASK.question}",
        ),
        (AllOf((AnyOf((FALSE, ASK)), AllOf((TRUE, OTHER)))), f"{ASK.question}; {OTHER.question}"),
        (Not(AllOf((TRUE, ASK))), ASK.question),
        (ASK, ASK.question),
    ],
)
def test_a_question_takes_nothing_for_granted_that_is_not_known(
    form: Characteristic, reason: str
) -> None:
    """It is put when all beside it is settled, after a human's judgement as a condition."""
    answer = form.answer(FACTS, ASKED)
    assert answer.truth is Truth.UNKNOWN
    assert answer.reason == reason


def test_a_question_that_is_left_out_is_still_a_gap() -> None:
    """What is missing is named in full: the datum may leave the question to be answered."""
    gaps = AllOf((MISSING, ASK)).answer(FACTS, ASKED).gaps
    assert gaps == (Missing("anc", Gap.NOT_RECORDED), Missing("X", Gap.JUDGEMENT))


def test_what_a_part_says_is_not_said_again_by_a_group_beside_it() -> None:
    """Whole reasons only: what merely looks alike inside another stays."""
    unread = a_judge("drugs could not be read")
    form = AllOf((unread, AnyOf((unread, a_judge("begun 2025")))))
    assert form.answer(FACTS, ASKED).reason == "drugs could not be read; begun 2025"
    assert AllOf((a_judge("a b"), a_judge("a"))).answer(FACTS, ASKED).reason == "a b; a"
