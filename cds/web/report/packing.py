"""Results as they came, packed: without the names of fields, and without what no page reads.

That is half the bytes, and compressing them is most of what keeping a page costs.
"""

from __future__ import annotations

from operator import attrgetter
from typing import TYPE_CHECKING

import msgspec
from msgspec import Raw

from cds.fhir.resources import Entry, Observation

if TYPE_CHECKING:
    from collections.abc import Sequence

_NULL = Raw(b"null")


class _Usual(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A result as most of them are: these fields of an Observation and no others."""

    id: str
    status: str | None
    code: Raw
    effective_date_time: Raw
    issued: Raw
    value_quantity: Raw
    interpretation: Raw
    reference_range: Raw


class Packed(msgspec.Struct, frozen=True, array_like=True):
    """Results in their order; `whole` are the unusual ones, by their place among all."""

    usual: tuple[_Usual, ...]
    whole: dict[int, Entry]


# Whose it is was settled when the chart was read, and of several versions the newest was taken.
_SETTLED = {"subject", "meta"}
_rest = attrgetter(
    *(
        name
        for name in Observation.__struct_fields__
        if name not in {*_Usual.__struct_fields__, *_SETTLED}
    )
)
_NO_REST = _rest(Observation())


def packed(entries: Sequence[Entry]) -> Packed:
    """Entries of Observations."""
    usual: list[_Usual] = []
    whole: dict[int, Entry] = {}
    for place, entry in enumerate(entries):
        one = entry.resource
        if not isinstance(one, Observation) or one.id is None or _rest(one) != _NO_REST:
            whole[place] = entry
            continue
        usual.append(
            _Usual(
                one.id,
                one.status,
                one.code or _NULL,
                one.effective_date_time or _NULL,
                one.issued or _NULL,
                one.value_quantity or _NULL,
                one.interpretation or _NULL,
                one.reference_range or _NULL,
            )
        )
    return Packed(tuple(usual), whole)


def unpacked(packed: Packed) -> tuple[Entry, ...]:
    """Entries of which the same results are read."""
    usual = iter(packed.usual)
    return tuple(
        packed.whole.get(place) or Entry(resource=_observation(next(usual)))
        for place in range(len(packed.usual) + len(packed.whole))
    )


def _observation(one: _Usual) -> Observation:
    return Observation(
        id=one.id,
        status=one.status,
        code=one.code,
        effective_date_time=one.effective_date_time,
        issued=one.issued,
        value_quantity=one.value_quantity,
        interpretation=one.interpretation,
        reference_range=one.reference_range,
    )
