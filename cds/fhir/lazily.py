"""Reading what `resources` keeps as undecoded JSON."""

from __future__ import annotations

from decimal import Decimal
from enum import Enum
from typing import Final, TypeVar

import msgspec
from msgspec import Raw

from cds.fhir.decode import BROKEN
from cds.fhir.resources import ABSENT, CodeableConcept

T = TypeVar("T")


class Lost(Enum):
    """The answer for a field that is there and cannot be read."""

    UNREADABLE = "unreadable"


UNREADABLE: Final = Lost.UNREADABLE


class Quantity(msgspec.Struct, frozen=True, gc=False):
    """A measured amount as received."""

    value: Decimal | None = None
    comparator: str | None = None
    unit: str | None = None
    system: str | None = None
    code: str | None = None

    def __post_init__(self) -> None:
        """Refuse what is no number: msgspec also reads a number from a string such as "NaN"."""
        if self.value is not None and not self.value.is_finite():
            message = "The value is not a number."
            raise ValueError(message)


class Range(msgspec.Struct, frozen=True, gc=False):
    """Two amounts between which something lies."""

    low: Quantity | None = None
    high: Quantity | None = None


class Period(msgspec.Struct, frozen=True, gc=False):
    """Two dates as received; each may be of any JSON type."""

    start: Raw = Raw()
    end: Raw = Raw()


class ReferenceRange(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """One reference range of a result."""

    low: Raw = Raw()
    high: Raw = Raw()
    type: CodeableConcept | None = None
    applies_to: tuple[CodeableConcept, ...] | None = None
    age: Range | None = None


text: Final = msgspec.json.Decoder(str)
boolean: Final = msgspec.json.Decoder(bool)
integer: Final = msgspec.json.Decoder(int)
quantity: Final = msgspec.json.Decoder(Quantity)
interval: Final = msgspec.json.Decoder(Range)
period: Final = msgspec.json.Decoder(Period)
concept: Final = msgspec.json.Decoder(CodeableConcept)
concepts: Final = msgspec.json.Decoder(tuple[CodeableConcept, ...])
reference_ranges: Final = msgspec.json.Decoder(tuple[ReferenceRange, ...])
reference_range: Final = msgspec.json.Decoder(ReferenceRange)
items: Final = msgspec.json.Decoder(tuple[Raw, ...])

_NULL = Raw(b"null")


def there(raw: Raw) -> bool:
    """Whether a field has any value at all."""
    return raw is not ABSENT and bool(raw) and raw != _NULL


def read(decoder: msgspec.json.Decoder[T], raw: Raw) -> T | Lost | None:
    """The decoded value; None where the field is absent or null."""
    if raw is ABSENT or not raw:
        return None
    try:
        return decoder.decode(raw)
    except BROKEN:
        return UNREADABLE if there(raw) else None


def readable(decoder: msgspec.json.Decoder[T], raw: Raw) -> T | None:
    """The decoded value; None where the field is absent or cannot be read."""
    value = read(decoder, raw)
    return None if isinstance(value, Lost) else value
