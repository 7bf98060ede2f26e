"""What makes thousands of trials affordable changes nothing that is said of one patient."""

from __future__ import annotations

from typing import Any

import pytest

from cds.assess import Content, assess, assess_facts, assess_for_cards, load_content
from cds.cards.card import CardSettings, cards_for, shown_trials
from cds.cards.silence import without_card
from cds.content.bundled import bundled_content
from cds.content.compiled import CompiledTrials, write_compiled
from cds.core.assessment import assessment_json
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle


@pytest.fixture(scope="session")
def compiled(content: Content, tmp_path_factory: pytest.TempPathFactory) -> Content:
    """The bundled content with its trials compiled."""
    folder = tmp_path_factory.mktemp("compiled")
    write_compiled([bundled_content()], content.terminology.digest, folder)
    loaded = load_content([bundled_content()], compiled=folder)
    assert isinstance(loaded.folders, CompiledTrials)
    return loaded


def test_compiled_trials_say_what_the_parsed_ones_say(
    story: Any, content: Content, compiled: Content
) -> None:
    record = record_from_bundle(story.bundle)
    parsed, quick = (assess(record, one, story.asked) for one in (content, compiled))
    assert assessment_json(quick) == assessment_json(parsed)
    assert compiled.digest == content.digest


@pytest.mark.parametrize("show_all", [False, True])
def test_leaving_out_trials_that_give_no_card_changes_no_card(
    story: Any, content: Content, *, show_all: bool
) -> None:
    record = record_from_bundle(story.bundle)
    facts = facts_from(record, content.terminology, story.asked.zone, content.units)
    cards = CardSettings(labels=content.labels, orderable=content.orderable(), show_all=show_all)
    quick = assess_for_cards(facts, content, story.asked, None if show_all else cards.near_days)
    whole = assess_facts(facts, content, story.asked)
    assert cards_for(quick, cards) == cards_for(whole, cards)
    for given in ([], shown_trials(whole, cards)):
        assert without_card(quick, given, {}) == without_card(whole, given, {})
    told = {one.trial.id: one for one in whole.determinations}
    assert all(told[one.trial.id].overall is one.overall for one in quick.determinations)
