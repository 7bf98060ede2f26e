"""Units: the one place where a measured value meets UCUM.

A unit is looked up in the alias table first (what labs write is often not UCUM, and parsers misread
it: `K/uL` is kelvin per microlitre to them), then in a table of factors that was computed once.
Only a pair of analyte and unit that neither holds is handed to ucumvert and pint. A unit must be of
a *kind* that the analyte accepts: an equal dimension is not enough (`[IU]/L` is no cell count).
Everything else has no conversion; nothing is guessed from the magnitude of a value.
"""

from __future__ import annotations

import re
import unicodedata
from decimal import Context, Decimal
from functools import cache, lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from cds.core.terminology import Analyte

UCUM_SYSTEMS = frozenset(
    {"http://unitsofmeasure.org", "https://unitsofmeasure.org", "urn:oid:2.16.840.1.113883.6.8"}
)
LOG = "log10 "
"""Prefix of a unit whose numbers are decimal logarithms (viral loads)."""

_EXACT = Context(prec=60)
_DIGITS = 12
_LONGEST = 40
_REMEMBERED = 20_000
_SUPERSCRIPT = re.compile(r"[⁰¹²³⁴⁵⁶⁷⁸⁹]+")
_PLAIN_SIGNS = str.maketrans(
    {"µ": "u", "μ": "u", "×": "x", "·": ".", "−": "-", "–": "-", "∕": "/", "⁄": "/", "∗": "*"}
)
_ANNOTATION = re.compile(r"\{([^{}]*)\}")
_ARBITRARY = re.compile(r"\[(IU|arb'U|USP'U|GPL'U|MPL'U|ELU|EU|anti'Xa'U)\]")
_MISREAD = re.compile(r"\d\.\d")
_BARE_NUMBER = re.compile(r"(?<![\w*^.\]}+-])(?!1(?!\d))\d+(?![\d*^])(?!\.?(?:h|mL)\b)")
"""A number as a factor, which UCUM allows: '103/uL' is 10 to the third that lost its sign. A day
may be 24 hours, and a decilitre 100 mL."""
_SAID_AS_WELL = frozenset({"", "cell", "cells", "count", "#", "INR", "ratio", "score"})
"""Annotations that change nothing about what is measured."""
_SCORES = frozenset({"1", "{score}", "{grade}", "{class}", "{points}", "{ECOG}", "{NYHA}"})


class Alias(msgspec.Struct, frozen=True):
    """What a text stands for in UCUM. `any_case`: however it is capitalised."""

    text: str
    ucum: str
    any_case: bool


class Factor(msgspec.Struct, frozen=True):
    """A value in `ucum` times `multiply` is in `unit`, the analyte's canonical one."""

    analyte: str
    unit: str
    molar_mass: Decimal | None
    ucum: str
    multiply: Decimal


class Conversion(msgspec.Struct, frozen=True):
    """How a value becomes canonical: times `multiply`, after ten to its power if `log`."""

    multiply: Decimal
    log: bool = False

    def apply(self, value: Decimal) -> Decimal:
        """The value in the canonical unit; exact except for logarithms."""
        if self.log:
            value = _EXACT.power(Decimal(10), value)
        return _EXACT.multiply(value, self.multiply)


_SAME = Conversion(Decimal(1))


