"""Bytes → typed entries: the whole document at once, or, where that fails, entry by entry.

One broken field must not cost the rest of a chart. So an entry that does not decode is read field
by field; what cannot be read is dropped and remembered. Only an entry whose code or patient is lost
is given up.
"""

from __future__ import annotations

from functools import lru_cache
from itertools import repeat
from typing import Any, TypeAlias

import msgspec
from msgspec import Raw

from cds.fhir.loose import concept_in, loose_concept, loose_reference
from cds.fhir.resources import (
    Bundle,
    CodeableConcept,
    Condition,
    Entry,
    Link,
    Medication,
    MedicationAdministration,
    MedicationRequest,
    MedicationStatement,
    Nested,
    Observation,
    OperationOutcome,
    Patient,
    Procedure,
    Reference,
    Repaired,
    Search,
    Single,
)
from cds.fhir.unusable import UnusableInput
from cds.fhir.versions import OLDER_STATUSES, refuse_foreign_type

BROKEN = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What decoding raises; msgspec's ValidationError is a DecodeError."""

_TYPED: dict[str, type[msgspec.Struct]] = {
    kind.__name__: kind
    for kind in (
        Patient,
        Observation,
        Condition,
        Procedure,
        MedicationStatement,
        MedicationRequest,
        MedicationAdministration,
        Medication,
        OperationOutcome,
    )
} | {"Bundle": Nested}
_NEEDS_SUBJECT = frozenset(_TYPED) - {"Patient", "Medication", "OperationOutcome", "Bundle"}
_NEEDS_CODE = frozenset({"Condition", "Procedure"})
_NO_CODE = "its code cannot be read"
_MEDICATION = frozenset({"medicationCodeableConcept", "medicationReference"})

Whole: TypeAlias = Bundle | Single
"""What a prefetch value or a file decodes to at once, where no field of it is broken."""

_document = msgspec.json.Decoder(Whole)
_entry = msgspec.json.Decoder(Entry)
_resource = msgspec.json.Decoder(Single)
_fields = msgspec.json.Decoder(dict[str, Raw])
_items = msgspec.json.Decoder(list[Raw])
_links = msgspec.json.Decoder(tuple[Link, ...])
_integer = msgspec.json.Decoder(int)
_text = msgspec.json.Decoder(str)


class NotRead(msgspec.Struct, frozen=True):
    """An entry that cannot be used. `kind` is its resource type, None where even that is lost."""

    kind: str | None
    reference: str | None
    says: str


class Document(msgspec.Struct, frozen=True):
    """A Bundle, or one resource as if it were the only entry of one.

    `kind` is the resourceType of the document itself. `more`: it has a `next` link. `total` is
    None where it is absent; -1 where it is there and cannot be read.
    """

    kind: str
    entries: tuple[Entry, ...] = ()
    not_read: tuple[NotRead, ...] = ()
    total: int | None = None
    more: bool = False
    self_url: str | None = None


def read_document(data: bytes | Raw | Whole) -> Document:
    """Read a Bundle or a single resource, unless the caller has decoded it as `Whole` already.

    Raises:
        UnusableInput: it is no JSON object with a resourceType, or of another FHIR version.
    """
    if isinstance(data, msgspec.Struct):
        return _document_made_of(data)
    try:
        value = _document.decode(data)
    except (msgspec.ValidationError, UnicodeDecodeError):
        return _read_loosely(data)
    except BROKEN as problem:
        raise _not_json(problem) from None
    return _document_made_of(value)


def _document_made_of(value: Whole) -> Document:
    if isinstance(value, Bundle):
        entries, not_read = _with_codes(value.entry or ())
        return _document_of(value.total, value.link, entries, not_read)
    return Document(_kind_of(value), *_with_codes((Entry(resource=value),)))


def _with_codes(entries: tuple[Entry, ...]) -> tuple[tuple[Entry, ...], tuple[NotRead, ...]]:
    """The entries without Observations whose code cannot be read, and those."""
    lost = [place for place, entry in enumerate(entries) if _lacks_code(entry)]
    if not lost:
        return entries, ()
    kept = tuple(entry for entry in entries if not _lacks_code(entry))
    return kept, tuple(_without_code(entries[place], place + 1) for place in lost)


def _lacks_code(entry: Entry) -> bool:
    resource = entry.resource
    return isinstance(resource, Observation) and concept_in(bytes(resource.code)) is None


def _without_code(entry: Entry, number: int) -> NotRead:
    kind = type(entry.resource).__name__
    name = getattr(entry.resource, "id", None)
    return NotRead(kind, _reference(kind, name, entry.full_url, number), _NO_CODE)


