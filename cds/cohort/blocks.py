"""Many lines at once, where all of them are as plain as exports write them.

A block is plain if each of its lines is one resource of the same type that says whose it is. The
JSON of a plain block is read in one go; any other block is read line by line, which says the same
of a plain one, only slower.
"""

from __future__ import annotations

from io import BytesIO
from itertools import accumulate, groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import msgspec

from cds.cohort.lines import named
from cds.fhir.decode import BROKEN
from cds.fhir.retrieved import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

BLOCK = 1 << 18
"""Bytes that are read at once, and then up to the end of the last line."""

_OPEN, _CLOSE = ord("{"), ord("}")
_FIRST, _LAST = itemgetter(0), itemgetter(-2)


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


def blocks(data: BinaryIO, place: int, end: int) -> Iterator[tuple[int, bytes]]:
    """The lines from `place` to `end`, where one ends, in blocks of whole lines."""
    data.seek(place)
    while place < end:
        block = data.read(min(BLOCK, end - place))
        if not block.endswith(b"\n"):
            block += data.readline()
        if not block:
            return
        yield place, block
        place += len(block)


def plain_block(block: bytes) -> PlainBlock | None:
    """What a block holds; None if it is not plain."""
    lines = list(BytesIO(block))
    # No JSON value goes on after a line that ends with } where the next begins with {.
    if not block.endswith(b"}\n") or set(map(_FIRST, lines)) != {_OPEN}:
        return None
    if set(map(_LAST, lines)) != {_CLOSE}:
        return None
    try:
        kind = _kind.decode(lines[0]).resource_type
        decoder = _DECODERS.get(kind)
        resources = decoder.decode_lines(block) if decoder is not None else []
    except BROKEN:
        return None
    if len(resources) != len(lines):
        return None
    runs = _runs(kind, resources, lines)
    if runs is None:
        return None
    return PlainBlock(kind, len(lines), runs, _needs(kind, resources))


def _runs(kind: str, resources: list[Any], lines: list[bytes]) -> tuple[PlainRun, ...] | None:
    """The runs of a plain block; None where a line does not say whose it is."""
    starts = list(accumulate(map(len, lines), initial=0))
    if kind == "Patient":
        ids = [one.id for one in resources]
        if not all(ids):
            return None
        return tuple(
            PlainRun(name, starts[index], starts[index + 1] - starts[index], 1)
            for index, name in enumerate(ids)
        )
    runs: list[PlainRun] = []
    first = 0
    for reference, group in groupby([one.subject.reference for one in resources]):
        patient = named("Patient", reference)
        if patient is None:
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
