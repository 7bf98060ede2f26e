"""Names found in free text as whole words; never as parts of other words.

"Rifaximin" is not "rifampin", "amylase" is no "lase": a name is a run of words, and it stands in a
text only where that same run of words does. Case, accents of form and punctuation are set aside.
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

T = TypeVar("T")

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W_\u3400-\u9fff]+")
"""A word: letters and digits; each Chinese character is a word of its own."""


def words(text: str) -> tuple[str, ...]:
    """The words of a text, folded: NFKC, case aside, punctuation dropped.

    An apostrophe joins ("Crohn's" is "crohns").
    """
    folded = unicodedata.normalize("NFKC", text).casefold()
    return tuple(_WORD.findall(folded.replace("'", "").replace("\u2019", "")))


class Phrases(Generic[T]):
    """Names, each a run of words, with what they stand for."""

    __slots__ = ("_by_first",)

    def __init__(self, names: Iterable[tuple[str, T]]) -> None:
        """Index the names; a name that several things share stands for all of them."""
        by_phrase: dict[tuple[str, ...], list[T]] = {}
        for name, meant in names:
            phrase = words(name)
            if phrase:
                meanings = by_phrase.setdefault(phrase, [])
                if meant not in meanings:
                    meanings.append(meant)
        self._by_first: dict[str, list[tuple[tuple[str, ...], list[T]]]] = {}
        for phrase, meanings in sorted(by_phrase.items(), key=lambda item: -len(item[0])):
            self._by_first.setdefault(phrase[0], []).append((phrase, meanings))

    def every(self, text: str) -> Iterator[T]:
        """What every name in the text stands for, overlapping names included."""
        said = words(text)
        for start, first in enumerate(said):
            for phrase, meanings in self._by_first.get(first, ()):
                if said[start : start + len(phrase)] == phrase:
                    yield from meanings

    def longest(self, text: str) -> Iterator[T]:
        """What the names in the text stand for, each word used once, the longest name first."""
        said = words(text)
        start = 0
        while start < len(said):
            for phrase, meanings in self._by_first.get(said[start], ()):
                if said[start : start + len(phrase)] == phrase:
                    yield from meanings
                    start += len(phrase)
                    break
            else:
                start += 1

    def begins(self, text: str) -> bool:
        """Whether the text begins with a name."""
        said = words(text)
        return any(
            said[: len(phrase)] == phrase
            for phrase, _ in self._by_first.get((said or ("",))[0], ())
        )
