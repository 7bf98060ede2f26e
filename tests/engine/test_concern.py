"""The index of many trials finds exactly the trials that asking each of them would find."""

from __future__ import annotations

from datetime import date

from hypothesis import given
from hypothesis import strategies as st

from cds.core.criterion import Characteristic, Criterion, Kind, Recruitment, Status, Trial
from cds.core.facts import Clinical, Condition, Facts, Mark, Patient, Retrieval
from cds.core.when import Evaluation, Span, read_when
from cds.engine.concern import TrialIndex, target_concepts
from cds.engine.evaluate import decide
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.person import Age, Sex
from cds.engine.window import Window

ASKED = Evaluation.of(date(2026, 3, 1))
CONCEPTS = ("sarcoma", "leukaemia", "lymphoma", "diabetes")
NEAR_DAYS = 30

findings = st.builds(
    Finding,
    st.lists(st.sampled_from(CONCEPTS), min_size=1, max_size=2, unique=True).map(tuple),
    st.just("label"),
    active=st.booleans(),
    within=st.sampled_from([None, Window(Span(28))]),
)
ages = st.builds(Age, st.sampled_from([None, 5, 18, 40]), st.sampled_from([None, 18, 75]))
sexes = st.sampled_from([Sex(), Sex(("female",)), Sex(("male",))])
targets: st.SearchStrategy[Characteristic] = st.one_of(
    findings,
    st.lists(findings, min_size=1, max_size=2).map(lambda parts: AnyOf(tuple(parts))),
    st.lists(findings, min_size=1, max_size=2).map(lambda parts: AllOf(tuple(parts))),
    findings.map(Not),
    ages,
)
kinds = st.sampled_from(Kind)


@st.composite
def trials(draw: st.DrawFn) -> Trial:
    target = Criterion("T", draw(kinds), "", "", draw(targets), reviewed=draw(st.booleans()))
    gates = [
        Criterion(f"G{n}", draw(kinds), "", "", form, reviewed=draw(st.booleans()))
        for n, form in enumerate(draw(st.lists(st.one_of(ages, sexes), max_size=2)))
    ]
    recruitment = Recruitment("", recruiting=True, as_of="")
    criteria = tuple(draw(st.permutations([target, *gates])))
    return Trial("NCT", "1.0.0", "", "", "", "", recruitment, "T", criteria)


@st.composite
def records(draw: st.DrawFn) -> Facts:
    conditions: dict[str, list[tuple[Condition, Mark]]] = {}
    for concept in draw(st.lists(st.sampled_from(CONCEPTS), max_size=3)):
        event = draw(st.sampled_from([None, "2026-02-20", "2020", "2027-01-01"]))
        condition = Condition(
            "Condition/c",
            "diagnosis",
            draw(st.sampled_from(Clinical)),
            doubtful=draw(st.booleans()),
            event=None if event is None else read_when(event),
        )
        mark = Mark(decides=draw(st.booleans()), history=draw(st.booleans()))
        conditions.setdefault(concept, []).append((condition, mark))
    birth = draw(st.sampled_from([None, "2008", "2008-03-05", "1990-01-01", "1940"]))
    patient = Patient(
        "Patient/p",
        None if birth is None else read_when(birth),
        draw(st.sampled_from([None, "female", "male", "other"])),
    )
    read = draw(st.sampled_from(Retrieval))
    return Facts(patient, conditions=conditions, retrieval={"Condition": read})


def asked_one_by_one(
    heads: list[Trial], facts: Facts, near_days: int | None
) -> tuple[list[int], list[int], list[int]]:
    """What the index must find: the possible trials, the untold and the ruled-out ones."""
    possible: list[int] = []
    untold: list[int] = []
    ruled_out: list[int] = []
    for place, head in enumerate(heads):
        decisions = {one.id: decide(one, facts, ASKED) for one in head.criteria}
        target = decisions.pop("T").status
        lasting = any(
            gate.status is Status.FAIL
            and (gate.clears_on is None or (gate.clears_on - ASKED.on).days > (near_days or 0))
            for gate in decisions.values()
        )
        if target is Status.UNKNOWN:
            untold.append(place)
        elif target is not Status.FAIL:
            (ruled_out if near_days is not None and lasting else possible).append(place)
    return possible, untold, ruled_out


@given(st.lists(trials(), max_size=12), records(), st.sampled_from([None, NEAR_DAYS]))
def test_no_trial_is_left_out_that_could_give_a_card_and_none_is_added(
    heads: list[Trial], facts: Facts, near_days: int | None
) -> None:
    found = TrialIndex(heads).concern(facts, ASKED, near_days)
    told = (found.possible, found.untold, found.ruled_out)
    assert told == asked_one_by_one(heads, facts, near_days)


@given(st.lists(trials(), max_size=4))
def test_the_concepts_of_the_targets_are_those_that_they_ask_for(heads: list[Trial]) -> None:
    def asked_for(form: Characteristic) -> set[str]:
        own = set(form.concepts) if isinstance(form, Finding) else set()
        return own.union(*map(asked_for, form.parts()))

    targets = [one.form for head in heads for one in head.criteria if one.id == head.target]
    assert target_concepts(heads) == set().union(*map(asked_for, targets))
