"""The names that the grammar reads: of concepts (`names.tsv`), drugs, units and signs in words."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cds.core.terminology import Terminology

_NAMES = Path(__file__).with_name("names.tsv")
_WORD = re.compile(r"\d+|[^\W\d_][^\W_]*", re.UNICODE)
_TERMINALS = {
    "lab": "LAB_NAME", "virus": "VIRUS_NAME", "score": "ECOG_NAME", "other": "OTHER_LAB",
    "finding": "FINDING_NAME", "event": "FINDING_NAME", "hiv": "HIV_NAME",
    "procedure": "PROCEDURE_NAME", "medication": "DRUG_CLASS", "clot": "CLOT_NAME",
    "part": "NARROWER",
}  # fmt: skip
# Signs in words. A phrase stands for the terminal; the longest phrase wins.
_PHRASES: Mapping[str, Sequence[str]] = {
    "GE": (
        "greater than or equal to", "greater or equal to", "more than or equal to",
        "higher than or equal to", "equal to or greater than", "equal or greater than",
        "equal to or more than", "equal to or higher than", "above or equal to",
        "at least", "no less than", "not less than", "not lower than", "no lower than",
        "not below", "no fewer than", "minimum of",
    ),
    "LE": (
        "less than or equal to", "less or equal to", "lower than or equal to",
        "equal to or less than", "equal or less than", "equal to or lower than",
        "below or equal to", "no more than", "not more than", "not greater than",
        "no greater than", "not higher than", "no higher than", "not exceed", "not exceeding",
        "does not exceed", "do not exceed", "at most", "not above", "maximum of",
    ),
    "GT": ("greater than", "more than", "higher than", "above", "exceeding", "exceeds", "over"),
    "LT": ("less than", "lower than", "below", "under", "younger than", "fewer than"),
    "ULN": (
        "ULN", "UNL", "upper limit of normal", "upper limits of normal",
        "upper normal limit", "upper limit of normal value", "upper limit of normal values",
        "upper limit of normal range", "upper limit of normal reference range",
        "institutional upper limit of normal", "institutional ULN",
        "local upper limit of normal", "laboratory upper limit of normal",
        "upper limit of institutional normal", "upper limit of reference range",
    ),
    "TIMES_SIGN": ("times", "fold"),
    "AND_OR": ("and/or",),
}  # fmt: skip
_NUMBERS = {
    word: number
    for number, word in enumerate(
        ("one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
         "twelve"), start=1,
    )
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Name:
    """What a run of words stands for.

    `terminal` is its word in the grammar, `keys` the concepts (or the drug), `event` whether it
    happens on a day. `strict`: it is an abbreviation, which counts only with a capital in it.
    """

    terminal: str
    keys: tuple[str, ...] = ()
    event: bool = False
    strict: bool = False


@dataclass(frozen=True, slots=True)
class Unit:
    """A UCUM unit that a text may name; `folded` where capitals do not matter."""

    ucum: str
    folded: bool


@dataclass(frozen=True, slots=True, repr=False)
class Lexicon:
    """Everything that a word or a run of words can stand for.

    `names` go by their first word; `units` by their text without spaces; `factors` hold, by
    analyte and UCUM unit, what a value is multiplied with to be in the unit of the concept.
    """

    names: Mapping[str, Sequence[tuple[tuple[str, ...], Name]]]
    units: Mapping[str, Unit]
    factors: Mapping[tuple[str, str], Decimal]
    terminology: Terminology
    known: frozenset[str] = field(default_factory=frozenset)

    def belongs(self, drug: str, concepts: Iterable[str]) -> bool:
        """Whether a drug's membership in one of the concepts is verified."""
        found = self.terminology.drug_text(drug)
        return found is not None and any(
            mark.decides for key in concepts for mark in found.marks.get(key, ())
        )


def lexicon(terminology: Terminology, folders: Sequence[Path]) -> Lexicon:
    """The lexicon of some content folders; concepts that they do not hold are left out."""
    names: dict[tuple[str, ...], Name] = {}
    for kind, keys, said in _rows():
        if all(key in terminology.concepts for key in keys):
            for name in said:
                meant = Name(_TERMINALS[kind], keys, kind == "event", _abbreviated(name))
                for form in _forms(name):
                    names.setdefault(form, meant)
    for ingredient in terminology.lists.ingredients.values():
        for name in ingredient.names:
            strict = _abbreviated(name)
            names.setdefault(_words(name), Name("DRUG_NAME", (ingredient.name,), strict=strict))
    for terminal, phrases in _PHRASES.items():
        for phrase in phrases:
            names[_words(phrase)] = Name(terminal, strict=_abbreviated(phrase))
    by_first: dict[str, list[tuple[tuple[str, ...], Name]]] = {}
    for form in sorted((form for form in names if form), key=len, reverse=True):
        by_first.setdefault(form[0], []).append((form, names[form]))
    known = frozenset(key for _, keys, _ in _rows() for key in keys)
    return Lexicon(by_first, _units(folders), _factors(folders), terminology, known)


