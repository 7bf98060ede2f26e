"""A registry's text with plain signs, and where each of its characters stands in the original.

Registries damage what protocols say: HTML entities, Markdown escapes, full-width punctuation,
raised digits, a dozen dashes. The grammar reads the plain text; quotes are cut from the original.
"""

from __future__ import annotations

import html
import re
import unicodedata
from dataclasses import dataclass

_ENTITY = re.compile(r"&(?:[A-Za-z][A-Za-z0-9]{1,30}|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});")
_ESCAPED = frozenset("\\`*_{}[]()#+-.!<>~|=&^")
_DROPPED = frozenset("\u200b\u200c\u200d\u2060\ufeff\u00ad")
_SIGNS = {
    "\u2264": "≤", "\u2266": "≤", "\u2a7d": "≤", "\u22dc": "≤", "\u2265": "≥", "\u2267": "≥",
    "\u2a7e": "≥", "\u22dd": "≥", "\u2215": "/", "\u2044": "/", "\u2217": "*", "\u22c5": "·",
    "\u2715": "×", "\u2716": "×", "\u2a2f": "×", "\u00d7": "×", "\u0445": "x", "\u00b5": "u",
    "\u03bc": "u", "\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"', "\u2032": "'",
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\u2014": "-", "\u2212": "-",
    "\u3002": ". ", "\u3001": ",", "\uff5e": "~", "\u223c": "~", "\u3010": "[", "\u3011": "]",
    "\u2022": "•", "\u25cf": "•", "\u25aa": "•", "\u25e6": "•", "\u2023": "•", "\u2043": "•",
    "\u25cb": "•", "\u25a0": "•", "\u25a1": "•", "\u27a2": "•", "\u2713": "•", "\u00b7": "·",
    "\uf0b7": "•", "\u2981": "•",
}  # fmt: skip
_SIGNS |= {chr(0x2460 + n): f"{n + 1}) " for n in range(20)}  # numbers in circles
_RAISED = frozenset("\u2070\u00b9\u00b2\u00b3\u2074\u2075\u2076\u2077\u2078\u2079")


@dataclass(frozen=True, slots=True)
class Plain:
    """A text in plain signs; `offsets[i]` is where its character i stands in `original`.

    One more offset stands behind the last: the length of the original.
    """

    original: str
    text: str
    offsets: tuple[int, ...]

    def quote(self, first: int, last: int) -> str:
        """The original words of a stretch of the plain text, white space made single."""
        start, end = self.place(first, last)
        return " ".join(self.original[start:end].split())

    def place(self, first: int, last: int) -> tuple[int, int]:
        """Where a stretch of the plain text begins and ends in the original.

        One original character may have become several; it is never cut.
        """
        behind = last
        while 0 < behind < len(self.text) and self.offsets[behind] == self.offsets[behind - 1]:
            behind += 1
        return self.offsets[first], self.offsets[behind]


def plain(original: str) -> Plain:
    """The text with plain signs. Lines stay lines; nothing that can be read is dropped."""
    letters: list[str] = []
    offsets: list[int] = []
    at = 0
    while at < len(original):
        said, width = _next(original, at)
        if said and said[0] in _RAISED and letters and letters[-1].isdigit():
            said = "^" + unicodedata.normalize("NFKC", said)
        for letter in "".join(_SIGNS.get(one, one) for one in _folded(said)):
            letters.append(letter)
            offsets.append(at)
        at += width
    return Plain(original, "".join(letters), (*offsets, len(original)))


def _next(original: str, at: int) -> tuple[str, int]:
    """What stands at an offset, and how many characters it takes."""
    one = original[at]
    if one in _DROPPED:
        return "", 1
    if one == "\\" and original[at + 1 : at + 2] in _ESCAPED and at + 1 < len(original):
        return original[at + 1], 2
    if one == "&" and (entity := _ENTITY.match(original, at)) is not None:
        said = html.unescape(entity[0])
        if said != entity[0]:
            return said, len(entity[0])
    if one in _RAISED:
        last = at
        while last < len(original) and original[last] in _RAISED:
            last += 1
        return original[at:last], last - at
    return one, 1


def _folded(said: str) -> str:
    """Full-width letters as plain ones; line ends and what has a sign of its own stay."""
    if said.startswith("^") or all(one in _SIGNS or one == "\n" for one in said):
        return said
    folded = unicodedata.normalize("NFKC", said)
    return "".join(" " if one.isspace() and one != "\n" else one for one in folded) or " "
