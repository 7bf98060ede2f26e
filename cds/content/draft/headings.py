"""What a heading inside a list does to the sentences below it.

"Adequate organ function:" adds nothing; "Laboratory values within 7 days:" dates the results below
it; "One of the following:" changes their meaning, and everything below it is for a human.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from enum import IntEnum
from typing import TYPE_CHECKING

from cds.content.draft.vocabulary import word_set

if TYPE_CHECKING:
    from cds.content.draft.segments import Piece

_WORD = re.compile(r"[a-z]+|\d+")
_WINDOW = re.compile(
    r"within (?:the )?(?:last |past |previous |prior )?(\d{1,3}) (day|week|month)s?\b"
    r"(?: (?:before|prior to|of|preceding|from))?"
)
_INCLUDES = word_set("any_heading") | word_set("including")
_EXCLUDES = word_set("excluding")
_QUALIFIERS = word_set("qualifying")
_ANCHORS = word_set("anchors")
_CHANGES = word_set("scope")
_ANNOUNCING = word_set("announcing")
_SUBHEADING = word_set("subheading")
_AGAINST = frozenset({"excluded", "exclude", "exclusion", "ineligible", "cannot"})
_LONGEST = 30
_FEW = 6


class Level(IntEnum):
    """How far the sentences below a heading can be read by themselves."""

    OPEN = 0
    QUALIFIED = 1
    CLOSED = 2


@dataclass(frozen=True, slots=True)
class Scope:
    """How a sentence stands to the headings above it.

    `level`: CLOSED under one that was not understood; QUALIFIED under "severe or uncontrolled
    disease, including:", where a bare finding would mean less than it says. `look_back`: the age
    of results that a heading gives. `heading`: it is one itself, of words that ask nothing.
    """

    level: Level = Level.OPEN
    look_back: str | None = None
    heading: bool = False


@dataclass(frozen=True, slots=True)
class _Frame:
    """A heading, and how far it reaches to sentences below it and beside it."""

    piece: Piece
    below: Level
    beside: Level
    look_back: str | None
    to_the_end: bool


@dataclass(slots=True)
class Headings:
    """Follows the headings of a text; ask for each sentence once, in order."""

    frames: list[_Frame] = field(default_factory=list)
    ended: set[int] = field(default_factory=set)

    def scope(self, piece: Piece, quote: str) -> Scope:
        """The scope of a sentence, which joins the headings if it is one."""
        self.frames = [frame for frame in self.frames if self._reaches(frame, piece)]
        level, look_backs = Level.OPEN, []
        for frame in self.frames:
            child = _is_below(frame.piece, piece)
            level = max(level, frame.below if child else frame.beside)
            look_backs += [frame.look_back] if frame.look_back else []
        if len(look_backs) > 1:
            level = Level.CLOSED
        look_back = look_backs[0] if look_backs else None
        asks_nothing = not piece.mark and is_subheading(quote)
        if asks_nothing:
            return Scope(level, look_back, heading=True)
        if quote.rstrip().endswith(":") or _announces(quote):
            frame = _frame(piece, quote)
            self.frames.append(frame)
            asks_nothing = frame.below is Level.OPEN and level is Level.OPEN
        elif quote.rstrip().endswith("."):
            self._stop_beside(piece)
        return Scope(level, look_back, asks_nothing)

    def _reaches(self, frame: _Frame, piece: Piece) -> bool:
        head = frame.piece
        if head.section != piece.section:
            return False
        if _is_below(head, piece):
            return True
        same_kind = head.mark == piece.mark and piece.depth <= head.depth
        if same_kind and head.mark and not frame.to_the_end:
            return False
        return frame.to_the_end or head.first not in self.ended

    def _stop_beside(self, piece: Piece) -> None:
        """A full stop ends what a heading says of the sentences beside it."""
        self.ended |= {
            frame.piece.first
            for frame in self.frames
            if not _is_below(frame.piece, piece) and not frame.to_the_end
        }


def _is_below(head: Piece, piece: Piece) -> bool:
    """Whether a sentence belongs to a heading: deeper, of its item, or marked in another way."""
    if piece.item == head.item:
        return True
    if piece.depth > head.depth and (piece.mark or not head.mark):
        return True
    return piece.mark != head.mark


def _announces(quote: str) -> bool:
    """Whether a sentence without a colon says that a list follows."""
    words = _WORD.findall(quote.casefold())
    return "following" in words and len(words) <= _LONGEST and quote.rstrip()[-1:] not in ".;"


def _announces_a_list(section: str, words: set[str]) -> bool:
    """Whether a heading says no more than that all, or any, of what follows must hold."""
    if not words <= _ANNOUNCING:
        return False
    if section == "inclusion":
        return bool(words & {"all", "each"}) and not words & (_AGAINST | {"any", "not"})
    return "all" not in words and ("not" not in words or not words & _AGAINST)


def is_subheading(quote: str) -> bool:
    """Whether a line only names what the lines below it are about: "Age", "Renal"."""
    words = _WORD.findall(quote.casefold())
    plain = quote.rstrip()[-1:].isalnum() and 0 < len(words) <= _FEW
    return plain and set(words) <= _SUBHEADING


def _frame(piece: Piece, quote: str) -> _Frame:
    said = quote.casefold()
    window = _WINDOW.search(said)
    look_back = None
    if window is not None:
        count, unit = int(window[1]), window[2]
        count, unit = (7 * count, "day") if unit == "week" else (count, unit)
        look_back = f"{count} {unit}{'s' * (count != 1)}"
        said = said[: window.start()] + " " + said[window.end() :]
    words = set(_WORD.findall(said))
    words -= _ANCHORS if window is not None else set()
    if window is None and _announces_a_list(piece.section, words):
        return _Frame(piece, Level.OPEN, Level.OPEN, None, to_the_end=False)
    changes = bool(words & _CHANGES) and not (
        piece.section == "exclusion" and words <= _EXCLUDES | _QUALIFIERS | {"or"}
    )
    if piece.section == "exclusion":
        return _excluding(piece, words, look_back, changes=changes)
    if "any" in words or changes:
        return _Frame(piece, Level.CLOSED, Level.CLOSED, None, to_the_end=True)
    if words <= _INCLUDES:
        return _Frame(piece, Level.OPEN, Level.OPEN, look_back, to_the_end=False)
    beside = Level.CLOSED if not piece.mark else Level.OPEN
    return _Frame(piece, Level.CLOSED, beside, None, to_the_end=False)


def _excluding(piece: Piece, words: set[str], look_back: str | None, *, changes: bool) -> _Frame:
    if look_back is None and words <= _EXCLUDES:
        return _Frame(piece, Level.OPEN, Level.OPEN, None, to_the_end=False)
    if look_back is None and words <= _EXCLUDES | _QUALIFIERS:
        return _Frame(piece, Level.QUALIFIED, Level.QUALIFIED, None, to_the_end=False)
    if changes or "all" in words:
        return _Frame(piece, Level.CLOSED, Level.CLOSED, None, to_the_end=True)
    beside = Level.CLOSED if not piece.mark else Level.OPEN
    return _Frame(piece, Level.CLOSED, beside, None, to_the_end=False)
