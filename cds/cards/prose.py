"""Cards as one Markdown page, for people who review their wording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def cards_as_prose(cards: Sequence[dict[str, Any]]) -> str:
    """Every card with its summary, detail and suggestions; says so where there is none."""
    if not cards:
        return "No card.\n"
    return "\n".join("\n".join(_card(card)) for card in cards)


def _card(card: dict[str, Any]) -> Iterator[str]:
    yield f"# {card['summary']}"
    yield ""
    yield card["detail"]
    yield ""
    for suggestion in card.get("suggestions", []):
        yield f"- [ ] {suggestion['label']}"
        for action in suggestion["actions"]:
            yield f"  - {action['description']}"
    yield f"Source: {card['source']['label']}"
    yield ""
