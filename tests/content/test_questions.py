"""What the questions of the bundled trials say of a record that could not be read in full."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.content.examples import ASKED, facts_of
from cds.content.mutants import only_judgement
from cds.engine.evaluate import decide
from cds.engine.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.core.criterion import Characteristic, Criterion

LISTS = ("Condition", "Observation", "Procedure", "MedicationRequest", "MedicationStatement")


@pytest.fixture(scope="module")
def criteria() -> dict[str, Criterion]:
    """Every criterion of the bundled trials that a record may decide, by trial and id."""
    return {
        f"{loaded.trial.id} {criterion.id}": criterion
        for loaded in load_content([bundled_content()]).folders
        for criterion in loaded.trial.criteria
        if not only_judgement(criterion.form)
    }


def questions(form: Characteristic) -> Iterator[str]:
    """The questions that a form asks."""
    if isinstance(form, Judgement):
        yield form.question
    for part in form.parts():
        yield from questions(part)


def test_nobody_is_asked_about_what_no_list_was_read_for(criteria: dict[str, Criterion]) -> None:
    """Without any list no question is put: each takes an entry for granted."""
    nothing = facts_of(tuple({"not_read": one} for one in LISTS))
    for name, criterion in criteria.items():
        reason = decide(criterion, nothing, ASKED).reason
        assert not [one for one in questions(criterion.form) if one in reason], name


@pytest.mark.parametrize(
    ("name", "rows", "reason"),
    [
        # A hook without the keys survey and exam.
        (
            "NCT05490667 E09d",
            ({"not_read": "Observation"},),
            "no usable NYHA class; results could not be read completely",
        ),
        (
            "NCT07137884 E02d",
            ({"not_read": "Observation"},),
            "no usable NYHA class; results could not be read completely",
        ),
        # One drug entry that cannot be read.
        (
            "NCT07137884 I07b",
            ({"not_read": "MedicationRequest"},),
            "MedicationRequest could not be read completely",
        ),
        (
            "NCT07137884 E01",
            ({"not_read": "MedicationRequest"},),
            "0 antihypertensive(s) for certain; MedicationRequest could not be read completely",
        ),
        (
            "NCT07137884 I11b",
            ({"not_read": "Procedure"},),
            "Procedure could not be read completely",
        ),
        # A drug that nobody recognised may be one of the class.
        (
            "NCT07137884 I07b",
            ({"unrecognised_drug": "herbal mixture", "status": "active"},),
            (
                "'herbal mixture' is not recognised; if that leaves it open: "
                "A nitrosourea was given before and other chemotherapy less than 42 days ago. "
                "Do the 42 days count from that chemotherapy?"
            ),
        ),
    ],
)
def test_an_unread_list_is_no_fact_about_the_patient(
    criteria: dict[str, Criterion], name: str, rows: tuple[dict[str, str], ...], reason: str
) -> None:
    """The reason names what is missing, once, and nothing that was not read."""
    assert decide(criteria[name], facts_of(rows), ASKED).reason == reason


def test_a_question_stands_where_its_fact_does(criteria: dict[str, Criterion]) -> None:
    """A NYHA class without heart failure is there: the question says so."""
    facts = facts_of(({"lab": "nyha_class", "value": "2 {class}"},))
    reason = decide(criteria["NCT05490667 E09d"], facts, ASKED).reason
    assert reason.startswith("A NYHA class is recorded, but no heart failure.")


@pytest.mark.parametrize("drugs", ["read", "unread"])
def test_an_infection_is_not_said_to_be_untreated_where_the_drugs_are_unread(
    criteria: dict[str, Criterion], drugs: str
) -> None:
    """What is asked of an infection holds whether or not a drug is recorded beside it."""
    rows: list[dict[str, str]] = [{"finding": "active_infection", "status": "active"}]
    if drugs == "unread":
        rows.append({"not_read": "MedicationRequest"})
    reason = decide(criteria["NCT07137884 E16"], facts_of(tuple(rows)), ASKED).reason
    assert "Is the recorded infection active" in reason
    assert "without" not in reason
