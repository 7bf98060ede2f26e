"""The eligibility text of a registry cut into headings, list marks and sentences.

Every piece says where it stands; together they hold every letter and digit of the text.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from enum import Enum
from itertools import pairwise
from typing import TYPE_CHECKING

from cds.content.draft.vocabulary import word_set

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.content.draft.plain import Plain

_LIST_HEADING = re.compile(
    r"\b(?:non[- ]?)?(?:inclusion|exclusion|(?:in)?eligibility|excluding)\s+criteri(?:a|on)\b"
    r"|\bcriteria\s+(?:for|of)\s+(?:inclusion|exclusion|enrol)"
    r"|\binclusion\s*/|\binclusion\s+and\s+exclusion|\bexclusionary\b",
    re.IGNORECASE,
)
_SHORT_HEADING = re.compile(
    r"(?:key |main |major |general )?(?:non[- ]?inclusions?|inclusions?|exclusions?|ineligib\w+)"
    r"(?: for \w+)?\s*:?|(?:[\w/-]+ ){0,4}criteria\s*:?",
    re.IGNORECASE,
)
_NEGATED = re.compile(r"non[- ]?inclusion|not? inclu|ineligib|exclu", re.IGNORECASE)
_INLINE_HEADING = re.compile(
    r"(?:(?:Key|Main|Major|General|Principal)\s+)?"
    r"(?:Inclusion|Exclusion|INCLUSION|EXCLUSION)\s+(?:[Cc]riteria|CRITERIA)\s*:"
)
_HEADING_WORDS = word_set("list_heading")
_MARK = re.compile(
    r"\s*(?:[*•·](?!\d)|-(?=\s)|o(?=\s{2,})|\(?\d{1,2}(?:\.\d{1,2}){0,3}(?:\)|\.(?=[^\d\s])|\.(?=\s))"
    r"|\d{1,2}(?:\.\d{1,2}){1,3}(?=\s+[A-Z])|\d{1,2},(?=[A-Z])|\(?[a-zA-Z]\)|[a-z]\.(?=\s)"
    r"|\(?[ivxIVX]{1,4}[.)](?=\s))\s*"
)
_NUMBER = re.compile(r"(?:^|(?<=[\s.;:)\],]))\(?(\d{1,2})(?:[.)]|, ?(?=[A-Z]))\s*(?=[A-Za-z≥≤<>(])")
_BULLET = re.compile(r"(?<=[^\d\s])\s+[*•]\s*(?=[A-Z≥≤])|\s*•\s*")
_STOP = re.compile(r"[;](?=\s|\S)|[.](?=\s+[A-Z(≥≤\d]|\s*$)|:(?=\s*\n)")
_ABBREVIATION = re.compile(
    r"(?:\b(?:e\.g|i\.e|eg|ie|vs|approx|resp|incl|excl|dr|prof|st|spp|cf|no|fig|max|min|wk|hr)"
    r"|\b[A-Za-z])\.$",
    re.IGNORECASE,
)
_ROMANS = ("i", "ii", "iii", "iv", "v", "vi", "vii", "viii", "ix", "x", "xi", "xii")
_WRAPPED = 60  # a shorter line without a stop ends its sentence


class What(Enum):
    """What a piece of the text is."""

    HEADING = "heading"
    MARK = "list mark"
    SENTENCE = "sentence"


@dataclass(frozen=True, slots=True)
class Piece:
    """A piece of the plain text.

    `section` is `inclusion`, `exclusion` or empty; `plain` whether the headings of its list say
    no more than that. `item` counts list items and paragraphs; `depth` and `mark` are the indent
    and the kind of list mark of its item.
    """

    what: What
    first: int
    last: int
    section: str = ""
    plain: bool = True
    item: int = 0
    depth: int = 0
    mark: str = ""


@dataclass(frozen=True, slots=True)
class _Line:
    first: int
    last: int
    indent: int


def pieces(text: Plain) -> list[Piece]:
    """The pieces of an eligibility text, in its order.

    Two lists of one kind are for different patients: none is plain then.
    """
    cut = list(_Cutter(text.text).cut())
    lists: dict[str, set[int]] = {}
    begun = 0
    for piece in cut:
        if piece.what is What.HEADING:
            begun = piece.first
        elif piece.what is What.SENTENCE:
            lists.setdefault(piece.section, set()).add(begun)
    if all(len(begins) == 1 for begins in lists.values()):
        return cut
    return [replace(piece, plain=False) for piece in cut]


class _Cutter:
    def __init__(self, text: str) -> None:
        self.text = text
        self.section = ""
        self.is_plain = True
        self.item = 0
        self.depth = 0
        self.mark = ""
        self.letter = " "
        self.roman = ""
        self.next_number = 1
        self.open: list[tuple[int, int]] = []

    def cut(self) -> Iterator[Piece]:
        for line in self._lines():
            content = self.text[line.first : line.last]
            if not content.strip():
                yield from self._close()
                self.item += 1
                self.mark = ""
                continue
            yield from self._line(line)
        yield from self._close()

    def _lines(self) -> Iterator[_Line]:
        at = 0
        for raw in self.text.splitlines(keepends=True):
            content = raw.rstrip()
            indent = len(raw) - len(raw.lstrip())
            first = at + min(indent, len(content))
            yield from self._around_headings(first, at + len(content), indent)
            at += len(raw)

    def _around_headings(self, first: int, last: int, indent: int) -> Iterator[_Line]:
        """A line cut before and behind "Exclusion Criteria:" inside it."""
        at = first
        for match in _INLINE_HEADING.finditer(self.text, first, last):
            if match.start() > at:
                yield _Line(at, match.start(), indent)
            yield _Line(match.start(), match.end(), indent)
            at = match.end()
        if at < last or first == last:
            yield _Line(at, last, indent)

    def _line(self, line: _Line) -> Iterator[Piece]:
        first, last = self._trim(line.first, line.last)
        mark = self._mark(first, last)
        behind = mark.end() if mark and mark.end() < last else first
        if self._is_heading(self.text[behind:last], marked=behind > first):
            yield from self._close()
            yield self._heading(first, last)
            return
        numbers = self._numbers(first, last)
        if numbers:
            yield from self._run_on(first, last, numbers, line.indent)
        elif mark and mark.end() <= last and mark[0].strip():
            yield from self._marked(first, mark.end(), last, line.indent)
        else:
            yield from self._unmarked(first, last, line.indent)

    def _mark(self, first: int, last: int) -> re.Match[str] | None:
        """The list mark of a line; a letter counts only where it is the next one of its list."""
        mark = _MARK.match(self.text, first, last)
        letter = mark[0].strip().strip("().").casefold() if mark else ""
        if not letter.isalpha() or letter == "o":
            return mark
        after = dict(pairwise(_ROMANS)).get(self.roman)
        if letter in {"i", after}:
            self.roman = letter
        return mark if letter in {"a", "i", after, chr(ord(self.letter[-1]) + 1)} else None

    def _trim(self, first: int, last: int) -> tuple[int, int]:
        said = self.text[first:last]
        return first + len(said) - len(said.lstrip()), first + len(said.rstrip())

    def _is_heading(self, said: str, *, marked: bool) -> bool:
        """Whether a line begins a list; in doubt it does, and its list is left to a human."""
        if _SHORT_HEADING.fullmatch(said.strip()) and not marked:
            return True
        if _LIST_HEADING.search(said) is None:
            return False
        words = re.findall(r"[a-z]+", said.casefold())
        known = sum(word in _HEADING_WORDS for word in words) == len(words)
        if known or said.rstrip().endswith(":"):
            return True
        return not marked and len(words) <= _MOST_HEADING_WORDS

    def _heading(self, first: int, last: int) -> Piece:
        said = self.text[first:last].casefold()
        words = set(re.findall(r"[a-z]+", said))
        included = bool(re.search(r"(?<!non)(?<!non-)(?<!non )\binclusions?\b", said))
        excluded = bool(_NEGATED.search(said))
        self.section = "" if included is excluded else "inclusion" if included else "exclusion"
        odd = (
            not words - {"inclusions", "exclusions", "non"} <= _HEADING_WORDS
            or (self.section == "inclusion" and bool(words & {"any", "one", "or", "not"}))
            or (self.section == "exclusion" and bool(words & {"all", "each", "every"}))
        )
        self.is_plain = not odd
        self.item += 1
        self.mark, self.next_number = "", 1
        return Piece(What.HEADING, first, last, self.section, self.is_plain, self.item)

    def _numbers(self, first: int, last: int) -> list[tuple[int, int]]:
        """Where numbers of a run-on list stand in a line: "1.Age …; 2.ECOG …; 3. …"."""
        found: list[tuple[int, int]] = []
        wanted = self.next_number
        for match in _NUMBER.finditer(self.text, first, last):
            before = self.text[first : match.start()].rstrip()
            if int(match[1]) == wanted and not _NO_LIST_NUMBER.search(before):
                found.append((match.start(), match.end()))
                wanted += 1
        return found if len(found) > 1 or (found and found[0][0] == first) else []

    def _run_on(
        self, first: int, last: int, numbers: Sequence[tuple[int, int]], indent: int
    ) -> Iterator[Piece]:
        if numbers[0][0] > first:
            yield from self._unmarked(first, numbers[0][0], indent)
        ends = [start for start, _ in numbers[1:]] + [last]
        for (start, behind), end in zip(numbers, ends, strict=True):
            self.next_number += 1
            yield from self._marked(start, behind, end, indent)

    def _marked(self, first: int, behind: int, last: int, indent: int) -> Iterator[Piece]:
        yield from self._close()
        self.item += 1
        self.depth = indent
        said = self.text[first:behind].strip()
        letter = said.strip("().").casefold()
        if any(one.isdigit() for one in said):
            self.mark = "number" + "." * said.strip(".()").count(".")
        elif letter.isalpha() and letter != "o":
            self.mark, self.letter = "letter", letter
        else:
            self.mark = said[:1]
        yield self._piece(What.MARK, *self._trim(first, behind))
        at = behind
        bullets = _BULLET.finditer(self.text, behind, last) if self.mark in {"*", "•"} else ()
        for bullet in bullets:
            self.open.append((at, bullet.start()))
            yield from self._close()
            self.item += 1
            yield self._piece(What.MARK, *self._trim(bullet.start(), bullet.end()))
            at = bullet.end()
        if at < last:
            self.open.append((at, last))

    def _unmarked(self, first: int, last: int, indent: int) -> Iterator[Piece]:
        if self.open and not self._goes_on(first, indent):
            item, mark = self.item, self.mark
            yield from self._close()
            if not mark or indent < self.depth:
                item, mark = item + 1, ""
            self.item, self.mark = item, mark
        if not self.mark:
            self.depth = indent
        self.open.append((first, last))

    def _goes_on(self, first: int, indent: int) -> bool:
        """Whether a line without a mark continues the sentence above it."""
        start, last = self.open[-1]
        above = self.text[start:last].rstrip()
        if above.endswith((".", ";", ":")):
            return bool(self.mark) and indent >= self.depth and not above.endswith(":")
        begins = self.text[first]
        return len(above) >= _WRAPPED or begins.islower() or above.endswith((",", "-", "/"))

    def _close(self) -> Iterator[Piece]:
        """The sentences of what is open."""
        if self.open:
            first, last = self.open[0][0], self.open[-1][1]
            self.open = []
            for start, end in self._sentences(first, last):
                yield self._piece(What.SENTENCE, start, end)

    def _piece(self, what: What, first: int, last: int) -> Piece:
        return Piece(
            what, first, last, self.section, self.is_plain, self.item, self.depth, self.mark
        )

    def _sentences(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        said = self.text[first:last]
        nests = _is_balanced(said)
        at = first
        for stop in _STOP.finditer(self.text, first, last):
            inside = nests and said[: stop.start() - first].count("(") > said[
                : stop.start() - first
            ].count(")")
            short = _ABBREVIATION.search(self.text[at : stop.end()])
            if not inside and not (stop[0] == "." and short and stop.end() < last):
                yield from self._some(at, stop.end())
                at = stop.end()
        yield from self._some(at, last)

    def _some(self, first: int, last: int) -> Iterator[tuple[int, int]]:
        start, end = self._trim(first, last)
        if start < end:
            yield start, end


def _is_balanced(text: str) -> bool:
    depth = 0
    for one in text:
        depth += (one == "(") - (one == ")")
        if depth < 0:
            return False
    return depth == 0


_MOST_HEADING_WORDS = 12
_NO_LIST_NUMBER = re.compile(
    r"(?:grade|class|stage|type|phase|cycle|day|week|part|cohort|arm|or|to|and|than|[<>≤≥=,\-])$",
    re.IGNORECASE,
)