class Units:
    """Finds conversions; every question is answered once and remembered."""

    def __init__(self, aliases: Iterable[Alias], factors: Iterable[Factor]) -> None:
        """Index both tables."""
        self._exact: dict[str, str] = {}
        self._folded: dict[str, str] = {}
        for alias in aliases:
            self._exact[tidy(alias.text)] = alias.ucum
            if alias.any_case:
                self._folded[tidy(alias.text).casefold()] = alias.ucum
        self._factors = {(f.analyte, f.unit, f.molar_mass, f.ucum): f.multiply for f in factors}
        self._listed = {key[:3] for key in self._factors}
        self._known_ucum = {key[3] for key in self._factors} | set(self._exact.values())
        self._remembered: dict[
            tuple[str, str | None, str | None, str | None], Conversion | None
        ] = {}

    def conversion(
        self, analyte: Analyte, system: str | None, code: str | None, unit: str | None
    ) -> Conversion | None:
        """How a Quantity with this system, code and unit text becomes canonical; None: not at all.

        The code wins over the text; two that convert differently contradict each other.
        """
        key = (analyte.key, system, code, unit)
        try:
            return self._remembered[key]
        except KeyError:
            pass
        found = self._decide(analyte, system, code, unit)
        if len(self._remembered) >= _REMEMBERED:
            self._remembered.clear()
        self._remembered[key] = found
        return found

    def ucum(self, text: str) -> str:
        """The UCUM unit that a text stands for; the tidied text itself where no alias is known."""
        plain = tidy(text)
        return self._exact.get(plain) or self._folded.get(plain.casefold()) or plain

    def _decide(
        self, analyte: Analyte, system: str | None, code: str | None, unit: str | None
    ) -> Conversion | None:
        if code and system and system not in UCUM_SYSTEMS:
            code = None
        if not code and not unit:
            return _SAME if _needs_no_unit(analyte) else None
        by_code = self._convert(analyte, code) if code else None
        by_unit = self._convert(analyte, unit) if unit else None
        if by_code is not None and by_unit is not None:
            return by_code if by_code == by_unit else None
        if by_code is None and code and self.ucum(code) in self._known_ucum:
            return None
        return by_code or by_unit

    def _convert(self, analyte: Analyte, text: str) -> Conversion | None:
        ucum = self.ucum(text)
        log = ucum.startswith(LOG)
        factor = self._factor(analyte, ucum.removeprefix(LOG))
        return None if factor is None else Conversion(factor, log)

    def _factor(self, analyte: Analyte, ucum: str) -> Decimal | None:
        if ucum == analyte.unit:
            return Decimal(1)
        if analyte.scale == "score":
            return Decimal(1) if ucum in _SCORES else None
        listed = (analyte.key, analyte.unit, analyte.molar_mass)
        factor = self._factors.get((*listed, ucum))
        if factor is not None or not analyte.kinds:
            return factor
        if ucum in self._known_ucum and listed in self._listed:
            return None  # the table was made from this unit too, and found it of another kind
        return derived(analyte.unit, analyte.kinds, analyte.molar_mass, ucum)


def tidy(text: str) -> str:
    """A unit's text with plain signs and without spaces: 'x 10⁹/L' is 'x10^9/L'."""
    text = _SUPERSCRIPT.sub(lambda run: "^" + unicodedata.normalize("NFKC", run[0]), text)
    text = unicodedata.normalize("NFKC", text.translate(_PLAIN_SIGNS))
    return "".join(text.translate(_PLAIN_SIGNS).split())


def _needs_no_unit(analyte: Analyte) -> bool:
    """Ratios and scores are often sent as bare numbers; nothing else may be."""
    return analyte.unit == "1" or analyte.scale == "score"


# ucumvert and pint: only for what the tables do not hold


@lru_cache(maxsize=4096)
def derived(
    unit: str, kinds: tuple[str, ...], molar_mass: Decimal | None, ucum: str
) -> Decimal | None:
    """The factor from `ucum` to `unit`, to twelve digits; None for another kind or no UCUM."""
    kind = _kind(ucum)
    if kind is None or kind not in {_kind(accepted) for accepted in (*kinds, unit)}:
        return None
    source, target = _as_enzyme(ucum), _as_enzyme(unit)
    if source.dimensionality == target.dimensionality:
        ratio = (source / target).to_base_units().magnitude
    elif molar_mass is not None:
        ratio = _by_molar_mass(source, target, float(molar_mass))
    else:
        return None
    return None if ratio is None else Decimal(f"{ratio:.{_DIGITS}g}").normalize()


def _by_molar_mass(source: Any, target: Any, grams_per_mole: float) -> float | None:  # noqa: ANN401 - pint has no types for quantities of a registry of its own
    """The factor between mass and moles of one substance."""
    per_mole = grams_per_mole * _parsed("g/mol")
    for converted in (source / per_mole, source * per_mole):
        if converted.dimensionality == target.dimensionality:
            return float((converted / target).to_base_units().magnitude)
    return None


