"""Whether a code can be one of its system at all: check digits and shapes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_LOINC = re.compile(r"\d{1,7}-\d")
_SNOMED = re.compile(r"[1-9]\d{5,17}")
_PARTITIONS = frozenset({"00", "10"})
"""The partition of a concept id of the international edition (00) or an extension (10)."""
SHAPES: Mapping[str, tuple[re.Pattern[str], str]] = {
    "ICD-10-CM": (
        re.compile(r"[A-Z]\d[\dA-Z](\.[\dA-Z]{1,4})?"),
        "a letter, two characters, then up to four after a dot",
    ),
    "ICD-10": (
        re.compile(r"[A-Z]\d\d"),
        "a whole category of three characters, as longer codes differ between its editions",
    ),
    "ICD-10-PCS": (re.compile(r"[\dA-HJ-NP-Z?]{1,7}"), "up to seven digits and letters, no I or O"),
    "HCPCS": (re.compile(r"[A-V]\d{4}"), "a letter and four digits"),
    "CPT": (re.compile(r"\d{4}[\dFTU]"), "five characters"),
    "ICD-O-3": (re.compile(r"\d{4}/\d"), "four digits, a slash and a digit"),
    "RxNorm": (re.compile(r"[1-9]\d{0,7}"), "a number"),
    "ATC": (re.compile(r"[A-Z]\d\d[A-Z]{2}\d\d"), "seven characters such as L01EX03"),
}
_D = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 2, 3, 4, 0, 6, 7, 8, 9, 5), (2, 3, 4, 0, 1, 7, 8, 9, 5, 6),
    (3, 4, 0, 1, 2, 8, 9, 5, 6, 7), (4, 0, 1, 2, 3, 9, 5, 6, 7, 8), (5, 9, 8, 7, 6, 0, 4, 3, 2, 1),
    (6, 5, 9, 8, 7, 1, 0, 4, 3, 2), (7, 6, 5, 9, 8, 2, 1, 0, 4, 3), (8, 7, 6, 5, 9, 3, 2, 1, 0, 4),
    (9, 8, 7, 6, 5, 4, 3, 2, 1, 0),
)  # fmt: skip
_P = (
    (0, 1, 2, 3, 4, 5, 6, 7, 8, 9), (1, 5, 7, 6, 2, 8, 3, 0, 9, 4), (5, 8, 0, 3, 7, 9, 6, 1, 4, 2),
    (8, 9, 1, 6, 0, 4, 3, 5, 2, 7), (9, 4, 5, 3, 1, 2, 6, 8, 7, 0), (4, 2, 8, 6, 5, 7, 3, 9, 0, 1),
    (2, 7, 9, 3, 8, 0, 6, 4, 1, 5), (7, 0, 4, 6, 9, 1, 3, 2, 5, 8),
)  # fmt: skip


def wrong_code(system: str, code: str) -> str | None:
    """Why this can be no code of its system, as half a sentence; None if it can be one."""
    if system == "LOINC":
        return None if _loinc(code) else "its LOINC check digit is wrong"
    if system == "SNOMED CT":
        return None if _snomed(code) else "its SNOMED CT check digit or partition is wrong"
    shape = SHAPES.get(system)
    if shape is None or shape[0].fullmatch(code):
        return None
    return f"a {system} code is {shape[1]}"


def _loinc(code: str) -> bool:
    """Luhn's check: from the right, every other digit doubled, the sum a multiple of ten."""
    if not _LOINC.fullmatch(code):
        return False
    digits, check = code.split("-")
    total = 0
    for place, digit in enumerate(reversed(digits)):
        value = int(digit) * (2 if place % 2 == 0 else 1)
        total += value - 9 if value > 9 else value  # noqa: PLR2004 - two digits are added up
    return (10 - total % 10) % 10 == int(check)


def _snomed(code: str) -> bool:
    """Verhoeff's check over the whole id, and the partition of a concept."""
    if not _SNOMED.fullmatch(code) or code[-3:-1] not in _PARTITIONS:
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _D[check][_P[place % 8][int(digit)]]
    return check == 0
