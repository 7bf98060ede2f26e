"""From plain text to the words that the grammar reads.

A token is a sign, a number, a number with its unit, a name of the lexicon, or a single word.
Nothing is skipped but white space and articles: what nothing knows becomes a word that no rule of
the grammar takes, so that the sentence is left to a human.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from cds.content.draft.lexicon import number_word

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.content.draft.lexicon import Lexicon, Name

_RAW = re.compile(
    r"(?P<number>\d{1,3}(?:,\d{3})+(?![\d.])|\d+(?:\.\d+)?)"
    r"|(?P<word>[^\W\d_][^\W_]*(?:'[^\W\d_]+)?)"
    r"|(?P<sign>\+{2,4}|[<>]/=|[<>=≤≥]=?(?:\s?[<>=])?|\S)",
)
_SIGNS = {
    "≥": "GE", ">=": "GE", ">/=": "GE", "=>": "GE", "> =": "GE", "≥=": "GE",
    "≤": "LE", "<=": "LE", "</=": "LE", "=<": "LE",
    "< =": "LE", "≤=": "LE", ">": "GT", "<": "LT", "=": "EQ", "(": "LPAR", "[": "LPAR",
    ")": "RPAR", "]": "RPAR", ",": "COMMA", ";": "SEMI", ".": "DOT", ":": "COLON", "/": "SLASH",
    "-": "DASH", "~": "DASH", "+": "PLUS_SIGN", "×": "TIMES_SIGN", "*": "TIMES_SIGN",
    "%": "PERCENT", "&": "AMPERSAND",
}  # fmt: skip
_ARTICLES = frozenset({"the", "a", "an", "The", "An", "A"})
_CAPITAL_A = re.compile(
    r"(?:class|type|grade|stage|hepatitis|haemophilia|hemophilia)\s+$", re.IGNORECASE
)
_NO_UNITS = frozenset({"point", "points", "score", "ratio", "time", "times"})
_TESTS = frozenset({"LAB_NAME", "OTHER_LAB"})
_SWEEPING = frozenset(
    {"all", "each", "these", "both", "every", "above", "any", "following", "if", "or", "unless"}
)
_SLASHED = frozenset({"AND_OR", "CLOT_NAME"})
_INSIDE = frozenset({"-", "/"})  # what may stand between the words of a name
_LONGEST_UNIT = 28
_POWER = re.compile(r"^[x×*·]?10(?:\^|e|\*\*|\*)?\(?\[?(9|3|12|6)\)?\]?/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Word:
    """One token: what it is to the grammar, its text, and where it stands in the plain text.

    `value` is the number of NUM and QUANT, `unit` the UCUM unit of QUANT.
    """

    terminal: str
    text: str
    first: int
    last: int
    keys: tuple[str, ...] = ()
    value: Decimal | None = None
    unit: str = ""
    event: bool = False


@dataclass(slots=True)
class _Raw:
    kind: str
    text: str
    first: int
    last: int
    folded: str = field(default="")


def tokens(text: str, lexicon: Lexicon, first: int = 0, last: int | None = None) -> list[Word]:
    """The tokens of a stretch of plain text, with offsets into the whole of it."""
    raws = list(_raws(text, first, len(text) if last is None else last))
    found: list[Word] = []
    at = 0
    while at < len(raws):
        raw = raws[at]
        named = _named(raws, at, lexicon)
        if named is not None:
            name, width = named
            end = raws[at + width - 1].last
            words = text[raw.first : end]
            found.append(Word(name.terminal, words, raw.first, end, name.keys, event=name.event))
            at += width
        elif raw.kind == "number":
            number, width = _number(text, raws, at, lexicon)
            found.append(number)
            at += width
        else:
            found += _single(text, raw)
            at += 1
    return _with_remarks(found)


def _with_remarks(words: Sequence[Word]) -> list[Word]:
    """The words, with one REMARK for each bracket of unknown words that stands between two tests.

    It belongs to the test before it, which is then for a human; the others are untouched by it.
    """
    found: list[Word] = []
    at = 0
    while at < len(words):
        end = _bracket(words, at)
        behind = end + 1 if end < len(words) and words[end].terminal == "COMMA" else end
        next_one = words[behind].terminal if behind < len(words) else ""
        inside = {word.text.casefold() for word in words[at:end]}
        foreign = any(word.terminal == "WORD" for word in words[at:end])
        if end > at and foreign and next_one in _TESTS and inside.isdisjoint(_SWEEPING):
            found.append(Word("REMARK", "()", words[at].first, words[end - 1].last))
            at = end
        else:
            found.append(words[at])
            at += 1
    return found


def _bracket(words: Sequence[Word], at: int) -> int:
    """The place behind a bracket that opens here behind a limit; `at` itself without one."""
    before = words[at - 1].terminal if at else ""
    if words[at].terminal != "LPAR" or before not in {"QUANT", "ULN", "NUM"}:
        return at
    for end in range(at + 1, len(words)):
        if words[end].terminal == "LPAR":
            return at
        if words[end].terminal == "RPAR":
            return end + 1
    return at


def _raws(text: str, first: int, last: int) -> Iterator[_Raw]:
    for match in _RAW.finditer(text, first, last):
        kind = match.lastgroup or "sign"
        said = match[0]
        folded = said.casefold().replace("'", "") if kind != "sign" else said
        yield _Raw(kind, said, match.start(), match.end(), folded)


def _named(raws: Sequence[_Raw], at: int, lexicon: Lexicon) -> tuple[Name, int] | None:
    """The longest name that begins here, and how many raw pieces it takes.

    Hyphens between its words and articles inside it do not matter.
    """
    if raws[at].kind == "sign":
        return None
    for form, name in lexicon.names.get(raws[at].folded, ()):
        width = _width(raws, at, form, name)
        if width:
            return name, width
    return None


def _width(raws: Sequence[_Raw], at: int, form: Sequence[str], name: Name) -> int:
    """How many raw pieces from `at` on say the name; 0 if they do not."""
    place, wanted = at, 0
    while wanted < len(form):
        if place >= len(raws):
            return 0
        raw = raws[place]
        if raw.kind != "sign" and raw.folded == form[wanted]:
            wanted += 1
        elif (
            not wanted
            or (raw.text not in _INSIDE and raw.text not in _ARTICLES)
            or (raw.text == "/" and name.terminal not in _SLASHED)
        ):
            return 0
        place += 1
    if name.strict and not any(letter.isupper() for letter in _said(raws[at:place])[1:]):
        return 0
    return place - at


def _said(raws: Sequence[_Raw]) -> str:
    return "".join(raw.text for raw in raws)


def _number(text: str, raws: Sequence[_Raw], at: int, lexicon: Lexicon) -> tuple[Word, int]:
    """A number, with its unit if one follows, and how many raw pieces it takes."""
    raw = raws[at]
    value = Decimal(raw.text.replace(",", ""))
    after = at + 1
    if after < len(raws) and raws[after].text == "+" and raws[after].first == raw.last:
        return Word("QUANT", raw.text + "+", raw.first, raws[after].last, (), value, "{plus}"), 2
    last = raws[-1].last
    for end in range(len(raws) - 1, at, -1):
        stop = raws[end].last
        if stop - raw.last > _LONGEST_UNIT:
            continue
        unit = _unit(text[raw.last : stop], lexicon)
        if unit and not (stop < last and text[stop - 1].isalnum() and text[stop].isalnum()):
            quantity = Word("QUANT", text[raw.first : stop], raw.first, stop, (), value, unit)
            return quantity, end - at + 1
    return Word("NUM", raw.text, raw.first, raw.last, (), value), 1


def _unit(text: str, lexicon: Lexicon) -> str:
    """The UCUM unit that a text names, typographic damage of registries included; else ''."""
    squeezed = "".join(text.split()).replace("·", "*")
    if squeezed.casefold() in _NO_UNITS:
        return ""
    power = _POWER.match(squeezed)
    if power is not None and (text.strip()[:1].lower() in {"x", "×", "*", "·"} or "^" in text):
        squeezed = f"10^{power[1]}/" + squeezed[power.end() :]
    unit = lexicon.units.get(squeezed) or lexicon.units.get(squeezed.casefold())
    if unit is None or (not unit.folded and squeezed not in lexicon.units):
        exact = _powers(squeezed)
        return exact or ""
    return unit.ucum


def _powers(squeezed: str) -> str:
    """10^9/L however its litre is capitalised."""
    return {"10^9/l": "10*9/L", "10^3/ul": "10*3/uL", "10^3/mm3": "10*3/uL"}.get(
        squeezed.casefold(), ""
    )


def _single(text: str, raw: _Raw) -> list[Word]:
    if raw.kind == "sign":
        if set(raw.text) == {"+"} and len(raw.text) > 1:
            value = Decimal(len(raw.text))
            return [Word("QUANT", raw.text, raw.first, raw.last, (), value, "{plus}")]
        terminal = _SIGNS.get(raw.text, "OTHER")
        return [Word(terminal, raw.text, raw.first, raw.last)]
    if raw.text in _ARTICLES and not (raw.text == "A" and _CAPITAL_A.search(text[: raw.first])):
        return []
    number = number_word(raw.folded)
    if number is not None:
        return [Word("NUM", raw.text, raw.first, raw.last, (), Decimal(number))]
    terminal = "TIMES_SIGN" if raw.folded == "x" else "WORD"
    return [Word(terminal, raw.text, raw.first, raw.last)]
