"""Records from where they come: a bundle on disk, a hook's prefetch, a FHIR server's answers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Raw

from cds.fhir.collecting import Part, collect
from cds.fhir.decode import Document, Whole, read_document, read_entries
from cds.fhir.prefetch import claims_of, claims_of_nothing
from cds.fhir.resources import Patient
from cds.fhir.retrieved import (
    COMPLETE,
    KINDS,
    Coverage,
    Record,
    is_lacking,
    merge,
    missing,
    unread_medications,
)
from cds.fhir.unusable import UnusableInput, WrongVersion

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cds.fhir.search import Fetched

__all__ = [
    "Record",
    "UnusableInput",
    "Whole",
    "WrongVersion",
    "is_lacking",
    "merge",
    "missing",
    "record_from_bundle",
    "record_from_fetched",
    "record_from_prefetch",
    "record_from_resources",
    "unread_medications",
]

_BOM = b"\xef\xbb\xbf"
_NULL = Raw(b"null")
_LONGEST_KEY = 40


def record_from_bundle(data: bytes) -> Record:
    """The record of the one patient in a Bundle of any type; a type without entries is empty.

    Raises:
        UnusableInput: no JSON, no Bundle, not R4, or not exactly one patient.
    """
    document = read_document(data.removeprefix(_BOM))
    if document.kind != "Bundle":
        kind = document.kind[:40] if document.kind.isalnum() else "something else"
        message = f"this is a {kind}, not a Bundle; send a FHIR R4 Bundle."
        raise UnusableInput(message)
    claims = dict.fromkeys(KINDS.values(), COMPLETE)
    try:
        return collect([Part((document,), claims)], None)
    except LookupError as problem:
        message = f"this Bundle cannot be evaluated: {problem.args[0]}"
        raise UnusableInput(message) from None


def record_from_resources(lines: Sequence[bytes], coverage: Mapping[str, Coverage]) -> Record:
    """The record of the one patient in resources that come one by one, as bulk exports give them.

    `coverage` says which types the export was asked for.

    Raises:
        UnusableInput: not R4, or not exactly one patient.
    """
    entries, not_read = read_entries(list(lines))
    try:
        return collect([Part((Document("Bundle", entries, not_read),), coverage)], None)
    except LookupError as problem:
        message = f"these resources cannot be evaluated: {problem.args[0]}"
        raise UnusableInput(message) from None


def record_from_prefetch(prefetch: Mapping[str, Raw | Whole | None], patient_id: str) -> Record:
    """The record that a hook's prefetch makes; `missing` says what must still be asked.

    A key that is left out was not retrieved; null or an empty Bundle is an empty list; an
    OperationOutcome was not retrieved; a truncated Bundle is incomplete. Keys may be renamed: the
    content says what they hold. Values may be undecoded, or decoded as `Whole`, which saves a
    second pass over a large request; None stands for null.

    Raises:
        UnusableInput: a value is no FHIR R4, or the Patient is not the one whose chart is open.
    """
    parts: list[Part] = []
    for key, value in prefetch.items():
        if value is None or value == _NULL:
            parts.append(Part((), claims_of_nothing(key)))
            continue
        try:
            document = read_document(value)
        except WrongVersion:
            raise
        except UnusableInput as problem:
            message = f"the value of the key '{_shown(key)}' cannot be used: {problem}"
            raise UnusableInput(message) from None
        if document.kind == "Patient" and _is_someone_else(document, patient_id):
            message = "the prefetched Patient is not the one that context.patientId names."
            raise UnusableInput(message)
        claims = claims_of(key, document, patient_id, value)
        parts.append(Part((document,), claims))
    return collect(parts, patient_id)


def record_from_fetched(fetched: Sequence[Fetched], patient_id: str) -> Record:
    """The record that a FHIR server's answers make.

    Raises:
        UnusableInput: an answer is no FHIR R4.
    """
    parts: list[Part] = []
    for answer in fetched:
        why = "" if answer.why is None else answer.why.value
        covered = Coverage(answer.state, why, since=answer.since, codes=answer.codes)
        documents = tuple(read_document(body) for body in answer.bodies)
        parts.append(Part(documents, {answer.covers: covered}, judged=True))
    return collect(parts, patient_id)


def _is_someone_else(document: Document, patient_id: str) -> bool:
    return any(
        isinstance(entry.resource, Patient) and entry.resource.id != patient_id
        for entry in document.entries
    )


def _shown(key: str) -> str:
    """A prefetch key as it may stand in a message."""
    return key if key.isidentifier() and len(key) <= _LONGEST_KEY else "…"
