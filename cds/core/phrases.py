"""Names found in free text as whole words; never as parts of other words.

"Rifaximin" is not "rifampin", "amylase" is no "lase": a name is a run of words, and it stands in a
text only where that same run of words does. Case, accents of form and punctuation are set aside.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Generic, NamedTuple, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
"""A word: letters and digits; each Chinese character is a word of its own."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text, folded: NFKC, case aside, punctuation dropped.

    An apostrophe joins ("Crohn's" is "crohns").
    """
    return _split(unicodedata.normalize("NFKC", text).casefold())


def _split(text: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(text.replace("'", "").replace("\u2019", "")))


class _Name(NamedTuple, Generic[T]):
    """A run of words, and what it stands for; `letters` where its capitals count."""

    phrase: tuple[str, ...]
    letters: tuple[str, ...] | None
    meanings: list[T]


class Phrases(Generic[T]):
    """Names, each a run of words, with what they stand for.

    Two signs before a name are ours, for short names that are words of everyday language too:
    "=ARMS" counts only in these capitals, or where it is the whole text; "-PE tubes" stands for
    nothing, and hides its words from every other name.
    """

    __slots__ = ("_by_first", "_hiding")

    def __init__(self, names: Iterable[tuple[str, T]]) -> None:
        """Index the names; a name that several things share stands for all of them."""
        found: dict[tuple[tuple[str, ...], tuple[str, ...] | None], list[T]] = {}
        self._hiding: dict[str, list[tuple[str, ...]]] = {}
        for name, meant in names:
            phrase = words(name)
            if not phrase:
                continue
            if name.startswith("-"):
                self._hiding.setdefault(phrase[0], []).append(phrase)
                continue
            letters = _split(name) if name.startswith("=") else None
            meanings = found.setdefault((phrase, letters), [])
            if meant not in meanings:
                meanings.append(meant)
        self._by_first: dict[str, list[_Name[T]]] = {}
        for (phrase, letters), meanings in sorted(found.items(), key=lambda item: -len(item[0][0])):
            self._by_first.setdefault(phrase[0], []).append(_Name(phrase, letters, meanings))

    def every(self, text: str) -> Iterator[T]:
        """What every name in the text stands for, overlapping names included."""
        said = self._said(text)
        for start in range(len(said)):
            for name in self._at(said, start, text):
                yield from name.meanings

    def longest(self, text: str) -> Iterator[T]:
        """What the names in the text stand for, each word used once, the longest name first."""
        said = self._said(text)
        start = 0
        while start < len(said):
            name = next(self._at(said, start, text), None)
            if name is not None:
                yield from name.meanings
            start += 1 if name is None else len(name.phrase)

    def begins(self, text: str) -> bool:
        """Whether the text begins with a name."""
        return next(self._at(self._said(text), 0, text), None) is not None

    def _at(self, said: tuple[str, ...], start: int, text: str) -> Iterator[_Name[T]]:
        """The names that begin at one word, the longest first."""
        for name in self._by_first.get(said[start], ()) if said else ():
            if said[start : start + len(name.phrase)] == name.phrase and (
                name.letters is None
                or len(said) == len(name.phrase)
                or _in_letters(name.letters, text, start, len(said))
            ):
                yield name

    def _said(self, text: str) -> tuple[str, ...]:
        """The words of a text; those that only look like a name are blank."""
        said = words(text)
        if self._hiding.keys().isdisjoint(said):
            return said
        shown = list(said)
        for start, first in enumerate(said):
            for phrase in self._hiding.get(first, ()):
                if said[start : start + len(phrase)] == phrase:
                    shown[start : start + len(phrase)] = [""] * len(phrase)
        return tuple(shown)


def _in_letters(letters: tuple[str, ...], text: str, start: int, count: int) -> bool:
    """Whether words stand in a text with just these capitals.

    Folding can add words; then they cannot be compared one by one, and the name counts.
    """
    written = _split(unicodedata.normalize("NFKC", text))
    return len(written) != count or written[start : start + len(letters)] == letters
