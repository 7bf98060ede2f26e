"""The prefetch templates, and what a prefetch value says that it has read.

The templates are the common floor of the EHRs: no `_include`, no `_sort`, no date tokens, no status
filter (washouts need stopped drugs).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

import msgspec

from cds.core.facts import Retrieval
from cds.fhir.retrieved import COMPLETE, KINDS, Coverage

if TYPE_CHECKING:
    from cds.fhir.decode import Document

_PATIENT = "{{context.patientId}}"
TEMPLATES = {
    "patient": f"Patient/{_PATIENT}",
    "conditions": f"Condition?patient={_PATIENT}",
    "labs": f"Observation?patient={_PATIENT}&category=laboratory",
    "vitals": f"Observation?patient={_PATIENT}&category=vital-signs",
    "exam": f"Observation?patient={_PATIENT}&category=exam",
    "survey": f"Observation?patient={_PATIENT}&category=survey",
    "social": f"Observation?patient={_PATIENT}&category=social-history",
    "medreq": f"MedicationRequest?patient={_PATIENT}",
    "medstmt": f"MedicationStatement?patient={_PATIENT}",
    "medadmin": f"MedicationAdministration?patient={_PATIENT}",
    "procedures": f"Procedure?patient={_PATIENT}",
}
"""Prefetch key → query, as discovery offers them."""

_COVERS = {
    "conditions": "Condition",
    "labs": "Observation:laboratory",
    "vitals": "Observation:vital-signs",
    "exam": "Observation:exam",
    "survey": "Observation:survey",
    "social": "Observation:social-history",
    "medreq": "MedicationRequest",
    "medstmt": "MedicationStatement",
    "medadmin": "MedicationAdministration",
    "procedures": "Procedure",
}
_HARMLESS = frozenset({"patient", "subject", "category"})
_FILTERED = Coverage(Retrieval.CUT_OFF, "the list sent is a filtered one", again=True)
_SINCE = re.compile(r"g[et](?P<day>\d{4}-\d\d-\d\d)(T.*)?", re.DOTALL)
_OUTCOME = Coverage(Retrieval.NOT_RETRIEVED, "the EHR could not read it", again=True)


def claims_of_nothing(key: str) -> dict[str, Coverage]:
    """What `null` under a key claims: that its search found nothing."""
    return {_COVERS[key]: COMPLETE} if key in _COVERS else {}


def claims_of(key: str, document: Document) -> dict[str, Coverage]:
    """The coverages that one prefetch value claims to have read.

    The content decides where it names a type; the key only where the content does not. A query
    that is seen to be filtered by more than the patient makes nothing complete.
    """
    if document.kind == "OperationOutcome":
        return {_COVERS[key]: _OUTCOME} if key in _COVERS else {}
    if document.kind != "Bundle":
        # One resource instead of a list: it is there, others may be.
        return dict.fromkeys(_kinds_in(document), _FILTERED)
    searched, params = _query(document.self_url)
    names = _names(key, document, searched, params)
    filtered = any(not name.startswith("_") and name not in _HARMLESS for name in params)
    filtered |= "Condition" in names and "category" in params
    return dict.fromkeys(names, _filtered_by(params) if filtered else COMPLETE)


def _filtered_by(params: dict[str, str]) -> Coverage:
    """What a filtered list has read: everything since a day, if dates are all that it asks for."""
    filters = {name for name in params if not name.startswith("_")} - _HARMLESS
    since = _SINCE.fullmatch(params.get("date", ""))
    if filters != {"date"} or since is None:
        return _FILTERED
    try:
        first = date.fromisoformat(since["day"])
    except ValueError:
        return _FILTERED
    # One day later, because the server's day may begin at another hour than the site's.
    return msgspec.structs.replace(_FILTERED, since=first + timedelta(days=1))


def _names(key: str, document: Document, searched: str | None, params: dict[str, str]) -> set[str]:
    kinds = _kinds_in(document)
    if searched is not None:
        kinds = kinds | {searched} if not kinds or searched in kinds else kinds
    known = _COVERS.get(key)
    if known is not None and (not kinds or kinds == {known.partition(":")[0]}):
        categories = _categories(params)
        if known.startswith("Observation:") and categories is not None:
            return categories
        return {known}
    if kinds == {"Observation"}:
        return _categories(params) or {"Observation"}
    return kinds


def _kinds_in(document: Document) -> set[str]:
    """The clinical resource types among the entries."""
    found = {KINDS.get(kind) for kind in {type(entry.resource) for entry in document.entries}}
    found |= {lost.kind for lost in document.not_read if lost.kind in KINDS.values()}
    return {kind for kind in found if kind is not None}


def _query(url: str | None) -> tuple[str | None, dict[str, str]]:
    """The resource type and parameters of a search by its own address."""
    path, _, query = (url or "").partition("#")[0].partition("?")
    kind = path.rpartition("/")[2]
    if kind not in KINDS.values():
        return None, {}
    return kind, {name.partition(":")[0]: value for name, value in parse_qsl(query)}


def _categories(params: dict[str, str]) -> set[str] | None:
    """Which Observation categories a search asked for; None for all of them."""
    value = params.get("category")
    if value is None:
        return None
    return {f"Observation:{one.rpartition('|')[2]}" for one in value.split(",")}
