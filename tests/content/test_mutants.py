from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from cds.content.examples import AS_OF, examples, facts_of, in_yaml
from cds.content.mutants import Mutant, mutants, only_judgement, telling_apart
from cds.core.criterion import Characteristic, Criterion, Kind
from cds.core.truth import Truth
from cds.core.when import Span
from cds.engine.entries import Weight
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Absent, Bound, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone
from cds.engine.window import Window

ANC = Lab(
    ("anc",), "ANC", "10*9/L", ("laboratory",), Sign.AT_LEAST, (Bound(Decimal("1.5")),),
    look_back=Span(28),
)  # fmt: skip
ALT = Lab(
    ("alt",), "ALT", "U/L", ("laboratory",), Sign.AT_MOST, (Bound(Decimal(0), Decimal("2.5")),),
    look_back=Span(28),
)  # fmt: skip
QTC = Lab(
    ("qtc",), "QTc", "ms", ("exam",), Sign.AT_LEAST,
    (Bound(Decimal(450), sex="male"), Bound(Decimal(470), sex="female")),
)  # fmt: skip
WEEK = Window(Span(7))
ASK = Judgement("Is it so?", "X")


def changes(form: Characteristic) -> dict[str, list[str]]:
    """What is changed in a form, in words, by what it is."""
    found: dict[str, list[str]] = {}
    for mutant in mutants(criterion(form)):
        found.setdefault(mutant.what, []).append(mutant.says)
    return found


def criterion(form: Characteristic, kind: Kind = Kind.INCLUSION) -> Criterion:
    """A criterion around a form."""
    return Criterion("X", kind, "words", "reading", form)


def test_a_bound_moves_by_one_in_its_last_place_in_both_directions() -> None:
    assert changes(ANC)["bound"] == [
        "ANC: 1.5 10*9/L becomes 1.4 10*9/L",
        "ANC: 1.5 10*9/L becomes 1.6 10*9/L",
    ]


def test_a_multiple_of_the_upper_limit_moves_too() -> None:
    assert [says.partition("becomes ")[2] for says in changes(ALT)["bound"]] == [
        "2.4 × ULN",
        "2.6 × ULN",
    ]


def test_each_limit_of_men_and_women_moves_and_they_change_places() -> None:
    assert len(changes(QTC)["bound"]) == 5


def test_a_sign_loses_its_equality_and_turns_round() -> None:
    assert changes(ANC)["sign"] == ["ANC: ≥ becomes >", "ANC: ≥ becomes ≤"]


def test_every_window_moves_by_a_day_in_both_directions() -> None:
    assert len(changes(ANC)["window"]) == 2
    assert len(changes(Finding(("dvt",), "DVT", within=WEEK))["window"]) == 2
    assert len(changes(Finding(("dvt",), "DVT", ended_within=WEEK))["window"]) == 2
    assert len(changes(ProcedureDone(("surgery",), "surgery", within=WEEK))["window"]) == 2
    assert len(changes(Medication(("drug",), "drug", Time.WINDOW, WEEK))["window"]) == 2


def test_every_choice_is_turned() -> None:
    assert "resolved" in changes(Finding(("dvt",), "DVT", active=True, resolved=Weight.REVIEW))
    assert "older" in changes(Finding(("dvt",), "DVT", within=WEEK))
    assert "when" in changes(Finding(("dvt",), "DVT"))
    assert "when" in changes(Medication(("drug",), "drug", Time.CURRENT))
    assert len(changes(Medication(("drug",), "drug", Time.CURRENT, distinct=2))["distinct"]) == 2
    assert "planned" in changes(Medication(("drug",), "drug", Time.WINDOW, WEEK, planned=True))
    assert "except" in changes(Finding(("dvt",), "DVT", excluding=frozenset({"pe"})))
    assert len(changes(ANC)["none"]) == len(Absent) - 1
    assert len(changes(Age(5, 18))["bound"]) == 4
    assert len(changes(Sex(("male",), Truth.NOT_MET))["sex"]) == 2


def test_groups_change_and_lose_each_part() -> None:
    assert changes(AllOf((ANC, ALT)))["group"] == [
        "all_of becomes any_of",
        "part 1 of all_of is dropped",
        "part 2 of all_of is dropped",
    ]
    assert changes(Not(ANC))["group"] == ["'not' is dropped"]


def test_what_only_a_human_decides_is_not_changed() -> None:
    assert only_judgement(AnyOf((ASK, ASK)))
    assert list(mutants(criterion(ASK))) == []
    assert not only_judgement(AllOf((ASK, ANC)))


@pytest.mark.parametrize("form", [ANC, ALT, QTC, Finding(("dvt",), "DVT", within=WEEK), Age(5, 18)])
def test_a_record_is_found_for_every_change_that_matters(form: Characteristic) -> None:
    original = criterion(form)
    changed = list(mutants(original))
    records = telling_apart(original, changed)
    assert [m.says for m, record in zip(changed, records, strict=True) if record is None] == []


def test_a_change_that_the_logic_hides_is_told_by_no_record() -> None:
    active = Finding(("dvt",), "DVT", active=True, resolved=Weight.AGAINST)
    original = criterion(AnyOf((Finding(("dvt",), "DVT"), active)), Kind.EXCLUSION)
    ever = Finding(("dvt",), "DVT")
    hidden = Mutant("group", "", criterion(AnyOf((ever, ever)), Kind.EXCLUSION))
    assert telling_apart(original, [hidden]) == [None]


def test_examples_lie_on_either_side_of_a_bound_and_a_window() -> None:
    rows = {in_yaml(rows) for rows, _ in examples(criterion(ANC))}
    for value in ("1.4", "1.5", "1.6"):
        for day in (AS_OF, date(2026, 2, 1), date(2026, 1, 31)):
            assert f'[{{lab: anc, value: "{value} 10*9/L", taken: {day}}}]' in rows


def test_an_example_is_written_as_a_case_can_hold_it() -> None:
    rows = ({"finding": "dvt", "status": "active"}, {"not_read": "Condition"})
    assert in_yaml(rows) == "[{finding: dvt, status: active}, {not_read: Condition}]"
    assert [c.reference for c, _ in facts_of(rows).conditions["dvt"]] == ["Condition/c0"]
