"""What is kept behind a card gives the page that the card was made with."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pytest
import yaml

from cds.assess import assess_facts, load_content
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle
from cds.web.report.building import report_of
from cds.web.report.keeping import Kept, kept_of, report_from

if TYPE_CHECKING:
    from pathlib import Path

    from cds.assess import Content
    from cds.core.facts import Facts
    from cds.web.report.model import Report

ZONE = ZoneInfo("America/New_York")


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


def known(story: Path, content: Content) -> tuple[Facts, date]:
    day = date.fromisoformat(yaml.safe_load((story / "story.yaml").read_text("utf-8"))["day"])
    record = record_from_bundle((story / "bundle.json").read_bytes())
    return facts_from(record, content.terminology, ZONE, content.units), day


def sent_and_read(kept: Kept) -> Kept:
    """As it comes back from the store."""
    return msgspec.json.decode(msgspec.json.encode(kept), type=Kept)


@pytest.mark.parametrize(
    "story",
    [path.parent for path in sorted(bundled_fixtures().glob("*/story.yaml"))],
    ids=lambda folder: folder.name,
)
def test_the_page_read_later_is_the_page_of_the_moment_of_the_card(
    story: Path, content: Content
) -> None:
    facts, day = known(story, content)
    asked = Evaluation.of(day, ZONE)
    trials = [trial.id for trial in content.trials]
    assessment = assess_facts(facts, content, asked)
    now: Report = report_of(assessment, facts, content, asked, trials=trials, dated=True)
    kept = sent_and_read(kept_of(facts, content, day, trials, dated=True))
    assert report_from(kept, content, ZONE) == now


def test_only_the_trials_that_cards_were_about_are_on_the_page(content: Content) -> None:
    facts, day = known(bundled_fixtures() / "two-trials", content)
    kept = sent_and_read(kept_of(facts, content, day, ["NCT07137884"], dated=False))
    report = report_from(kept, content, ZONE)
    assert report is not None
    assert [trial.id for trial in report.trials] == ["NCT07137884"]


def test_other_trials_or_mappings_than_those_of_the_card_give_no_page(content: Content) -> None:
    facts, day = known(bundled_fixtures() / "desmoid-ready", content)
    kept = kept_of(facts, content, day, ["NCT05490667"], dated=False)
    assert report_from(msgspec.structs.replace(kept, content="sha256:other"), content, ZONE) is None