def read_nested(bundle: Nested) -> Document:
    """The entries of a Bundle that was itself an entry."""
    entries, not_read = _read_entries(bundle.entry)
    return _document_of(bundle.total, bundle.link, entries, not_read)


def read_entries(lines: list[bytes]) -> tuple[tuple[Entry, ...], tuple[NotRead, ...]]:
    """Resources that come one by one (bulk export), each read like a Bundle's entry."""
    resources = _read_at_once(lines)
    if resources is not None:
        return _with_codes(tuple([Entry(resource=resource) for resource in resources]))
    entries: list[Entry] = []
    not_read: list[NotRead] = []
    for number, line in enumerate(lines, start=1):
        try:
            entry = Entry(resource=_resource.decode(line))
        except BROKEN:
            _sort_in(_repaired_resource(Raw(line), None, number), entries, not_read)
        else:
            _sort_in(_checked(entry, number), entries, not_read)
    return tuple(entries), tuple(not_read)


def _read_at_once(lines: list[bytes]) -> list[Single] | None:
    """What lines hold of which each is one resource; None where that is not certain.

    No JSON has a line end between `}` and `{`. So each of these lines holds one value or more, and
    one where there are as many values as lines.
    """
    if not all(map(bytes.startswith, lines, repeat(b"{"))):
        return None
    if not all(map(bytes.endswith, lines, repeat(b"}"))):
        return None
    try:
        resources = _resource.decode_lines(b"\n".join(lines))
    except BROKEN:
        return None
    return resources if len(resources) == len(lines) else None


def _document_of(
    total: Raw, link: Raw, entries: tuple[Entry, ...], not_read: tuple[NotRead, ...] = ()
) -> Document:
    more, self_url = _read_links(link)
    return Document("Bundle", entries, not_read, _read_total(total), more, self_url)


def _read_total(raw: Raw) -> int | None:
    if not raw or raw == _NULL:
        return None
    try:
        return _integer.decode(raw)
    except BROKEN:
        return -1


def _read_links(raw: Raw) -> tuple[bool, str | None]:
    """Whether there is a next page, and the Bundle's own address.

    Links that cannot be read may hide a next page.
    """
    if not raw or raw == _NULL:
        return False, None
    try:
        links = _links.decode(raw)
    except BROKEN:
        return True, None
    more = any(link.relation == "next" for link in links)
    return more, next((link.url for link in links if link.relation == "self"), None)


# Entry by entry


def _read_loosely(data: bytes | Raw) -> Document:
    try:
        fields = _fields.decode(data)
    except msgspec.ValidationError:
        message = "this is not a JSON object; a FHIR Bundle is needed."
        raise UnusableInput(message) from None
    except BROKEN as problem:
        raise _not_json(problem) from None
    kind = _read_text(fields.get("resourceType"))
    if kind is None:
        message = "this is not FHIR: it has no resourceType; a FHIR R4 Bundle is needed."
        raise UnusableInput(message)
    if kind == "Bundle":
        entries, not_read = _read_entries(fields.get("entry", Raw()))
        return _document_of(
            fields.get("total", Raw()), fields.get("link", Raw()), entries, not_read
        )
    entries_of_one: list[Entry] = []
    not_read_of_one: list[NotRead] = []
    _sort_in(_repaired_resource(Raw(data), None, 1), entries_of_one, not_read_of_one)
    return Document(kind, tuple(entries_of_one), tuple(not_read_of_one))


def _read_entries(raw: Raw) -> tuple[tuple[Entry, ...], tuple[NotRead, ...]]:
    if not raw or raw == _NULL:
        return (), ()
    try:
        items = _items.decode(raw)
    except BROKEN:
        return (), (NotRead(None, None, "the Bundle's entries are not a list"),)
    entries: list[Entry] = []
    not_read: list[NotRead] = []
    for number, item in enumerate(items, start=1):
        try:
            entry = _entry.decode(item)
        except BROKEN:
            _sort_in(_repaired_entry(item, number), entries, not_read)
        else:
            _sort_in(_checked(entry, number), entries, not_read)
    return tuple(entries), tuple(not_read)


def _checked(entry: Entry, number: int) -> Entry | NotRead:
    """The entry, unless it is an Observation whose code cannot be read."""
    return _without_code(entry, number) if _lacks_code(entry) else entry


def _sort_in(found: Entry | NotRead | None, entries: list[Entry], not_read: list[NotRead]) -> None:
    if isinstance(found, NotRead):
        not_read.append(found)
    elif found is not None:
        entries.append(found)


