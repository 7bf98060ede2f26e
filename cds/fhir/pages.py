"""What a page of search results says about itself: what it holds, what follows, what is missing.

Only the frame is read here. Making records of the entries, and saying which of them cannot be
used, is the business of those who decode them.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from cds.fhir.faults import FhirFault, Why
from cds.fhir.search import MEDICATION_TYPES, searched_type

# Issue types that mean, even as a warning, that something may have been withheld.
_WITHHELD = frozenset(
    {
        "exception",
        "expired",
        "forbidden",
        "incomplete",
        "lock-error",
        "login",
        "no-store",
        "security",
        "suppressed",
        "throttled",
        "timeout",
        "too-costly",
        "transient",
        "unknown",
    }
)
_HARMLESS = frozenset({"warning", "information", "success"})
_LISTS = ("Condition", "Observation", "Procedure", *MEDICATION_TYPES)


class _Resource(msgspec.Struct):
    """The fields that matter here; of any type, because entries may be broken."""

    resource_type: Any = msgspec.field(default=None, name="resourceType")
    id: Any = None
    issue: Any = None
    medication: Any = msgspec.field(default=None, name="medicationReference")


class _Search(msgspec.Struct):
    mode: Any = None


class _Entry(msgspec.Struct):
    resource: _Resource | None = None
    search: _Search | None = None


class _Dated(msgspec.Struct, rename="camel"):
    """Where an Observation says when it was true."""

    effective_date_time: Any = None
    effective_period: Any = None
    effective_instant: Any = None
    effective_timing: Any = None

    @property
    def is_dated(self) -> bool:
        fields = (
            self.effective_date_time,
            self.effective_period,
            self.effective_instant,
            self.effective_timing,
        )
        return any(one is not None for one in fields)


class _DatedEntry(msgspec.Struct):
    resource: _Dated = msgspec.field(default_factory=_Dated)


class _Frame(msgspec.Struct):
    resource_type: Any = msgspec.field(default=None, name="resourceType")
    type: Any = None
    total: Any = None
    link: Any = None
    entry: list[msgspec.Raw] | None = None


@dataclass(frozen=True, slots=True)
class Page:
    """One page: the ids of its matches, where the next one is, and what it says is missing.

    `ids` names the matches ("" stands for each that has none). `medications` are the references
    to Medications, `included` the ids of the Medications that came along. `strange`: it holds
    matches of another type, or says itself that it is about another. `unclear`: what it says of its
    number of matches, or of a next page, cannot be read.
    """

    ids: tuple[str, ...]
    total: int | None
    next_url: str | None
    left_out: bool
    medications: tuple[str, ...] = ()
    included: tuple[str, ...] = ()
    strange: bool = False
    unclear: bool = False


_T = TypeVar("_T")
_frame = msgspec.json.Decoder(_Frame)
_entry = msgspec.json.Decoder(_Entry)
_resource = msgspec.json.Decoder(_Resource)
_dated_entry = msgspec.json.Decoder(_DatedEntry)


def read_page(body: bytes, resource_type: str) -> Page:
    """Read one answer to a search for `resource_type`.

    Raises:
        FhirFault: NOT_FHIR (no JSON, no Bundle, none that answers a search), or OUTCOME where only
            an OperationOutcome came.
    """
    frame = _decoded(_frame, body)
    if frame is not None and frame.resource_type == "OperationOutcome":
        raise FhirFault(Why.OUTCOME)
    # A type left out is forgiven where something came, or is counted as nothing: an empty Bundle
    # must say in one way or the other that it answers.
    if frame is None or frame.resource_type != "Bundle":
        raise FhirFault(Why.NOT_FHIR)
    total = _total(frame.total)
    if frame.type != "searchset" and not (frame.type is None and (frame.entry or total == 0)):
        raise FhirFault(Why.NOT_FHIR)
    entries = [found for raw in frame.entry or () if (found := _decoded(_entry, raw)) is not None]
    resources = [(entry.resource, _mode(entry)) for entry in entries if entry.resource is not None]
    matches = [
        one for one, mode in resources if one.resource_type == resource_type and mode != "include"
    ]
    next_url = _next_url(frame.link)
    return Page(
        ids=tuple(one.id if isinstance(one.id, str) else "" for one in matches),
        total=total,
        next_url=next_url,
        left_out=any(
            _leaves_out(one.issue)
            for one, _ in resources
            if one.resource_type == "OperationOutcome"
        ),
        medications=tuple(filter(None, (_reference(one.medication) for one in matches))),
        included=tuple(
            one.id
            for one, _ in resources
            if one.resource_type == "Medication" and isinstance(one.id, str)
        ),
        strange=_is_strange(frame.link, resource_type)
        or any(_is_other(one, mode, resource_type, bool(matches)) for one, mode in resources),
        unclear=(total is None and frame.total is not None)
        or (next_url is None and _may_go_on(frame.link)),
    )


def _is_other(
    resource: _Resource,
    mode: object,
    searched: str,
    has_matches: bool,  # noqa: FBT001 - of the page
) -> bool:
    """Whether an entry is a match of another type.

    Servers leave the mode of includes out: beside matches only what would be a list of its own is
    taken for one then.
    """
    # Tuples, because what stands there may be of any JSON type.
    fitting = (searched, "OperationOutcome", "Medication", "ResearchStudy")
    if mode in ("include", "outcome") or resource.resource_type in fitting:
        return False
    harmless = isinstance(resource.resource_type, str) and resource.resource_type not in _LISTS
    return mode is not None or not has_matches or not harmless


def _is_strange(links: object, searched: str) -> bool:
    """Whether the page's own address ends in the name of another type."""
    for link in _dicts(links):
        url = link.get("url") if link.get("relation") == "self" else None
        named = searched_type(url.partition("?")[0]) if isinstance(url, str) else ""
        if named not in {"", searched}:
            return True
    return False


