"""The cards of every story as prose: a change in wording is seen, read and agreed to.

After a wanted change, `python tools/golden.py` writes them anew; then read the difference.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cds.cards.card import CardSettings, cards_for
from cds.cards.prose import cards_as_prose

if TYPE_CHECKING:
    from cds.assess import Content
    from cds.core.assessment import Assessment


def test_the_cards_of_each_story_read_as_agreed(
    story: Any, assessment: Assessment, content: Content
) -> None:
    """Summary, detail and suggestions, word for word."""
    settings = CardSettings(labels=content.labels, orderable=content.orderable())
    prose = cards_as_prose(cards_for(assessment, settings))
    assert prose == (story.folder / "cards.md").read_text("utf-8")


def test_a_narrow_side_bar_gets_two_lines_for_each_status_and_is_told_of_the_rest(
    assessment: Assessment, content: Content
) -> None:
    """Oracle Health shows cards on an eighth of the screen."""
    usual = CardSettings(labels=content.labels, show_all=True)
    narrow = CardSettings(labels=content.labels, show_all=True, most_rows=2)
    for whole, short in zip(
        cards_for(assessment, usual), cards_for(assessment, narrow), strict=True
    ):
        assert len(short["detail"]) <= len(whole["detail"])
        for heading in ("| ✗ Rules out", "| ? Missing", "| ☐ To judge"):
            lines = [line for line in short["detail"].splitlines() if line.startswith(heading)]
            assert len(lines) <= 3
            assert len(lines) < 3 or "more" in lines[-1]
