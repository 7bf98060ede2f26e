"""The prefetch templates, and what a prefetch value says that it has read.

The templates are the common floor of the EHRs: no `_include`, no `_sort`, no date tokens, no status
filter (washouts need stopped drugs).
"""

from __future__ import annotations

import re
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import parse_qsl, unquote

import msgspec
from msgspec import Raw

from cds.core.facts import Retrieval
from cds.fhir.decode import BROKEN
from cds.fhir.retrieved import COMPLETE, KINDS, OBSERVATION_CATEGORIES, Coverage
from cds.fhir.search import searched_type

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.fhir.decode import Document, Whole

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
_HARMLESS = frozenset(
    {"_", "_count", "_format", "_include", "_pretty", "_revinclude", "_sort", "_total"}
)
"""Parameters that leave no entry out, and nothing of an entry; `_` keeps caches from answering."""
_HARMLESS_SO = frozenset(
    {
        ("_getpagesoffset", "0"),
        ("_offset", "0"),
        ("_page", "1"),
        ("_skip", "0"),
        ("_summary", "data"),
        ("_summary", "false"),
        ("page", "1"),
    }
)
"""The same of parameters with one value: first pages, and entries without their narrative alone."""
_WHOSE = frozenset({"patient", "subject"})
_COMPARTMENT = re.compile(r"(?:.*/)?Patient/(?P<id>[^/]+)/.*", re.DOTALL)
_FILTERED = Coverage(Retrieval.CUT_OFF, "the list sent is a filtered one", again=True)
_ANOTHERS = Coverage(
    Retrieval.CUT_OFF, "the list sent was asked for of another patient", again=True
)
_UNTOLD = Coverage(
    Retrieval.CUT_OFF, "nobody can tell whether what was sent is the whole list", again=True
)
_SINCE = re.compile(r"g[et](?P<day>\d{4}-\d\d-\d\d)(T.*)?", re.DOTALL)
_OUTCOME = Coverage(Retrieval.NOT_RETRIEVED, "the EHR could not read it", again=True)
_OF_EVERYTHING = frozenset({"batch", "collection", "document", "transaction"})
"""Bundles that are no answer to a search, so that nothing in them came along with something."""


class _Asked(NamedTuple):
    """What a Bundle's own address says was asked.

    `kind`: the type, '' where it names none. `params` in their order, a name with its modifier.
    `everything`: all of a patient's compartment, so that nothing came along with something.
    """

    kind: str
    patient: str | None
    params: tuple[tuple[str, str], ...]
    everything: bool

    @classmethod
    def by(cls, url: str | None) -> _Asked:
        """Take an address apart."""
        path, _, query = (url or "").partition("#")[0].partition("?")
        inside = _COMPARTMENT.fullmatch(path)
        patient = None if inside is None else inside["id"]
        # What is said twice asks for nothing more than what is said once.
        params = tuple(dict.fromkeys(parse_qsl(query)))
        everything = patient is not None and unquote(path).endswith("/$everything")
        return cls(searched_type(path), patient, params, everything)

    def categories(self) -> set[str] | None:
        """Which Observation categories were asked for; None for all of them."""
        value = dict(self.params).get("category")
        if value is None:
            return None
        return {f"Observation:{one.rpartition('|')[2]}" for one in value.split(",")}

    def read(self, patient_id: str) -> Coverage:
        """How much of the list of a patient such a search reads."""
        if not self._includes(patient_id):
            return _ANOTHERS
        filters = [(name, value) for name, value in self.params if self._filters(name, value)]
        if not filters and [name for name, _ in self.params].count("category") <= 1:
            return COMPLETE
        return _filtered_by(filters)

    def _includes(self, patient_id: str) -> bool:
        """Whether this patient is among those that it asks for; all are, where it names none."""
        if self.patient not in {None, patient_id}:
            return False
        asked_for = [
            {one.removeprefix("Patient/").rpartition("/Patient/")[2] for one in value.split(",")}
            for name, value in self.params
            if name.partition(":")[0] in _WHOSE and not self._filters(name, value)
        ]
        return all(patient_id in ids for ids in asked_for)

    def _filters(self, name: str, value: str) -> bool:
        """Whether a parameter may leave an entry out, or a part of one, but for whose they are."""
        plain, _, modifier = name.partition(":")
        if plain in _HARMLESS:
            return (plain, value) == ("_count", "0")
        if plain in _WHOSE:
            return modifier not in {"", "Patient"}
        if self.kind == "Observation" and name == "category":
            return False
        return (name, value) not in _HARMLESS_SO


def claims_of_nothing(key: str) -> dict[str, Coverage]:
    """What `null` under a key claims: that its search found nothing."""
    return {_COVERS[key]: COMPLETE} if key in _COVERS else {}


