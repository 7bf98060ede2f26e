"""The page's words in a language: gettext catalogs around Jinja templates.

What the protocol says, our reading, reasons and values are not translated: they are English, and
the templates mark them so.
"""

from __future__ import annotations

import gettext
from datetime import date, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from jinja2 import Environment, PackageLoader, StrictUndefined

from cds.cards.words import readable, spoken_date
from cds.engine.words import number
from cds.web.report.sentences import Speaker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from decimal import Decimal

DOMAIN = "trial-cds"
LOCALES = Path(__file__).resolve().parent.parent / "locale"
LANGUAGES: Mapping[str, str] = {"en": "English", "zh-CN": "简体中文"}
"""Language tag → the language's own name. English is what the templates are written in."""

UNREVIEWED = frozenset({"zh-CN"})
"""Languages whose words no clinician has reviewed yet; the page says so."""

SHAPES = {"fail": "✗", "unknown": "?", "review": "☐", "pass": "✓"}
STATUSES = tuple(SHAPES)
"""In the order in which a reader needs them."""


@cache
def environment(language: str) -> Environment:
    """The templates in one of LANGUAGES."""
    made = Environment(
        loader=PackageLoader("cds.web.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    said = gettext.NullTranslations()
    if language != "en":
        tag = language.replace("-", "_")
        said = gettext.translation(DOMAIN, str(LOCALES), languages=[tag])
    made.install_gettext_translations(said, newstyle=True)  # type: ignore[attr-defined]
    day = _day_in(language)
    speaker = None if language == "en" else Speaker(said.gettext, _days_of_text(day))
    made.filters["day"] = day
    made.filters["readable"] = readable
    made.filters["said"] = speaker or readable
    made.filters["bound"] = speaker.bound if speaker else readable
    made.filters["short"] = _short
    made.filters["eve"] = lambda day: day - timedelta(days=1)
    made.globals.update(languages=LANGUAGES, shapes=SHAPES, statuses=STATUSES)
    return made


def preferred(tags: Iterable[str]) -> str:
    """The first of a browser's language tags that there are words for; English where none is.

    zh and zh-Hans are Simplified Chinese; Traditional Chinese is another script.
    """
    for tag in tags:
        first, *rest = tag.lower().replace("_", "-").split("-")
        if first == "en":
            return "en"
        if first == "zh" and not _TRADITIONAL.intersection(rest):
            return "zh-CN"
    return "en"


_WHOLE_DAY = len("2026-03-01")
_TRADITIONAL = frozenset({"hant", "tw", "hk", "mo"})


def _short(value: Decimal) -> str:
    """A number for the eye: four significant digits at least, whole numbers as they are."""
    places = max(3 - value.adjusted(), 0) if value else 0
    return number(round(value, places))


def _days_of_text(spoken: Callable[[date], str]) -> Callable[[str], str]:
    """Says a day as it stands in a sentence: '2026-03-01', its time left out; '2026-03'; '2026'."""

    def said(text: str) -> str:
        known = text[:10]
        if len(known) == _WHOLE_DAY:
            return spoken(date.fromisoformat(known))
        # The language's own way to say a day, without the parts that nobody knows.
        first = spoken(date.fromisoformat(known + "-01" * (2 - known.count("-"))))
        return first.removesuffix("1日" if "-" in known else "1月1日")

    return said


def _day_in(language: str) -> Callable[[date], str]:
    def chinese(day: date) -> str:
        return f"{day.year}年{day.month}月{day.day}日"

    return chinese if language == "zh-CN" else spoken_date
