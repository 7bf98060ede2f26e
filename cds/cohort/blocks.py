"""Many lines at once, where all of them are as plain as exports write them.

A block is plain if each of its lines is one resource of the same type that says whose it is. Of a
plain block nothing else is looked at; any other block is read with more care, which says the same
of a plain one, only slower.
"""

from __future__ import annotations

from itertools import accumulate, groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from cds.cohort.lines import named
from cds.fhir.decode import BROKEN
from cds.fhir.retrieved import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BLOCK = 1 << 17
"""Bytes that are read at once, and then up to the end of the last line."""

_ID = attrgetter("id")
_REFERENCE = attrgetter("subject.reference")


class PlainRun(NamedTuple):
    """Lines of one patient that follow one another. `start` is counted from the block's begin."""

    patient: str
    start: int
    length: int
    lines: int


class PlainBlock(NamedTuple):
    """What a plain block holds. `needs`: patients with the Medications that they refer to."""

    kind: str
    lines: int
    runs: tuple[PlainRun, ...]
    needs: tuple[tuple[str, str], ...]


class _Target(msgspec.Struct, frozen=True, gc=False):
    reference: str


class _Pointer(msgspec.Struct, frozen=True, gc=False):
    reference: str | None = None


class _Kind(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    resource_type: str


def _decoder(kind: str) -> msgspec.json.Decoder[Any]:
    """Reads whose a resource of one type is, and refuses every other type."""
    fields: list[Any] = [("resource_type", Literal[kind])]
    fields.append(("id", str) if kind == "Patient" else ("subject", _Target))
    if kind.startswith("Medication"):
        fields.append(("medication_reference", _Pointer | None, None))
    made = msgspec.defstruct(f"Plain{kind}", fields, frozen=True, gc=False, rename="camel")
    return msgspec.json.Decoder(made)


_DECODERS = {kind: _decoder(kind) for kind in ("Patient", *KINDS.values())}
_kind = msgspec.json.Decoder(_Kind)


def blocks(data: BinaryIO, place: int, end: int) -> Iterator[tuple[int, list[bytes]]]:
    """The lines from `place` to `end`, where one ends, some at a time, and where the first lies."""
    data.seek(place)
    while place < end and (lines := data.readlines(BLOCK)):
        after = data.tell()
        while after > end:
            after -= len(lines.pop())
        yield place, lines
        place = after


def plain_block(lines: list[bytes]) -> PlainBlock | None:
    """What some lines hold; None if they are not plain."""
    try:
        kind = _kind.decode(lines[0]).resource_type
        decoder = _DECODERS.get(kind)
        if decoder is None:
            return None
        resources = list(map(decoder.decode, lines))
    except BROKEN:
        return None
    runs = _runs(kind, resources, lines)
    if runs is None:
        return None
    return PlainBlock(kind, len(lines), runs, _needs(kind, resources))


def _runs(kind: str, resources: list[Any], lines: list[bytes]) -> tuple[PlainRun, ...] | None:
    """The runs of a plain block; None where a line does not say whose it is."""
    owners = list(map(_ID if kind == "Patient" else _REFERENCE, resources))
    starts = list(accumulate(map(len, lines), initial=0))
    runs: list[PlainRun] = []
    first = 0
    for owner, group in groupby(owners):
        patient = owner if kind == "Patient" else named("Patient", owner)
        if not patient:
            return None
        after = first + len(list(group))
        runs.append(PlainRun(patient, starts[first], starts[after] - starts[first], after - first))
        first = after
    return tuple(runs)


def _needs(kind: str, resources: list[Any]) -> tuple[tuple[str, str], ...]:
    """Which patient refers to which Medication."""
    if not kind.startswith("Medication"):
        return ()
    found: dict[tuple[str, str], None] = {}
    for one in resources:
        pointer = one.medication_reference
        product = named("Medication", pointer.reference) if pointer and pointer.reference else None
        if product is not None:
            found[named("Patient", one.subject.reference) or "", product] = None
    return tuple(found)