def claims_of(
    key: str, document: Document, patient_id: str, sent: Raw | Whole
) -> dict[str, Coverage]:
    """The coverages that one prefetch value claims to have read; `sent` is the value as it came.

    Its own address decides where it names a type, else the key, else what it holds. Only matches
    make a list: what a search brought along is there, and nobody asked for all of it. A query that
    is seen to be filtered by more than the patient makes nothing complete.
    """
    if document.kind == "OperationOutcome":
        return {_COVERS[key]: _OUTCOME} if key in _COVERS else {}
    said, unsaid = _matches(document)
    if document.kind != "Bundle":
        # One resource instead of a list: it is there, others may be.
        return dict.fromkeys(said | unsaid, _FILTERED)
    asked = _Asked.by(document.self_url)
    read = asked.read(patient_id)
    if not asked.kind:
        claims = _told_by_content(key, said, unsaid, sent, everything=asked.everything)
    elif asked.kind not in KINDS.values():
        claims = {}
    elif (said | unsaid) - {asked.kind} and asked.kind not in said | unsaid:
        claims = dict.fromkeys((asked.kind, *said, *unsaid), _UNTOLD)
    elif asked.kind == "Observation":
        known = _COVERS.get(key, "")
        whole = known if known.startswith("Observation:") else "Observation"
        claims = dict.fromkeys(asked.categories() or {whole}, COMPLETE)
    else:
        claims = {asked.kind: COMPLETE}
    return {name: read if covered is COMPLETE else covered for name, covered in claims.items()}


def _told_by_content(
    key: str, said: set[str], unsaid: set[str], sent: Raw | Whole, *, everything: bool
) -> dict[str, Coverage]:
    """The claims of a Bundle whose address does not say what was asked.

    `said` are the types of which matches are marked as such, `unsaid` those of the other matches.
    """
    kinds = said | unsaid
    known = _COVERS.get(key)
    if known is not None and (not kinds or known.partition(":")[0] in kinds):
        return {known: COMPLETE}
    told = _told(sent) if len(kinds) > 1 or "Observation" in kinds else _Told()
    certain = len(kinds) == 1 or everything or told.type in _OF_EVERYTHING
    claims = {kind: COMPLETE if certain or kind in said else _UNTOLD for kind in kinds}
    if "Observation" in claims:
        covered = claims.pop("Observation")
        claims |= dict.fromkeys(_categories_in(told), covered)
    return claims


def _matches(document: Document) -> tuple[set[str], set[str]]:
    """The clinical types among the matches: those that are marked as matches, and the others."""
    modes = {(type(one.resource), one.search and one.search.mode) for one in document.entries}
    found = [(kind, mode) for of, mode in modes if (kind := KINDS.get(of)) is not None]
    said = {kind for kind, mode in found if mode == "match"}
    unsaid = {kind for kind, mode in found if mode is None} - said
    if not said and not unsaid:
        lost = {one.kind for one in document.not_read if one.kind is not None}
        unsaid = lost.intersection(KINDS.values())
    return said, unsaid


def _filtered_by(filters: list[tuple[str, str]]) -> Coverage:
    """What a filtered list has read: everything since a day, if that is all that it asks for."""
    names = [name for name, _ in filters]
    since = _SINCE.fullmatch(filters[0][1]) if names == ["date"] else None
    if since is None:
        return _FILTERED
    try:
        # One day later, because the server's day may begin at another hour than the site's.
        first = date.fromisoformat(since["day"]) + timedelta(days=1)
    except (ValueError, OverflowError):
        return _FILTERED
    return msgspec.structs.replace(_FILTERED, since=first)


class _ToldResource(msgspec.Struct):
    resource_type: Any = msgspec.field(default=None, name="resourceType")
    category: Any = None


class _ToldEntry(msgspec.Struct):
    resource: _ToldResource | None = None
    search: Any = None


class _Told(msgspec.Struct):
    """What only a Bundle without a telling address is asked: its type, and its categories."""

    type: Any = None
    entry: list[_ToldEntry | None] | None = None


_told_decoder = msgspec.json.Decoder(_Told)


def _told(sent: Raw | Whole) -> _Told:
    """Nothing where it cannot be read; what was decoded beforehand has lost it."""
    try:
        return _told_decoder.decode(sent) if isinstance(sent, Raw) else _Told()
    except BROKEN:
        return _Told()


def _categories_in(told: _Told) -> set[str]:
    """The categories of the Observations in a Bundle: those by which a search brings them.

    One of two categories does not say for which of them it was asked for.
    """
    found: set[str] = set()
    for entry in told.entry or ():
        resource = None if entry is None or _came_along(entry) else entry.resource
        if resource is not None and resource.resource_type == "Observation":
            codes = set(_codes(resource.category)).intersection(OBSERVATION_CATEGORIES)
            if len(codes) == 1:
                found.add(f"Observation:{codes.pop()}")
    return found


def _came_along(entry: _ToldEntry) -> bool:
    return isinstance(entry.search, dict) and entry.search.get("mode") not in (None, "match")


def _codes(category: object) -> Iterator[str]:
    """The codes of one concept or several, however they are written."""
    for concept in _listed(category):
        codings = concept.get("coding") if isinstance(concept, dict) else None
        for coding in _listed(codings):
            code = coding.get("code") if isinstance(coding, dict) else None
            if isinstance(code, str):
                yield code


def _listed(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
