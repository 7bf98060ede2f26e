"""One batch of patients: lines → records → determinations → files of the work folder."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from contextlib import contextmanager
from datetime import date
from functools import cached_property, lru_cache, reduce
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pyarrow.parquet as pq

from cds.assess import Content, assess_facts, load_content
from cds.cohort.fault import CohortFault
from cds.cohort.possible import Possible
from cds.cohort.reading import Reader, read_runs
from cds.cohort.scan import Reject
from cds.cohort.source import Form
from cds.cohort.tables import Rows
from cds.cohort.unrecognised import unknown_units, unrecognised
from cds.core.criterion import Criterion, Status
from cds.core.when import Evaluation
from cds.engine.evaluate import decide
from cds.fhir.facts import facts_from
from cds.fhir.record import (
    Record,
    UnusableInput,
    merge,
    record_from_bundle,
    record_from_resources,
)
from cds.fhir.retrieved import Coverage

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.cohort.plan import Batch, Patient
    from cds.core.facts import Facts


class Setup(msgspec.Struct, frozen=True):
    """What stays the same for every batch of a screening."""

    content_folders: tuple[str, ...]
    content: str
    trials: tuple[str, ...]
    on: date
    zone: str
    form: Form
    names: tuple[str, ...]
    paths: tuple[str, ...]
    coverage: dict[str, Coverage]
    folder: str


class Tally(msgspec.Struct, frozen=True):
    """What became of one batch; its file in the work folder says that the batch is finished."""

    batch: int
    patients: int
    deceased: int
    entries: dict[str, int]
    rejects: tuple[Reject, ...]


def write_setup(setup: Setup, folder: Path) -> str:
    """Write the setup where every process finds it; its name changes with what it says."""
    data = msgspec.json.encode(setup)
    path = folder / f"setup-{hashlib.sha256(data).hexdigest()[:16]}.json"
    path.write_bytes(data)
    return str(path)


def evaluate_batch(setup: str, batch: Batch) -> Tally:
    """Evaluate one batch as the setup in a file says."""
    return _evaluator(setup).run(batch)


@lru_cache(maxsize=1)
def _evaluator(setup: str) -> Evaluator:
    return Evaluator(msgspec.json.decode(Path(setup).read_bytes(), type=Setup))


class Evaluator:
    """Evaluates batches in one process. The content is loaded on first use."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._zone = ZoneInfo(setup.zone)
        self._asked = Evaluation.of(setup.on, self._zone)

    @cached_property
    def content(self) -> Content:
        """Trials and mappings.

        Raises:
            CohortFault: they are no longer those with which the screening began.
        """
        folders = [Path(folder) for folder in self.setup.content_folders]
        content = load_content(folders, only=self.setup.trials)
        if content.digest != self.setup.content:
            message = "trials or mappings were changed during the screening; run it again."
            raise CohortFault(message)
        return content

    @cached_property
    def _targets(self) -> tuple[Criterion, ...]:
        return tuple(
            next(one for one in trial.criteria if one.id == trial.target)
            for trial in self.content.trials
        )

    @cached_property
    def _looks_early(self) -> bool:
        """Whether the target diagnoses can be told from Conditions and Procedures alone.

        Most charts hold none of them; their results and medications then need not be read.
        """
        content = self.content
        if self.setup.form is Form.BUNDLES:
            return False
        concepts = {
            key
            for folder in content.folders
            for key in folder.concepts.get(folder.trial.target, frozenset())
        }
        found = [content.terminology.concepts.get(key) for key in concepts]
        return bool(found) and all(one is not None and one.domain == "finding" for one in found)

    @cached_property
    def _measured(self) -> tuple[str, ...]:
        """The concepts of the trials that results are read for."""
        used = {
            key for one in self.content.folders for keys in one.concepts.values() for key in keys
        }
        return tuple(sorted(key for key in used if self.content.terminology.analytes_of(key)))

    @cached_property
    def _possible(self) -> Possible:
        return Possible(self.content)

    def run(self, batch: Batch) -> Tally:
        """Evaluate a batch and write its rows; what it says last is that it is finished."""
        rows = Rows()
        tally = Counted()
        with _files(self.setup.paths) as read:
            waiting = self._evaluate(batch.patients, read, rows, tally, early=self._looks_early)
            self._evaluate(waiting, read, rows, tally, early=False)
        done = tally.finished(batch)
        self._write(rows, done)
        return done

    def _evaluate(
        self,
        patients: Sequence[Patient],
        read: Reader,
        rows: Rows,
        tally: Counted,
        *,
        early: bool,
    ) -> list[Patient]:
        """Evaluate patients, by their early lines only if `early`; who must be read in full."""
        waiting: list[Patient] = []
        wanted = [run for one in patients for run in one.runs if run.early or not early]
        lines = read_runs(wanted, read)
        for patient in patients:
            try:
                record = self._record(patient, lines)
            except UnusableInput as problem:
                name = self.setup.names[patient.runs[0].file]
                tally.rejects.append(Reject(name, None, str(problem), _named(patient.id)))
                continue
            facts = facts_from(record, self.content.terminology, self._zone, self.content.units)
            if early and not self._is_decided(facts):
                waiting.append(patient)
            else:
                self._add(record, facts, rows, tally)
        return waiting

    def _record(self, patient: Patient, lines: Mapping[tuple[int, int], bytes]) -> Record:
        places = [(run.file, run.start) for run in patient.runs]
        found = [lines[place] for place in places if place in lines]
        if self.setup.form is Form.BUNDLES:
            return reduce(merge, [record_from_bundle(data) for data in found])
        every = [line for run in found for line in run.split(b"\n") if line.strip()]
        return record_from_resources(every, self.setup.coverage)

    def _is_decided(self, facts: Facts) -> bool:
        """Whether nothing but the target diagnosis matters: it is missing, for every trial."""
        return facts.patient.deceased or all(
            decide(target, facts, self._asked).status is Status.FAIL for target in self._targets
        )

    def _add(self, record: Record, facts: Facts, rows: Rows, tally: Counted) -> None:
        content = self.content
        assessment = assess_facts(facts, content, self._asked)
        rows.add(assessment)
        unknown = unrecognised(record, facts, content.terminology)
        if any(one.target.status is not Status.FAIL for one in assessment.determinations):
            unknown.update(unknown_units(facts, self._measured))
        rows.add_unrecognised(unknown)
        rows.possible.extend(self._possible.rows(record, facts, assessment))
        tally.deceased += assessment.deceased
        tally.entries.update({kind: len(own) for kind, own in record.entries.items()})

    def _write(self, rows: Rows, tally: Tally) -> None:
        tables = {
            "determinations": rows.determinations(),
            "criteria": rows.criteria(),
            "names": rows.names(),
            "possible": rows.possible_targets(),
        }
        folder = Path(self.setup.folder)
        for name, table in tables.items():
            part = folder / f"{tally.batch:06}.{name}.{os.getpid()}.part"
            pq.write_table(table, part, compression="zstd")
            part.replace(folder / f"{tally.batch:06}.{name}.parquet")
        part = folder / f"{tally.batch:06}.{os.getpid()}.part"
        part.write_bytes(msgspec.json.encode(tally))
        part.replace(folder / f"{tally.batch:06}.done")


class Counted:
    """What is counted while a batch is evaluated."""

    def __init__(self) -> None:
        self.deceased = 0
        self.entries: Counter[str] = Counter()
        self.rejects: list[Reject] = []

    def finished(self, batch: Batch) -> Tally:
        """The counts of a whole batch."""
        return Tally(
            batch.number,
            len(batch.patients),
            self.deceased,
            dict(self.entries),
            tuple(self.rejects),
        )


def _named(patient: str) -> str | None:
    return None if patient.startswith("\0") else f"Patient/{patient}"


@contextmanager
def _files(paths: tuple[str, ...]) -> Iterator[Reader]:
    reader = Reader(paths)
    try:
        yield reader
    finally:
        reader.close()