def number_word(word: str) -> int | None:
    """The number that a word from one to twelve says."""
    return _NUMBERS.get(word)


def _rows() -> list[tuple[str, tuple[str, ...], list[str]]]:
    """Kind, concepts and names of each row of names.tsv."""
    lines = _NAMES.read_text("utf-8").splitlines()
    cells = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return [
        (kind, tuple(keys.split()), [name.strip() for name in names.split(";")])
        for kind, keys, names in cells[1:]
    ]


def _words(name: str) -> tuple[str, ...]:
    return tuple(_WORD.findall(name.casefold().replace("'", "")))


def _forms(name: str) -> set[tuple[str, ...]]:
    """The words of a name, in the singular and with an s."""
    said = _words(name)
    plural = said[-1] if said[-1].endswith(("s", "y")) or said[-1].isdigit() else said[-1] + "s"
    if said[-1].endswith("y") and not said[-1].endswith(("ay", "ey", "oy")):
        plural = said[-1][:-1] + "ies"
    return {said, (*said[:-1], plural)}


def _abbreviated(name: str) -> bool:
    """Whether a name is one word with capitals behind its first letter, such as ALT or HBsAg."""
    return " " not in name and name[1:].lower() != name[1:]


def _units(folders: Sequence[Path]) -> dict[str, Unit]:
    """Unit texts without spaces → UCUM, from mappings/units.tsv; UCUM stands for itself."""
    found: dict[str, Unit] = {}
    for text, ucum, case, *_ in _table(folders, "units.tsv"):
        squeezed = "".join(text.split())
        folded = case == "any"
        found[squeezed.casefold() if folded else squeezed] = Unit(ucum, folded)
    for _, unit, _, ucum, _ in _table(folders, "unit_factors.tsv"):
        for one in (unit, ucum):
            if len(one) > 1 or one in {"%", "s"}:
                found.setdefault(one, Unit(one, folded=False))
    found |= {text: Unit(ucum, folded=True) for text, ucum in _MORE_UNITS.items()}
    return found


_MORE_UNITS = {
    "g": "g", "mg": "mg", "/mm3": "/uL", "/mm^3": "/uL", "permm3": "/uL", "permicroliter": "/uL",
    "percubicmillimeter": "/uL", "/cubicmillimeter": "/uL", "cells/mm3": "/uL",
    "cells/microliter": "/uL", "/microliter": "/uL", "mlu/l": "m[IU]/L", "miu/l": "m[IU]/L",
    "mm[hg]": "mm[Hg]", "mmhg": "mm[Hg]", "milliseconds": "ms", "msec": "ms", "ms": "ms",
    "second": "s", "seconds": "s", "sec": "s", "s": "s", "percent": "%", "ml/min": "mL/min",
    "ml/minute": "mL/min", "ml/min/1.73m2": "mL/min/{1.73_m2}", "kg/m2": "kg/m2", "bpm": "/min",
    "mg/g": "mg/g", "ng/ml": "ng/mL", "ng/dl": "ng/dL", "pg/ml": "pg/mL", "meq/l": "meq/L",
    "iu/ml": "[IU]/mL", "u/l": "U/L", "iu/l": "[IU]/L", "g/24h": "g/(24.h)", "g/day": "g/(24.h)",
}  # fmt: skip


def _factors(folders: Sequence[Path]) -> dict[tuple[str, str], Decimal]:
    return {
        (analyte, ucum): Decimal(multiply)
        for analyte, _, _, ucum, multiply in _table(folders, "unit_factors.tsv")
    }


def _table(folders: Sequence[Path], name: str) -> list[list[str]]:
    """The rows of a mapping table below its header line, of all folders in order."""
    rows: list[list[str]] = []
    for folder in folders:
        path = folder / "mappings" / name
        if path.is_file():
            lines = path.read_text("utf-8").splitlines()
            cells = [line.split("\t") for line in lines if line.strip() and line[0] != "#"]
            rows += cells[1:]
    return rows
