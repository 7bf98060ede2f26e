"""What is known beforehand of criteria without an entry is what deciding them says."""

from __future__ import annotations

from datetime import date

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.core.criterion import Criterion, Determination, Kind, Status, Trial
from cds.core.facts import (
    Condition,
    Course,
    Exposure,
    Facts,
    Mark,
    Patient,
    Procedure,
    Retrieval,
)
from cds.core.when import Evaluation, read_when
from cds.engine.evaluate import decide, determine
from cds.engine.finding import Finding
from cds.engine.group import AllOf, Not
from cds.engine.judgement import Judgement
from cds.engine.person import Age
from cds.engine.silence import Nothing, silence_of

ASKED = Evaluation.of(date(2026, 3, 1))
TRIALS = load_content([bundled_content()]).trials
CRITERIA = [criterion for trial in TRIALS for criterion in trial.criteria]
KNOWN = [one.silence for one in CRITERIA if isinstance(one.silence, Nothing)]
CONCEPTS = sorted(set().union(*(known.concepts for known in KNOWN)))
TYPES = ("Condition", "Procedure", "MedicationRequest", "MedicationStatement")

counts = st.dictionaries(st.sampled_from(TYPES), st.integers(0, 40))
some = st.lists(st.sampled_from(CONCEPTS), max_size=3, unique=True)
dates = st.sampled_from([None, "2019", "2026-02-20", "2026-02-28", "2026-04-01"]).map(
    lambda text: None if text is None else read_when(text)
)
conditions = st.builds(Condition, st.just("Condition/c"), st.just("found"), event=dates)
procedures = st.builds(Procedure, st.just("Procedure/p"), st.just("done"), start=dates)
drugs = st.builds(
    Exposure,
    st.just("MedicationStatement/m"),
    st.just("taken"),
    st.sampled_from(Course),
    start=dates,
    local=st.booleans(),
)
marks = st.builds(Mark, decides=st.booleans(), ingredient=st.just("drug"))


@st.composite
def records(draw: st.DrawFn) -> Facts:
    """Facts with few entries or none, read in full or not."""
    return Facts(
        Patient("Patient/p", read_when("2012-05-05"), "female"),
        conditions={key: [(draw(conditions), draw(marks))] for key in draw(some)},
        procedures={key: [(draw(procedures), draw(marks))] for key in draw(some)},
        exposures={key: [(draw(drugs), draw(marks))] for key in draw(some)},
        unrecognised_drugs=draw(st.lists(drugs, max_size=1)),
        unrecognised=draw(counts),
        totals=draw(counts),
        retrieval=draw(
            st.dictionaries(st.sampled_from(TYPES), st.sampled_from(Retrieval), max_size=2)
        ),
    )


def asked_anew(criterion: Criterion) -> Criterion:
    """The same criterion, of which nothing is known beforehand."""
    return msgspec.structs.replace(criterion, silence=None)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(facts=records())
def test_what_is_known_beforehand_is_what_the_criterion_itself_says(facts: Facts) -> None:
    for criterion in CRITERIA:
        known = decide(criterion, facts, ASKED)
        found = decide(asked_anew(criterion), facts, ASKED)
        assert msgspec.structs.replace(known, criterion=found.criterion) == found


def without_silence(trial: Trial) -> Trial:
    criteria = tuple(asked_anew(criterion) for criterion in trial.criteria)
    return msgspec.structs.replace(trial, criteria=criteria, silence=None)


@settings(derandomize=True, max_examples=300, deadline=None)
@given(facts=records())
def test_a_trial_says_what_its_criteria_say_one_by_one(facts: Facts) -> None:
    for trial in TRIALS:
        for of in (trial, with_reversed_criteria(trial)):
            assert said(determine(of, facts, ASKED)) == said(
                determine(without_silence(of), facts, ASKED)
            )


def with_reversed_criteria(trial: Trial) -> Trial:
    """A copy of which nothing is known as a whole, as a reviewer's draft is."""
    return msgspec.structs.replace(trial, criteria=trial.criteria[::-1])


def said(found: Determination) -> list[tuple[object, ...]]:
    return [(one.criterion.id, *msgspec.structs.astuple(one)[1:]) for one in found.decisions]


def test_most_criteria_of_the_bundled_trials_are_known_beforehand() -> None:
    assert len(KNOWN) > len(CRITERIA) / 2


def test_nothing_is_known_beforehand_of_a_criterion_that_asks_about_the_person() -> None:
    form = AllOf((Finding(("hypertension",), "hypertension"), Age(at_least=18)))
    assert silence_of(Criterion("I", Kind.INCLUSION, "", "", form)) is None


def test_a_question_beside_a_list_that_was_not_read_is_asked() -> None:
    """Its reason does not name the list, but the missing list makes it more than a question."""
    form = AllOf((Not(Finding(("hypertension",), "hypertension")), Judgement("Well?", "E1")))
    criterion = Criterion("E1", Kind.INCLUSION, "", "", form)
    criterion = msgspec.structs.replace(criterion, silence=silence_of(criterion))
    patient = Patient("Patient/p")
    assert decide(criterion, Facts(patient), ASKED).status is Status.REVIEW
    unread = Facts(patient, retrieval={"Condition": Retrieval.NOT_RETRIEVED})
    assert decide(criterion, unread, ASKED).status is Status.UNKNOWN


def test_a_changed_copy_of_a_criterion_is_asked_itself() -> None:
    form = Finding(("hypertension",), "hypertension")
    criterion = Criterion("E1", Kind.EXCLUSION, "", "", form)
    criterion = msgspec.structs.replace(criterion, silence=silence_of(criterion))
    facts = Facts(Patient("Patient/p"))
    assert decide(criterion, facts, ASKED).status is Status.PASS
    draft = msgspec.structs.replace(criterion, reviewed=False)
    assert decide(draft, facts, ASKED).status is Status.REVIEW
    turned = msgspec.structs.replace(criterion, kind=Kind.INCLUSION)
    assert decide(turned, facts, ASKED).status is Status.FAIL
    age = msgspec.structs.replace(criterion, form=Age(at_least=18))
    assert decide(age, facts, ASKED).status is Status.UNKNOWN