def read_resource(body: bytes) -> tuple[str, str]:
    """Type and id of a resource that was read by its id; "" for an id that is none.

    Raises:
        FhirFault: NOT_FHIR, where the answer is no resource.
    """
    found = _decoded(_resource, body)
    if found is None or not isinstance(found.resource_type, str):
        raise FhirFault(Why.NOT_FHIR)
    return found.resource_type, found.id if isinstance(found.id, str) else ""


def kept_types(metadata: bytes) -> frozenset[str] | None:
    """The resource types that a CapabilityStatement says are kept; None where it does not say.

    Raises:
        FhirFault: NOT_FHIR, where the answer is no CapabilityStatement.
    """
    types = [
        resource.get("type")
        for rest in _rests(metadata)
        for resource in _dicts(rest.get("resource"))
    ]
    return frozenset(one for one in types if isinstance(one, str)) or None


def takes_batches(metadata: bytes) -> bool:
    """Whether a CapabilityStatement offers batches, or transactions: the address is the same.

    HAPI lists transactions alone and answers both.

    Raises:
        FhirFault: NOT_FHIR, where the answer is no CapabilityStatement.
    """
    offers = [one for rest in _rests(metadata) for one in _dicts(rest.get("interaction"))]
    return any(one.get("code") in ("batch", "transaction") for one in offers)


def search_params(metadata: bytes, resource_type: str) -> frozenset[str]:
    """The search parameters that a CapabilityStatement names for a resource type.

    Raises:
        FhirFault: NOT_FHIR, where the answer is no CapabilityStatement.
    """
    names = [
        param.get("name")
        for rest in _rests(metadata)
        for resource in _dicts(rest.get("resource"))
        if resource.get("type") == resource_type
        for param in _dicts(resource.get("searchParam"))
    ]
    return frozenset(one for one in names if isinstance(one, str))


def holds_dates(body: bytes) -> bool:
    """Whether an entry of a page says when it was true, as Observations do."""
    frame = _decoded(_frame, body)
    found = [_decoded(_dated_entry, raw) for raw in (frame.entry if frame else None) or ()]
    return any(one is None or one.resource.is_dated for one in found)


def _rests(metadata: bytes) -> list[dict[str, Any]]:
    try:
        statement = msgspec.json.decode(metadata)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        statement = None
    if not isinstance(statement, dict) or statement.get("resourceType") != "CapabilityStatement":
        raise FhirFault(Why.NOT_FHIR)
    return _dicts(statement.get("rest"))


def _decoded(decoder: msgspec.json.Decoder[_T], data: bytes | msgspec.Raw) -> _T | None:
    """None where the JSON is not of that shape; who decodes the entries will say so."""
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _mode(entry: _Entry) -> object:
    return entry.search.mode if entry.search is not None else None


def _dicts(value: object) -> list[dict[str, Any]]:
    return [one for one in value if isinstance(one, dict)] if isinstance(value, list) else []


def _total(value: object) -> int | None:
    """How many matches there are; None where it does not say, or nobody can read it."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        return None
    return value


def _next_url(links: object) -> str | None:
    for link in _dicts(links):
        if link.get("relation") == "next" and isinstance(link.get("url"), str):
            return link["url"] or None
    return None


def _may_go_on(links: object) -> bool:
    """Whether links without a readable next one may hide it all the same."""
    if links is None:
        return False
    if not isinstance(links, list) or len(_dicts(links)) < len(links):
        return True
    relations = [link.get("relation") for link in _dicts(links)]
    return any(one == "next" or not isinstance(one, str | None) for one in relations)


def _leaves_out(issues: object) -> bool:
    """An error, or a remark that data were held back; the warning "no results" is neither."""
    if not isinstance(issues, list):
        return True  # an outcome that cannot be read is no good news
    return any(
        not isinstance(issue, dict)
        or issue.get("severity") not in _HARMLESS
        or issue.get("code") in _WITHHELD
        for issue in issues
    )


def _reference(medication: object) -> str | None:
    reference = medication.get("reference") if isinstance(medication, dict) else None
    return reference if isinstance(reference, str) else None
