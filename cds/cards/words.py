"""How a card says things: escaped text, dates, lists, shortened summaries."""

from __future__ import annotations

import html
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

_MARKDOWN = re.compile(r"([\\`*_{}\[\]()#+!|~])")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_DIGIT = re.compile(r"\d")
_ISO_DAY = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)(?:T[\d:.]+(?:Z|[+-]\d\d:\d\d)?)?(?![\w-])")
_ISO_MONTH = re.compile(r"(?<![\w.-])((?:19|20)\d\d)-(0[1-9]|1[0-2])(?![\w-])")
_ONE_OF_MANY = re.compile(r"(?<![\w.,])1 (condition|procedure|medication entrie)s\b")
_POWER = re.compile(r"\b10\*(\d+)/")
_SINGULAR = {"medication entrie": "medication entry"}
_SUPERSCRIPT = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNITS = {
    "mm[Hg]": "mmHg",
    "m[IU]/L": "mIU/L",
    "[IU]": "IU",
    "g/(24.h)": "g/24 h",
    "umol/L": "µmol/L",
}


def plain(text: str) -> str:
    """Text from a record or a protocol, safe inside Markdown and HTML, on one line."""
    one_line = " ".join(text.split())
    return _MARKDOWN.sub(r"\\\1", html.escape(one_line, quote=False))


def spoken_date(day: date) -> str:
    """'3 Mar 2026'."""
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def readable(text: str) -> str:
    """A reason in a clinician's notation: '3 Mar 2026', 'Mar 2026', '×10⁹/L', 'mmHg'."""
    if _DIGIT.search(text):  # half of all reasons hold none
        text = _ISO_DAY.sub(_spoken, text)
        text = _ISO_MONTH.sub(lambda month: f"{_MONTHS[int(month[2]) - 1]} {month[1]}", text)
        text = _ONE_OF_MANY.sub(lambda one: f"1 {_SINGULAR.get(one[1], one[1])}", text)
        text = _POWER.sub(lambda power: f"×10{power[1].translate(_SUPERSCRIPT)}/", text)
    text = text.replace("no another ", "no other ")
    for ucum, usual in _UNITS.items():
        text = text.replace(ucum, usual)
    return text


def _spoken(match: re.Match[str]) -> str:
    month = int(match[2])
    if not 1 <= month <= 12:  # noqa: PLR2004 - months of a year
        return match[0]
    return f"{int(match[3])} {_MONTHS[month - 1]} {match[1]}"


def listed(names: Sequence[str], most: int = 3) -> str:
    """'TSH', 'TSH and LVEF', 'TSH, LVEF, aPTT and 4 more'."""
    names = list(dict.fromkeys(names))
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    if len(names) <= 1:
        return "".join(names)
    return f"{', '.join(names[:-1])} and {names[-1]}"


def counted(number: int, singular: str, plural: str | None = None) -> str:
    """'1 question', '3 questions'."""
    return f"{number} {singular if number == 1 else plural or singular + 's'}"


def capitalised(text: str) -> str:
    """The text with its first letter large, the others as they are."""
    return text[:1].upper() + text[1:]


def shortened(text: str, limit: int = 139) -> str:
    """At most `limit` characters, cut at a word."""
    if len(text) <= limit:
        return text
    return text[: limit - 1].rsplit(" ", 1)[0].rstrip(" ,;:—-") + "…"