def _repaired_entry(raw: Raw, number: int) -> Entry | NotRead | None:
    """What can be kept of an entry; None for a resource of a type that we do not know."""
    try:
        fields = _fields.decode(raw)
    except BROKEN:
        return NotRead(None, None, f"entry {number} of the Bundle is not an object")
    full_url = _read_text(fields.get("fullUrl"))
    resource = fields.get("resource", Raw())
    if not resource or resource == _NULL:
        return Entry(full_url=full_url, response=fields.get("response", Raw()))
    found = _repaired_resource(resource, full_url, number)
    search = _read_search(fields.get("search"))
    if isinstance(found, Entry) and search is not None:
        return msgspec.structs.replace(found, search=search)
    return found


def _repaired_resource(raw: Raw, full_url: str | None, number: int) -> Entry | NotRead | None:
    """A resource read field by field."""
    try:
        fields = _fields.decode(raw)
    except BROKEN:
        return NotRead(None, full_url, f"the resource of entry {number} is not an object")
    kind = _read_text(fields.get("resourceType"))
    if kind is None:
        return NotRead(None, full_url, f"the resource of entry {number} has no resourceType")
    struct: Any = _TYPED.get(kind)
    if struct is None:
        refuse_foreign_type(kind)
        return None
    values, lost = _read_fields(struct, fields)
    name = values.get("id")
    reference = _reference(kind, name, full_url, number)
    hopeless = _hopeless(kind, values, lost)
    if hopeless is not None:
        return NotRead(kind, reference, hopeless)
    older = any(_read_text(fields[name]) in OLDER_STATUSES for name in lost)
    return Repaired(resource=struct(**values), full_url=full_url, lost=tuple(lost), older=older)


def _reference(kind: str, name: str | None, full_url: str | None, number: int) -> str:
    return f"{kind}/{name}" if name else full_url or f"{kind} (entry {number})"


def _hopeless(kind: str, values: dict[str, Any], lost: list[str]) -> str | None:
    """Why nothing can be done with an entry that lost these fields; None where something can."""
    if kind in _NEEDS_CODE and "code" in lost:
        return _NO_CODE
    if kind == "Observation" and concept_in(bytes(values.get("code", b""))) is None:
        return _NO_CODE
    if kind in _NEEDS_SUBJECT and "subject" in lost:
        return "it cannot be read whose it is"
    names = ("medication_codeable_concept", "medication_reference")
    if not _MEDICATION.isdisjoint(lost) and not any(values.get(name) for name in names):
        return "its medication cannot be read"
    return None


def _read_fields(
    struct: type[msgspec.Struct], fields: dict[str, Raw]
) -> tuple[dict[str, Any], list[str]]:
    """The fields that can be read, by Python name, and the JSON names of those that cannot."""
    values: dict[str, Any] = {}
    lost: list[str] = []
    for name, encoded, decoder, kind in _fields_of(struct):
        raw = fields.get(encoded)
        if raw is None or raw == _NULL:
            continue
        if decoder is None:
            values[name] = raw
            continue
        try:
            values[name] = decoder.decode(raw)
        except BROKEN:
            kept = _loosely(kind, raw)
            if kept is None:
                lost.append(encoded)
            else:
                values[name] = kept
    return values, lost


@lru_cache(maxsize=64)
def _fields_of(
    struct: type[msgspec.Struct],
) -> tuple[tuple[str, str, msgspec.json.Decoder[Any] | None, str], ...]:
    """Python name, JSON name, decoder (None: kept as it is) and type name of every field."""
    rows = []
    for field in msgspec.structs.fields(struct):
        decoder = None if field.type is Raw else msgspec.json.Decoder(field.type)
        rows.append((field.name, field.encode_name, decoder, _type_name(field.type)))
    return tuple(rows)


def _type_name(annotation: object) -> str:
    for kind in (CodeableConcept, Reference):
        if kind in getattr(annotation, "__args__", (annotation,)):
            return kind.__name__
    return ""


def _loosely(kind: str, raw: Raw) -> CodeableConcept | Reference | None:
    if kind == "CodeableConcept":
        return loose_concept(raw)
    return loose_reference(raw) if kind == "Reference" else None


def _read_text(raw: Raw | None) -> str | None:
    if not raw:
        return None
    try:
        return _text.decode(raw)
    except BROKEN:
        return None


def _read_search(raw: Raw | None) -> Search | None:
    if not raw:
        return None
    try:
        return msgspec.json.decode(raw, type=Search)
    except BROKEN:
        return None


def _kind_of(resource: msgspec.Struct) -> str:
    return type(resource).__name__


def _not_json(problem: Exception) -> UnusableInput:
    if isinstance(problem, RecursionError):
        return UnusableInput("this is JSON nested too deeply to be a FHIR Bundle.")
    return UnusableInput("this is not JSON; a FHIR R4 Bundle in JSON is needed.")


_NULL = Raw(b"null")
