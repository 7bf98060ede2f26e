"""Amounts as people write them: '<0.5 mg/dL', '55%-60%', '1,5 G/l'."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import NamedTuple

from cds.fhir.lazily import Quantity

_NUMBER = r"\d+(?:\.\d+)?|\d+,\d{1,2}(?!\d)|\.\d+"
_AMOUNT = re.compile(
    rf"(?P<sign>[<>]=?)?\s*(?P<low>{_NUMBER})(?:%?\s*(?:-|to)\s*(?P<high>{_NUMBER}))?(?P<unit>(?![\d.,]).*)",
    re.ASCII,
)
_SIGNS = str.maketrans({"≤": "<=", "≥": ">=", "＜": "<", "＞": ">", "–": "-", "−": "-", "—": "-"})
_FLAG = re.compile(r"(?<=\d)[*↑↓]+(?=\s|$)|\s*\((?:HH?|LL?)\)\s*$|\s*[↑↓]+\s*$")
"""A laboratory's mark that a value is out of its range."""
_THOUSANDS = re.compile(r"[1-9]\d{0,2}\.\d{3}")
_DETECTED = re.compile(r"\bdetect(?:ed|able)\b", re.IGNORECASE)
_BELOW_DETECTION = re.compile(
    r"(?:<|below) ?(?:the )?(?:lower )?(?:limit of detection|detection limit|lod|lld)\.?"
)


class Amount(NamedTuple):
    """One amount (`low` and `high` are then the same object), or two between which it lies.

    `may_be_thousands`: its point may separate thousands: '1.500' is fifteen hundred where the comma
    is decimal.
    """

    low: Quantity
    high: Quantity
    may_be_thousands: bool


def amount_in(text: str) -> Amount | None:
    """The amount that a text consists of; None where it is not one amount with its unit."""
    match = _AMOUNT.fullmatch(_FLAG.sub("", text).translate(_SIGNS))
    if match is None or (match["sign"] and match["high"]):
        return None
    unit = match["unit"].strip() or None
    low = Quantity(_decimal(match["low"]), match["sign"], unit)
    high = low if match["high"] is None else Quantity(_decimal(match["high"]), None, unit)
    numbers = match.group("low", "high")
    return Amount(low, high, any(bool(one and _THOUSANDS.fullmatch(one)) for one in numbers))


def without_detected(text: str) -> str:
    """A text without the word that something was detected: '<10 IU/mL detected'."""
    return _DETECTED.sub("", text).strip(" ,;:()")


def is_below_detection(folded: str) -> bool:
    """Whether a text, folded, says that nothing was found as far as the test can tell."""
    return _BELOW_DETECTION.fullmatch(folded) is not None


def is_more_than_none(amount: Quantity) -> bool:
    """Whether an amount is certainly above zero; '<20' is not, '>10000000' is."""
    value, sign = amount.value, amount.comparator or ""
    if value is None or sign not in {"", ">", ">="}:
        return False
    return value > 0 or (value == 0 and sign == ">")


def _decimal(text: str) -> Decimal:
    return Decimal(text.replace(",", "."))
