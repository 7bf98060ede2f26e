"""How values, dates and bounds are said in a reason."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.core.facts import Reading
    from cds.core.when import When

_PLACES = Decimal("0.0001")


@lru_cache(maxsize=8192)  # the same values and bounds are said again and again: 2 µs each
def number(value: Decimal) -> str:
    """A number without trailing zeros or exponent, at most four decimal places."""
    if not value:
        return "0"
    rounded = value.quantize(_PLACES) if value != round(value, 4) else value
    text = f"{rounded:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def amount(value: Decimal, unit: str) -> str:
    """A number with its unit; counts, scores and ratios stand alone."""
    bare = unit in {"", "1"} or unit.startswith("{")
    return number(value) if bare else f"{number(value)} {unit}"


def reading(value: Reading, unit: str) -> str | None:
    """A numeric reading in the canonical unit: '2.1 10*9/L', '< 0.5', '55 to 60 %'; else None."""
    low, high = value.low, value.high
    if low is not None and high is not None:
        if low == high:
            return amount(low, unit)
        return f"{number(low)} to {amount(high, unit)}"
    if high is not None:
        return f"{'<' if value.high_open else '≤'} {amount(high, unit)}"
    if low is not None:
        return f"{'>' if value.low_open else '≥'} {amount(low, unit)}"
    return None


def day(when: When | None) -> str:
    """The calendar date as far as it is known, or 'no readable date'.

    '2026-02-20', '2026-02', '2026-02-01 to 2026-02-20', 'at 13 years of age'.
    """
    if when is None:
        return "no readable date"
    text = when.text
    if text[4:5] in {"-", ""} and "/" not in text:
        return text[:10]
    return " to ".join(part[:10] if part[4:5] == "-" else part for part in text.split("/"))
