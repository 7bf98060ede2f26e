"""Several searches in one request: the batch Bundle that asks, and what its answer says of each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

from cds.fhir.faults import FhirFault, Why
from cds.fhir.pages import Page, read_page

if TYPE_CHECKING:
    from collections.abc import Sequence

_FINAL = {
    401: Why.UNAUTHORIZED,
    403: Why.FORBIDDEN,
    404: Why.NOT_FOUND,
    410: Why.NOT_FOUND,
}
"""Statuses to which another request would get the same answer."""


class _Response(msgspec.Struct):
    status: Any = None


class _Entry(msgspec.Struct):
    resource: msgspec.Raw = msgspec.Raw()
    response: _Response | None = None


class _Bundle(msgspec.Struct, rename="camel"):
    resource_type: str = ""
    type: str = ""
    entry: tuple[_Entry, ...] = ()


_bundle = msgspec.json.Decoder(_Bundle)


@dataclass(frozen=True, slots=True)
class Part:
    """What a batch says of one search: its first page, or why there is none.

    Neither: the search must be sent by itself, because the batch says nothing final about it.
    """

    body: bytes = b""
    page: Page | None = None
    why: Why | None = None


def batch_of(paths: Sequence[str]) -> dict[str, Any]:
    """The Bundle that asks for all `paths`, each relative to the FHIR base."""
    entries = [{"request": {"method": "GET", "url": path}} for path in paths]
    return {"resourceType": "Bundle", "type": "batch", "entry": entries}


def only_reads(body: str | bytes | None) -> bool:
    """Whether the body of a POST is a batch in which every request is a search or a read."""
    try:
        bundle = msgspec.json.decode(body or b"")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    if not isinstance(bundle, dict) or bundle.get("type") != "batch":
        return False
    entries = bundle.get("entry")
    return isinstance(entries, list) and all(_is_read(entry) for entry in entries)


def _is_read(entry: object) -> bool:
    if not isinstance(entry, dict) or set(entry) != {"request"}:
        return False
    request = entry["request"]
    if not isinstance(request, dict):
        return False
    url = request.get("url")
    inside = isinstance(url, str) and url[:1].isalpha() and ":" not in url.partition("?")[0]
    return inside and request.get("method") == "GET"


def parts_of(body: bytes, types: Sequence[str]) -> list[Part]:
    """What a batch's answer says of each search; `types` are the resource types searched.

    Entries stand in the order of the requests. Where one holds another type than was asked for at
    its place, none of them can be trusted.

    Raises:
        FhirFault: NOT_FHIR, where it is no answer to this batch.
    """
    try:
        answer = _bundle.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = _Bundle()
    if answer.type != "batch-response" or len(answer.entry) != len(types):
        raise FhirFault(Why.NOT_FHIR)
    return [_part(entry, kind) for entry, kind in zip(answer.entry, types, strict=True)]


def _part(entry: _Entry, resource_type: str) -> Part:
    status = str(entry.response.status if entry.response is not None else "")[:3]
    if not status.startswith("2") or not bytes(entry.resource):
        return Part(why=_FINAL.get(int(status))) if status.isdigit() else Part()
    body = bytes(entry.resource)
    try:
        page = read_page(body, resource_type)
    except FhirFault:
        return Part()  # no searchset: asked by itself it may say why
    if page.strange:
        raise FhirFault(Why.NOT_FHIR)
    return Part(body, page)
