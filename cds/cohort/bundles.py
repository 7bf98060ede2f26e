"""Charts as Bundle files: whose each file is, and one record of all files of a patient.

A file that cannot be read may hold what would have ruled its patient out. It is therefore given to
the patient whom it names, if it names exactly one, and else it may be anybody's: in either case
nothing passes because nothing was found.
"""

from __future__ import annotations

import re
from functools import reduce
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cds.cohort.lines import named
from cds.core.facts import Retrieval
from cds.fhir.decode import BROKEN
from cds.fhir.record import Record, UnusableInput, merge, record_from_bundle
from cds.fhir.retrieved import KINDS, Coverage, rank

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

BOM = b"\xef\xbb\xbf"
"""What Windows programs put before a text."""
_PATIENT = re.compile(
    rb'"resourceType"\s*:\s*"Patient"(?:\s*,\s*"id"\s*:\s*"([A-Za-z0-9.-]{1,64})")?'
)
_ADDRESS = re.compile(rb'"(?:reference|fullUrl)"\s*:\s*"([^"\\]*)"')
_KIND = re.compile(rb'"resourceType"\s*:\s*"([A-Za-z]*)"')
_OF_A_CHART = frozenset(kind.encode() for kind in ("Patient", *KINDS.values()))
_DAMAGED = Coverage(Retrieval.CUT_OFF, "a file of this patient could not be read")


class Belongs(NamedTuple):
    """Whose a file is: the patient's id, None where it does not say.

    `anybodys`: it cannot be read, and may hold entries of any patient of the folder.
    """

    patient: str | None
    anybodys: bool = False


def belongs(data: bytes) -> Belongs:
    """Whose the Bundle in a file is, whether or not it can be read."""
    data = data.removeprefix(BOM)
    ids = _patients_in(data)
    if len(ids) == 1:
        return Belongs(ids.pop())
    try:
        return Belongs(record_from_bundle(data).patient_id or None)
    except UnusableInput:
        pass
    if _is_no_chart(data):
        return Belongs(None)
    ids = _named_in(data)
    return Belongs(ids.pop()) if len(ids) == 1 else Belongs(None, anybodys=True)


class _Id(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    resource_type: str | None = None
    id: str | None = None


class _Entry(msgspec.Struct, frozen=True, gc=False):
    resource: _Id | None = None


class _Bundle(msgspec.Struct, frozen=True, gc=False):
    entry: tuple[_Entry, ...] | None = None


_bundle = msgspec.json.Decoder(_Bundle)


def _patients_in(data: bytes) -> set[str]:
    try:
        bundle = _bundle.decode(data)
    except BROKEN:
        return set()
    resources = (entry.resource for entry in bundle.entry or ())
    return {one.id for one in resources if one and one.resource_type == "Patient" and one.id}


def _is_no_chart(data: bytes) -> bool:
    """Whether a file is whole and says nothing of patients: a server's list of its hospitals."""
    try:
        msgspec.json.decode(data)
    except BROKEN:
        return False
    return _OF_A_CHART.isdisjoint(_KIND.findall(data))


def _named_in(data: bytes) -> set[str]:
    """The ids of the patients whom a file names, readable or not; empty where one stays hidden.

    A Patient whose id is not beside its type, and references to a Patient whom only the lost part
    can name (urn:uuid), leave open whose the file is.
    """
    text = data.replace(rb"\/", b"/")
    own = set(_PATIENT.findall(text))
    addresses = {one.decode("utf-8", "replace") for one in _ADDRESS.findall(text)}
    if b"" in own or (not own and any(one.startswith("urn:") for one in addresses)):
        return set()
    referred = {name for one in addresses if (name := named("Patient", one)) is not None}
    return {one.decode("ascii") for one in own} | referred


class Unread(NamedTuple):
    """A file that cannot be read: which of those given, and why."""

    place: int
    says: str


def record_of(
    documents: Sequence[bytes], cut: Collection[int], coverage: Mapping[str, Coverage]
) -> tuple[Record | None, list[Unread]]:
    """One record of all files of a patient, and those that cannot be read; None if none can.

    `cut` are the places of files that were damaged when they were unpacked, `coverage` is how the
    folder as a whole was read. Of each type the worst reading counts: what one file lacks is not
    made up for by another that is whole.
    """
    records: list[Record] = []
    unread: list[Unread] = []
    for place, data in enumerate(documents):
        try:
            records.append(record_from_bundle(data))
        except UnusableInput as problem:
            unread.append(Unread(place, str(problem)))
    if not records:
        return None, unread
    damaged = (_DAMAGED,) if unread or cut else ()
    worst = {
        kind: min((*(one.covered(kind) for one in records), coverage[kind], *damaged), key=rank)
        for kind in KINDS.values()
    }
    return msgspec.structs.replace(reduce(merge, records), coverage=worst), unread
