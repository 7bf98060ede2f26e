"""Which resource types of an export were retrieved, and how completely."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cohort.source import Form
from cds.core.facts import Retrieval
from cds.fhir.retrieved import COMPLETE, KINDS, Coverage

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import date

    from cds.cohort.source import Source

_NO_FILE = Coverage(Retrieval.NOT_RETRIEVED, "the export holds no file of it")
_ANYBODYS = Coverage(Retrieval.CUT_OFF, "a file that cannot be read may be any patient's")
_NOT_KEPT = Coverage(Retrieval.NOT_KEPT, "the site does not keep it")


def _cut_off(why: str, since: date | None = None) -> Coverage:
    """Entries exist, or may exist, that the export does not hold: newer ones among them.

    Those dated on or after `since` are all there.
    """
    return Coverage(Retrieval.CUT_OFF, why, since=since)


def coverage_of(  # noqa: PLR0913 - everything that an export may say about itself
    source: Source,
    kinds: Mapping[str, int],
    *,
    errors: int,
    cut: Collection[str | None],
    complete: Collection[str] = (),
    not_kept: Collection[str] = (),
    anybodys: bool = False,
) -> dict[str, Coverage]:
    """The coverage of every type that says something about a patient.

    `kinds` counts the resources that were found, `errors` the errors that the export itself
    reported, `cut` names the types of damaged files (None: a file of unknown type). A type has
    been asked for if it has a file, or resources, or if the manifest or `complete` says so. A
    Bundle is the whole record of its patient, unless one that cannot be read is `anybodys`.
    """
    if source.form is Form.BUNDLES:
        return dict.fromkeys(KINDS.values(), _ANYBODYS if anybodys else COMPLETE)
    found: dict[str, Coverage] = {}
    for kind in KINDS.values():
        if kind in not_kept:
            found[kind] = _NOT_KEPT
        elif kind in cut or None in cut:
            found[kind] = _cut_off("a file of the export is damaged")
        elif errors:
            found[kind] = _cut_off("the export reported errors")
        else:
            found[kind] = _as_asked(kind, source, kinds.get(kind, 0), complete=kind in complete)
    return found


def _as_asked(kind: str, source: Source, count: int, *, complete: bool) -> Coverage:
    asked = source.asked
    named = kind in source.kinds or count > 0
    if asked is not None:
        if asked.counts.get(kind, 0) > count:
            return _cut_off("the export holds fewer than its manifest says")
        if asked.limited and not complete and (named or asked.covers(kind)):
            return _cut_off(f"the export was limited by {asked.limited}", asked.since)
        named = named or asked.covers(kind)
    return COMPLETE if named or complete else _NO_FILE
