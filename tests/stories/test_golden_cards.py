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
