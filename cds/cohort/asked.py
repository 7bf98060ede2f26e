"""What an export was asked for, as its Bulk Data manifest says."""

from __future__ import annotations

from datetime import UTC, date, timedelta
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import parse_qs, urlsplit

import msgspec

from cds.core.when import read_when

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_LARGEST = 50_000_000
"""Bytes; a file that is larger is no manifest."""


class _Output(msgspec.Struct, frozen=True):
    type: str
    count: int | None = None


class _Manifest(msgspec.Struct, frozen=True, rename="camel"):
    transaction_time: str
    request: str
    output: tuple[_Output, ...]


class Asked(NamedTuple):
    """What the export's request says.

    `types` None: it named none, and so asked for all. `limited`: it asked for a part only
    (`_since`, `_typeFilter` …), named here. `counts`: resources that the manifest promises, for
    the types whose files all have a count. `since`: where the time of the last change is all that
    limits it, the first day of which every entry came.
    """

    types: frozenset[str] | None
    limited: str
    counts: dict[str, int]
    since: date | None = None

    def covers(self, kind: str) -> bool:
        """Whether a resource type was asked for."""
        return self.types is None or kind in self.types


_LIMITS = ("_since", "_until", "_typeFilter", "_elements", "includeAssociatedData")


def read_asked(documents: Iterable[Path]) -> tuple[Asked | None, Path | None]:
    """The manifest among the JSON files of an export folder, and which file it is."""
    for path in documents:
        if path.stat().st_size > _LARGEST:
            continue
        asked = asked_in(path.read_bytes())
        if asked is not None:
            return asked, path
    return None, None


def asked_in(document: bytes) -> Asked | None:
    """What a manifest says; None for a document that is none."""
    try:
        manifest = msgspec.json.decode(document, type=_Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    query = parse_qs(urlsplit(manifest.request).query)
    named = [kind.strip() for value in query.get("_type", ()) for kind in value.split(",")]
    limits = [name for name in _LIMITS if name in query]
    counts: dict[str, int] = {}
    uncounted = {output.type for output in manifest.output if output.count is None}
    for output in manifest.output:
        if output.type not in uncounted:
            counts[output.type] = counts.get(output.type, 0) + (output.count or 0)
    since = _first_day_after(query["_since"][-1]) if limits == ["_since"] else None
    return Asked(frozenset(named) or None, ", ".join(limits), counts, since)


def _first_day_after(instant: str) -> date | None:
    """The first day that begins after an instant in every zone; None where it is none.

    Nothing is recorded before it is true: an entry of that day or later changed after the instant.
    """
    when = read_when(instant, UTC)
    return None if when is None else when.last + timedelta(days=2)
