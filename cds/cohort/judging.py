"""One chart after the other: record → facts → rows, and what is counted on the way."""

from __future__ import annotations

from collections import Counter
from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from cds.assess import Content, assess_facts
from cds.cohort.glance import Glance, Look
from cds.cohort.possible import Possible
from cds.cohort.remembering import RememberingReader
from cds.cohort.scan import Reject
from cds.cohort.tables import Rows
from cds.cohort.unrecognised import unknown_units, unrecognised
from cds.core.criterion import Status
from cds.engine.evaluate import decide_target
from cds.fhir.facts import facts_from
from cds.fhir.record import UnusableInput, record_from_resources

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from cds.cohort.research import Row
    from cds.core.facts import Facts
    from cds.core.when import Evaluation
    from cds.fhir.record import Record
    from cds.fhir.retrieved import Coverage


class Tally(msgspec.Struct, frozen=True):
    """What became of one batch; its file in the work folder says that the batch is finished.

    `rejects` are patients who could not be read, `unread` further files of some patient.
    """

    batch: int
    patients: int
    deceased: int
    entries: dict[str, int]
    rejects: tuple[Reject, ...]
    unread: tuple[Reject, ...] = ()


class Found:
    """What some charts came to."""

    def __init__(self) -> None:
        self.rows = Rows()
        self.deceased = 0
        self.entries: Counter[str] = Counter()
        self.rejects: list[Reject] = []
        self.unread: list[Reject] = []
        self.research: list[Row] = []

    def tally(self, batch: int, patients: int) -> Tally:
        """The counts."""
        return Tally(
            batch,
            patients,
            self.deceased,
            dict(self.entries),
            tuple(self.rejects),
            tuple(self.unread),
        )


class Judge:
    """Evaluates charts with some content, for one day.

    `coverage`: how the resource types of the export were read.
    """

    def __init__(
        self, content: Content, asked: Evaluation, coverage: Mapping[str, Coverage]
    ) -> None:
        self.content = content
        self._asked = asked
        self._reader = RememberingReader(content.terminology, content.units)
        self._coverage = coverage
        self._possible = Possible(content)
        self._glance = Glance(content, asked, self._possible, coverage)

    def glance(self, patient: str, lines: Sequence[bytes], found: Found) -> bool:
        """Add the rows of a chart of which little tells that it concerns no trial.

        `lines` are those that may show a target diagnosis. False, and nothing is added, if more
        must be read.
        """
        seen = self._glance.at(patient, lines)
        if isinstance(seen, Look):
            return seen is Look.EARLY and self._settle(lines, found)
        found.rows.add(f"Patient/{patient}", seen.determinations)
        found.rows.add_unrecognised(seen.unrecognised)
        for kind, count in seen.entries.items():
            found.entries[kind] += count
        return True

    @property
    def glances(self) -> bool:
        """Whether the target diagnoses can be told from Conditions alone.

        Most charts hold none of them; their results and medications then need not be read.
        """
        return self._glance.suffices

    def _settle(self, lines: Sequence[bytes], found: Found) -> bool:
        """Add the rows of a patient who is dead, or whose diagnoses, read properly, are no target.

        False, and nothing is added, for everybody else.
        """
        try:
            record = record_from_resources(lines, self._coverage)
        except UnusableInput:
            return False  # reading all of the chart says so again, to who keeps the rejects
        facts = self._facts(record)
        heads = () if facts.patient.deceased else self.content.heads
        targets = (decide_target(head, facts, self._asked) for head in heads)
        if any(target.status is not Status.FAIL for target in targets):
            return False
        self._add(record, facts, found)
        return True

    def add(self, record: Record, found: Found) -> None:
        """Add the rows of one chart that was read in full."""
        self._add(record, self._facts(record), found)

    def _facts(self, record: Record) -> Facts:
        content = self.content
        return facts_from(
            record, content.terminology, self._asked.zone, content.units, self._reader
        )

    def _add(self, record: Record, facts: Facts, found: Found) -> None:
        content = self.content
        assessment = assess_facts(facts, content, self._asked)
        found.rows.add(assessment.patient, assessment.determinations)
        unknown = unrecognised(record, facts, content.terminology)
        if any(one.target.status is not Status.FAIL for one in assessment.determinations):
            unknown.update(unknown_units(facts.results, self._measured))
        found.rows.add_unrecognised(unknown)
        found.rows.possible.extend(self._possible.rows(record, facts, assessment))
        found.deceased += assessment.deceased
        found.entries.update({kind: len(own) for kind, own in record.entries.items()})

    @cached_property
    def _measured(self) -> tuple[str, ...]:
        """The concepts of the trials that results are read for."""
        used = {
            key for one in self.content.folders for keys in one.concepts.values() for key in keys
        }
        return tuple(sorted(key for key in used if self.content.terminology.analytes_of(key)))
