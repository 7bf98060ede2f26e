"""Reading a chart from a FHIR server: what decides first, and the rest only where it matters.

Most charts hold no target diagnosis of any trial. For those two requests are enough.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.facts import Retrieval
from cds.fhir.facts import facts_from
from cds.fhir.record import Record, merge, missing, record_from_fetched
from cds.fhir.retrieved import Coverage
from cds.fhir.search import FIRST, searches

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from cds.assess import Content
    from cds.core.when import Evaluation
    from cds.fhir.search import Fetched, Search

    Fetch = Callable[[Sequence[Search]], Sequence[Fetched]]
    """Asks a FHIR server about the patient whose record it is."""

NOT_ASKED = Coverage(
    Retrieval.NOT_RETRIEVED, "no trial's target diagnosis is recorded, so nobody asked for it"
)


def completed_chart(record: Record, fetch: Fetch, content: Content, asked: Evaluation) -> Record:
    """The record with what it lacks, as far as the server gives it.

    The Patient and the Conditions come first. Where they rule out every trial's target diagnosis,
    or there is no Patient to evaluate, nothing else is asked, and the record says so.

    Raises:
        UnusableInput: an answer is no FHIR R4.
    """
    record = _with(record, fetch, missing(record).intersection(FIRST))
    rest = missing(record).difference(FIRST)
    if rest and not is_worth_asking(record, content, asked):
        coverage = {**record.coverage, **dict.fromkeys(rest, NOT_ASKED)}
        return msgspec.structs.replace(record, coverage=coverage)
    return _with(record, fetch, rest)


def is_worth_asking(record: Record, content: Content, asked: Evaluation) -> bool:
    """Whether more than Patient and Conditions can still change what is said."""
    if record.patient is None:
        return False
    facts = facts_from(record, content.terminology, asked.zone, content.units)
    if facts.patient.deceased:
        return False
    concern = content.index.concern(facts, asked, None)
    return bool(concern.possible or concern.untold)


def _with(record: Record, fetch: Fetch, wanted: Collection[str]) -> Record:
    if not wanted:
        return record
    return merge(record, record_from_fetched(fetch(searches(wanted)), record.patient_id))
