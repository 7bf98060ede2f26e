"""Documents → one patient's record: sorted by type, other people's entries left out, gaps noted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain, groupby
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from cds.core.facts import Problem, Retrieval
from cds.fhir.belonging import Owner, Subjects
from cds.fhir.decode import BROKEN, Document, NotRead, read_nested
from cds.fhir.resources import (
    Entry,
    Medication,
    Nested,
    OperationOutcome,
    Patient,
)
from cds.fhir.retrieved import KINDS, Coverage, Record, better, newest, rank, reference_of
from cds.fhir.versions import refuse_foreign_shapes

if TYPE_CHECKING:
    from cds.fhir.resources import AnyResource

_MATCH = (None, "match")
_TRUNCATED = "the list goes on after what was sent"
_OTHERS_ONLY = "no entry that came is this patient's"
_SEARCH_ERROR = "the server reported an error"
_WORDS_PARTIAL_ISSUES = """
incomplete suppressed forbidden security login expired unknown throttled timeout transient too-
costly lock-error no-store exception
"""
_PARTIAL_ISSUES = frozenset(_WORDS_PARTIAL_ISSUES.split())
"""Issue types that say, even as a warning, that something may have been withheld."""


class Part(msgspec.Struct, frozen=True):
    """Documents that came of one question, and the coverages that they claim to have read.

    `judged`: they are the pages of a search whose completeness somebody else has judged.
    """

    documents: tuple[Document, ...]
    claims: Mapping[str, Coverage]
    judged: bool = False


class _Sorted:
    """Everything found so far, while the parts are gone through."""

    def __init__(self) -> None:
        self.by_kind: dict[str, list[_Run]] = {kind: [] for kind in KINDS.values()}
        self.patients: list[Entry] = []
        self.medications: dict[str, Medication] = {}
        self.problems: list[Problem] = []
        self.others: set[str] = set()


class _Run(NamedTuple):
    """Entries of one type that came in a row, and the claims of their part."""

    entries: Sequence[Entry]
    claims: _Claims


class _Claims:
    """The coverages of one part, and what goes wrong with them."""

    def __init__(self, claims: Mapping[str, Coverage], around: _Claims | None = None) -> None:
        """`around`: the claims of the Bundle in which this one lies."""
        self.coverage = dict(claims)
        self.lost: dict[str, Coverage] = {}
        self._around = around

    def lose(self, why: str, kind: str | None) -> None:
        """Mark the coverages of one type (None: all) as lacking an entry that came.

        No other part makes up for it: several keys of a prefetch may each claim a whole type and
        hold a piece of it only.
        """
        for name, covered in self._of(kind):
            if covered.state is Retrieval.COMPLETE:
                partial = msgspec.structs.replace(covered, state=Retrieval.PARTIAL, why=why)
                self.coverage[name] = partial
        for name, covered in self._of(kind):
            self.lost.setdefault(name, covered)
        if self._around is not None:
            self._around.lose(why, kind)

    def cut_off(self, why: str, kind: str | None = None) -> None:
        """Mark the coverages of one type (None: all) as lists of which entries may be missing."""
        cut_off = Coverage(Retrieval.CUT_OFF, why, again=True)
        for name, covered in self._of(kind):
            if rank(cut_off) < rank(covered):
                self.coverage[name] = cut_off

    def _of(self, kind: str | None) -> list[tuple[str, Coverage]]:
        """The coverages of one type (None: all)."""
        return [
            (name, covered)
            for name, covered in self.coverage.items()
            if kind is None or name.partition(":")[0] == kind
        ]


def collect(parts: Sequence[Part], patient_id: str | None) -> Record:
    """Make one record of all parts.

    `patient_id` None: the parts must hold exactly one patient, who is meant.

    Raises:
        UnusableInput: another FHIR version.
        LookupError: `patient_id` is None and there is no single patient; its text says why.
    """
    found = _Sorted()
    all_claims: list[_Claims] = []
    for part in parts:
        claims = _Claims(part.claims)
        all_claims.append(claims)
        for document in part.documents:
            if _sort_document(document, claims, found) and not part.judged:
                claims.cut_off(_TRUNCATED)
    for kind, runs in found.by_kind.items():
        refuse_foreign_shapes(kind, chain.from_iterable(run.entries for run in runs))
    refuse_foreign_shapes("Patient", found.patients)
    patient, own_id, addresses = _choose_patient(found, patient_id)
    entries = _own_entries(found, Subjects(own_id, addresses), asked_for=patient_id is not None)
    coverage: dict[str, Coverage] = {}
    for claims in all_claims:
        for name, covered in claims.coverage.items():
            coverage[name] = better(coverage.get(name), covered)
    for claims in all_claims:
        for name, covered in claims.lost.items():
            if coverage[name].state is Retrieval.COMPLETE:
                coverage[name] = covered
    return Record(
        own_id or "",
        patient,
        entries,
        found.medications,
        coverage,
        tuple(found.problems),
        frozenset(found.others),
    )


def _sort_document(document: Document, claims: _Claims, found: _Sorted) -> bool:
    """Sort the entries in; true if the document says that there are more than it holds."""
    for kind, entries in _runs(document.entries):
        clinical = KINDS.get(kind)
        if clinical is not None:
            found.by_kind[clinical].append(_Run(entries, claims))
        else:
            for entry in entries:
                _sort_other(entry, entry.resource, claims, found)
    for lost in document.not_read:
        _note_not_read(lost, claims, found)
    if document.more or document.total is None:
        return document.more
    matches = sum(entry.search is None or entry.search.mode in _MATCH for entry in document.entries)
    return not 0 <= document.total <= matches + len(document.not_read)


def _runs(entries: Sequence[Entry]) -> list[tuple[type, Sequence[Entry]]]:
    """Entries of one type that follow one another; most Bundles are one such run."""
    kinds = {type(entry.resource) for entry in entries}
    if len(kinds) == 1:
        return [(kinds.pop(), entries)]
    return [(kind, tuple(run)) for kind, run in groupby(entries, lambda one: type(one.resource))]


def _sort_other(
    entry: Entry, resource: AnyResource | None, claims: _Claims, found: _Sorted
) -> None:
    if isinstance(resource, Patient):
        found.patients.append(entry)
    elif isinstance(resource, Medication):
        found.medications[reference_of(entry)] = resource
        if entry.full_url:
            found.medications[entry.full_url] = resource
    elif isinstance(resource, OperationOutcome):
        if reports_error(resource):
            claims.cut_off(_SEARCH_ERROR)
    elif isinstance(resource, Nested):
        _sort_nested(resource, claims, found)
    elif resource is None:
        if _failed(entry):
            claims.cut_off(_SEARCH_ERROR)
    else:
        found.others.add(type(resource).__name__)


def _sort_nested(bundle: Nested, claims: _Claims, found: _Sorted) -> None:
    """One level of Bundles inside a Bundle (what a batch of searches answers)."""
    document = read_nested(bundle)
    inner = _Claims(claims.coverage, claims)
    if _sort_document(document, inner, found):
        inner.cut_off(_TRUNCATED)
    kinds = {KINDS.get(type(entry.resource)) for entry in document.entries} - {None}
    for name, covered in inner.coverage.items():
        # A truncated search says nothing about types that it did not search.
        if not kinds or name.partition(":")[0] in kinds:
            claims.coverage[name] = covered


def _note_not_read(lost: NotRead, claims: _Claims, found: _Sorted) -> None:
    found.problems.append(Problem("not-read", lost.reference, lost.says))
    if lost.kind is None or lost.kind in KINDS.values():
        claims.lose("an entry could not be read", lost.kind)


class _Issue(msgspec.Struct, frozen=True):
    severity: str | None = None
    code: str | None = None


_issues = msgspec.json.Decoder(list[_Issue])


def reports_error(outcome: OperationOutcome) -> bool:
    """Whether an OperationOutcome means that something was not returned.

    "No results" arrives as a warning; an outcome that cannot be read counts as an error.
    """
    try:
        issues = _issues.decode(outcome.issue)
    except BROKEN:
        return True
    return any(
        issue.severity not in {"warning", "information", "success"} or issue.code in _PARTIAL_ISSUES
        for issue in issues
    )


class _Response(msgspec.Struct, frozen=True):
    status: str | None = None


def _failed(entry: Entry) -> bool:
    """Whether an entry without a resource is the answer to a request that failed."""
    if not entry.response:
        return False
    try:
        response = msgspec.json.decode(entry.response, type=_Response)
    except BROKEN:
        return True
    return (response.status or "").startswith(("4", "5"))


def _choose_patient(
    found: _Sorted, patient_id: str | None
) -> tuple[Entry | None, str | None, frozenset[str]]:
    """The patient, their id, and every address under which they are known."""
    patients = found.patients
    ids = {getattr(entry.resource, "id", None) for entry in patients}
    if patient_id is None:
        if not patients:
            message = "it holds no Patient; add the Patient resource."
            raise LookupError(message)
        if len(ids) > 1 or (None in ids and len({e.full_url for e in patients}) > 1):
            message = "it holds several Patients; evaluate one patient's record at a time."
            raise LookupError(message)
        patient_id = ids.pop()
    own = [e for e in patients if getattr(e.resource, "id", None) == patient_id]
    for other in patients:
        if other not in own:
            found.problems.append(_other_patient(reference_of(other)))
    addresses = frozenset(entry.full_url for entry in own if entry.full_url)
    if patient_id is None and not addresses:
        message = "its Patient has neither an id nor a fullUrl, so that nothing can refer to it."
        raise LookupError(message)
    return (newest(own)[-1] if own else None), patient_id, addresses


def _other_patient(reference: str) -> Problem:
    return Problem("other-patient", reference, "it is not this patient's and was not used")


def _own_entries(
    found: _Sorted, subjects: Subjects, *, asked_for: bool
) -> dict[str, tuple[Entry, ...]]:
    """The entries that count; `asked_for`: they came of questions about this one patient."""
    entries: dict[str, tuple[Entry, ...]] = {}
    for kind, runs in found.by_kind.items():
        own: list[Entry] = []
        mine: dict[int, bool] = {}
        theirs: set[int] = set()
        for run in runs:
            of_run, has_others = _own_of(run, kind, subjects, found)
            own += of_run
            mine[id(run.claims)] = mine.get(id(run.claims), False) or bool(of_run)
            if has_others:
                theirs.add(id(run.claims))
        for run in runs:
            # Somebody else's list in the place of this patient's shows nothing of theirs; one that
            # does not say whose it is may still be the right one.
            if asked_for and not mine[id(run.claims)] and id(run.claims) in theirs:
                run.claims.cut_off(_OTHERS_ONLY, kind)
        entries[kind] = newest(own)
    return entries


def _own_of(
    run: _Run, kind: str, subjects: Subjects, found: _Sorted
) -> tuple[Sequence[Entry], bool]:
    """The entries that are this patient's, and whether others are another's."""
    # The entries of a list name one subject, as a rule: looked at once, it speaks for all of them.
    named = {entry.resource.subject for entry in run.entries}  # type: ignore[union-attr]
    owners = {subjects.owner(subject) for subject in named}
    if owners <= {Owner.THIS_PATIENT}:
        return run.entries, False
    own: list[Entry] = []
    for entry in run.entries:
        owner = subjects.owner(entry.resource.subject)  # type: ignore[union-attr]
        if owner is Owner.THIS_PATIENT:
            own.append(entry)
        elif owner is Owner.ANOTHER:
            found.problems.append(_other_patient(reference_of(entry)))
        else:
            says = "it does not say whose it is and was not used"
            found.problems.append(Problem("not-read", reference_of(entry), says))
            run.claims.lose("an entry does not say whose it is", kind)
    return own, Owner.ANOTHER in owners