@lru_cache(maxsize=4096)
def _kind(ucum: str) -> tuple[str, ...] | None:
    """What a unit measures: its dimension, its arbitrary units, and what stands in braces."""
    quantity = _parsed(ucum)
    if quantity is None:
        return None
    plain = ucum.replace("[iU]", "[IU]")
    said = sorted(set(_ANNOTATION.findall(plain)) - _SAID_AS_WELL)
    percent = ("%",) if "%" in plain else ()
    return (str(quantity.dimensionality), *sorted(_ARBITRARY.findall(plain)), *said, *percent)


def _as_enzyme(ucum: str) -> Any:  # noqa: ANN401 - see above
    """The quantity of one unit, international units taken as enzyme units.

    Only reached where an analyte lists both as accepted kinds.
    """
    return _parsed(ucum.replace("[iU]", "U").replace("[IU]", "U"))


@lru_cache(maxsize=4096)
def _parsed(ucum: str) -> Any:  # noqa: ANN401 - see above
    """One of a UCUM unit as a pint quantity; None where it is not UCUM or would be misread."""
    if not ucum or len(ucum) > _LONGEST or _MISREAD.search(_ANNOTATION.sub("", ucum)):
        return None
    if _BARE_NUMBER.search(_ANNOTATION.sub("", ucum)):
        return None
    if not _ANNOTATION.sub("", ucum):
        ucum = "1"
    if not _shape().fullmatch(ucum):
        return None  # most strange units are no UCUM at all: they need not wait for the registry
    try:
        found = _registry().from_ucum(ucum)
    except Exception:  # noqa: BLE001 - ucumvert, lark and pint raise whatever they like
        return None
    return found if hasattr(found, "dimensionality") else None


_SYMBOLS = re.compile(r"^(PREFIX\w+|UNIT\w+):(.*(?:\n[ ]+\|.*)*)", re.MULTILINE)
_SYMBOL = re.compile(r'"([^"]+)"')


@cache
def _shape() -> re.Pattern[str]:
    """What every UCUM unit looks like: known symbols between signs that are in their places.

    Made of the symbols that ucumvert's grammar lists, without the half second that its import
    takes. A few texts match that are no UCUM (a parenthesis that is never closed).
    """
    found = find_spec("ucumvert")
    grammar = Path(found.origin or "").with_name("ucum_grammar.lark") if found else Path()
    listed: dict[str, str] = {}
    for name, symbols in _SYMBOLS.findall(grammar.read_text("utf-8")):
        listed[name] = "|".join(re.escape(symbol) for symbol in _SYMBOL.findall(symbols))
    prefixes = f"(?:{listed['PREFIX_SHORT']}|{listed['PREFIX_LONG']})"
    units = f"(?:{prefixes}?(?:{listed['UNIT_METRIC']})|{listed['UNIT_NON_METRIC']}|[1-9][0-9]*)"
    said = r"\{[!-z|~]*\}"
    part = rf"(?:\(/?)*(?:{units}(?:[+-]?[1-9][0-9]*)?|{said})(?:{said}|\))*"
    return re.compile(rf"/?{part}(?:[./]{part})*")


@cache
def _registry() -> Any:  # noqa: ANN401 - ucumvert ships no types
    """The registry; made on first use, because it costs a second."""
    from ucumvert import PintUcumRegistry  # noqa: PLC0415 - ordinary charts never need it

    return PintUcumRegistry()


def make_ready() -> None:
    """Make the registry now, so that no first strange unit pays for it within its deadline."""
    _registry()


def factors_for(analytes: Mapping[str, Analyte], candidates: Iterable[str]) -> list[Factor]:
    """Every factor between the candidates and the analytes' units, for the table of factors."""
    units = sorted(set(candidates))
    return [
        Factor(analyte.key, analyte.unit, analyte.molar_mass, ucum, multiply)
        for analyte in analytes.values()
        if analyte.kinds
        for ucum in units
        if not ucum.startswith(LOG)
        and (multiply := derived(analyte.unit, analyte.kinds, analyte.molar_mass, ucum)) is not None
    ]
