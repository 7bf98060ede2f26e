"""Small pieces of Markdown for the review page."""

from __future__ import annotations

_SPECIAL = frozenset("\\`*_[]<>|#~$")


def anchor(key: str) -> str:
    """The link target of a criterion or concept."""
    return key.lower().replace("_", "-")


def plain(text: str) -> str:
    """A text that Markdown shows as it is, on one line."""
    words = " ".join(text.split())
    return "".join(f"\\{letter}" if letter in _SPECIAL else letter for letter in words)


def folded(summary: str, inside: str) -> str:
    """A part that opens on a click."""
    return f"<details><summary>{summary}</summary>\n\n{inside}\n\n</details>"
