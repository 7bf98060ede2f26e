"""What is kept behind a card: the facts that were known. The page is made of them when it is read.

Few links are ever followed, and nearly all of a page's cost is in making it.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import msgspec

from cds.assess import assess_facts
from cds.core.facts import (
    Condition,
    Exposure,
    Facts,
    Mark,
    Patient,
    Problem,
    Procedure,
    Retrieval,
)
from cds.core.when import Evaluation
from cds.fhir.observations import Results
from cds.fhir.values import ValueReader
from cds.web.report.building import report_of
from cds.web.report.packing import Packed, packed, unpacked

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence
    from datetime import tzinfo
    from typing import TypeVar

    from cds.assess import Content
    from cds.web.report.model import Report

    Row = TypeVar("Row")


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """Everything that was known of one patient on one day, and the trials that cards were about.

    `content` is the digest of the trials and mappings; other content might say other things.
    `dated`: the day was fixed by a setting. `subject` are the names under which the patient may
    stand in the store. `results` are as they came: most of a long history was not needed for the
    cards. The rest is what `Facts` holds.
    """

    content: str
    on: date
    dated: bool
    trials: tuple[str, ...]
    patient: Patient
    results: Packed
    conditions: dict[str, tuple[tuple[Condition, Mark], ...]]
    procedures: dict[str, tuple[tuple[Procedure, Mark], ...]]
    exposures: dict[str, tuple[tuple[Exposure, Mark], ...]]
    unrecognised_drugs: tuple[Exposure, ...]
    unrecognised: dict[str, int]
    totals: dict[str, int]
    retrieval: dict[str, Retrieval]
    problems: tuple[Problem, ...]
    subject: tuple[str, ...] = ()
    whole_since: dict[str, date] = {}
    whole_concepts: frozenset[str] = frozenset()


def kept_of(  # noqa: PLR0913 - what was known, of whom, when
    facts: Facts,
    content: Content,
    on: date,
    trials: Collection[str],
    *,
    dated: bool,
    subject: Sequence[str] = (),
) -> Kept:
    """The facts as they are kept. Concepts that no mapping knows are asked for by no criterion."""
    concepts = content.labels
    assert isinstance(facts.results, Results)  # noqa: S101 - facts of a record, not of a test case
    return Kept(
        content.digest,
        on,
        dated,
        tuple(trials),
        facts.patient,
        packed(facts.results.sources()),
        _entries(facts.conditions, concepts),
        _entries(facts.procedures, concepts),
        _entries(facts.exposures, concepts),
        tuple(facts.unrecognised_drugs),
        dict(facts.unrecognised),
        dict(facts.totals),
        dict(facts.retrieval),
        tuple(facts.problems),
        tuple(subject),
        dict(facts.whole_since),
        facts.whole_concepts,
    )


def _entries(
    found: Mapping[str, Sequence[Row]], concepts: Iterable[str]
) -> dict[str, tuple[Row, ...]]:
    """The entries of each concept that has some; a mapping may compute them on first use."""
    return {concept: tuple(entries) for concept in concepts if (entries := found.get(concept))}


def report_from(kept: Kept, content: Content, zone: tzinfo) -> Report | None:
    """The report of what was kept; None where it was judged by other content than this."""
    if kept.content != content.digest:
        return None
    facts = Facts(
        kept.patient,
        results=Results(
            unpacked(kept.results),
            content.terminology,
            ValueReader(content.terminology, content.units),
            zone,
        ),
        conditions=kept.conditions,
        procedures=kept.procedures,
        exposures=kept.exposures,
        unrecognised_drugs=kept.unrecognised_drugs,
        unrecognised=kept.unrecognised,
        totals=kept.totals,
        retrieval=kept.retrieval,
        whole_since=kept.whole_since,
        whole_concepts=kept.whole_concepts,
        problems=kept.problems,
    )
    asked = Evaluation.of(kept.on, zone)
    assessment = assess_facts(facts, content, asked, kept.trials)
    return report_of(assessment, facts, content, asked, trials=kept.trials, dated=kept.dated)
