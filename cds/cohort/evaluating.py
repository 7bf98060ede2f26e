"""One batch of patients: lines → records → determinations → files of the work folder."""

from __future__ import annotations

import hashlib
import os
from contextlib import contextmanager
from datetime import date
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import msgspec
import pyarrow.parquet as pq

from cds.assess import Content, load_content
from cds.cohort.bundles import BOM, record_of
from cds.cohort.fault import CohortFault
from cds.cohort.judging import Found, Judge, Tally
from cds.cohort.plan import unpack
from cds.cohort.reading import Reader, read_runs
from cds.cohort.research import said_in
from cds.cohort.research import table as research_table
from cds.cohort.scan import Reject
from cds.cohort.source import Form
from cds.cohort.tables import write_arrow
from cds.core.when import Evaluation
from cds.fhir.record import Record, UnusableInput, record_from_resources
from cds.fhir.retrieved import Coverage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cds.cohort.plan import Batch, Patient


_TOGETHER = 16
"""Patients whose lines are read together: few enough for the processor to have them at hand when
they are evaluated, enough for neighbours to be read in one go."""


class Setup(msgspec.Struct, frozen=True):
    """What stays the same for every batch of a screening. `cut`: numbers of damaged files."""

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
    refusal_flags: tuple[str, ...] = ()
    cut: frozenset[int] = frozenset()


def write_setup(setup: Setup, folder: Path) -> str:
    """Write the setup where every process finds it; its name changes with what it says."""
    data = msgspec.json.encode(setup)
    path = folder / f"setup-{hashlib.sha256(data).hexdigest()[:16]}.json"
    path.write_bytes(data)
    return str(path)


_held: Content | None = None
"""What this process, or the one that it was forked from, has read of trials and mappings."""


@contextmanager
def held(content: Content | None) -> Iterator[None]:
    """Evaluate with content that is read already, here and in processes that are forked now."""
    global _held  # noqa: PLW0603 - a forked process has nothing else from before its begin
    _held = content
    try:
        yield
    finally:
        _held = None
        _evaluator.cache_clear()


def evaluate_batch(setup: str, packed: bytes) -> Tally:
    """Evaluate one batch of a plan as the setup in a file says."""
    return _evaluator(setup).run(unpack(packed))


@lru_cache(maxsize=1)
def _evaluator(setup: str) -> Evaluator:
    return Evaluator(msgspec.json.decode(Path(setup).read_bytes(), type=Setup))


class Evaluator:
    """Evaluates batches in one process. Content that is not held is loaded on first use."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._asked = Evaluation.of(setup.on, ZoneInfo(setup.zone))

    @cached_property
    def content(self) -> Content:
        """Trials and mappings.

        Raises:
            CohortFault: they are no longer those with which the screening began.
        """
        if _held is not None:
            return _held
        folders = [Path(folder) for folder in self.setup.content_folders]
        content = load_content(folders, only=self.setup.trials)
        if content.digest != self.setup.content:
            message = "trials or mappings were changed during the screening; run it again."
            raise CohortFault(message)
        return content

    @cached_property
    def _judge(self) -> Judge:
        return Judge(self.content, self._asked, self.setup.coverage)

    def run(self, batch: Batch) -> Tally:
        """Evaluate a batch and write its rows; what it says last is that it is finished."""
        found = Found()
        glances = self._judge.glances and self.setup.form is not Form.BUNDLES
        with _files(self.setup.paths) as read:
            for first in range(0, len(batch.patients), _TOGETHER):
                some = batch.patients[first : first + _TOGETHER]
                self._evaluate(self._glance(some, read, found) if glances else some, read, found)
        tally = found.tally(batch.number, len(batch.patients))
        self._write(found, tally)
        return tally

    def _glance(
        self, patients: Sequence[Patient], read: Reader, found: Found
    ) -> tuple[Patient, ...]:
        """Look at what may show a target diagnosis; the patients who must be read in full."""
        lines = read_runs((run for one in patients for run in one.runs if run.early), read)
        return tuple(
            patient
            for patient in patients
            if not self._judge.glance(patient.id, self._lines(patient, lines), found)
        )

    def _evaluate(self, patients: Sequence[Patient], read: Reader, found: Found) -> None:
        """Evaluate patients by everything that the export has of them."""
        lines = read_runs((run for one in patients for run in one.runs), read)
        for patient in patients:
            own = self._lines(patient, lines)
            record = self._record(patient, own, found)
            if record is None:
                continue
            self._judge.add(record, found)
            if self.setup.form is Form.BUNDLES:
                flags = self.setup.refusal_flags
                found.research += said_in(own, record.patient_id, self.setup.on, flags)

    def _lines(self, patient: Patient, lines: Mapping[tuple[int, int], bytes]) -> list[bytes]:
        """The lines of a patient, or their Bundles, as far as they were read."""
        places = [(run.file, run.start) for run in patient.runs]
        runs = [lines[place] for place in places if place in lines]
        if self.setup.form is Form.BUNDLES:
            return [data.removeprefix(BOM) for data in runs]
        # A run has no blank line: one ends it. Only behind its last line end there is nothing.
        return [line for run in runs for line in run.split(b"\n") if line]

    def _record(self, patient: Patient, lines: list[bytes], found: Found) -> Record | None:
        """The record of a patient; None, and they are rejected, if nothing of it can be read."""
        if self.setup.form is Form.BUNDLES:
            return self._record_of_bundles(patient, lines, found)
        try:
            return record_from_resources(lines, self.setup.coverage)
        except UnusableInput as problem:
            found.rejects.append(self._reject(patient, 0, str(problem)))
            return None

    def _record_of_bundles(
        self, patient: Patient, documents: list[bytes], found: Found
    ) -> Record | None:
        cut = [place for place, run in enumerate(patient.runs) if run.file in self.setup.cut]
        record, unread = record_of(documents, cut, self.setup.coverage)
        if record is None:
            found.rejects.append(self._reject(patient, *unread[0]))
            unread = unread[1:]
        # Of a file that was damaged when it was unpacked the rejects say so already.
        more = [self._reject(patient, *one) for one in unread if one.place not in cut]
        found.unread.extend(more)
        return record

    def _reject(self, patient: Patient, place: int, says: str) -> Reject:
        return Reject(self.setup.names[patient.runs[place].file], None, says, _named(patient.id))

    def _write(self, found: Found, tally: Tally) -> None:
        folder = Path(self.setup.folder)
        _write_parts(found, folder, f"{tally.batch:06}")
        done = msgspec.json.encode(tally)
        _replace(folder / f"{tally.batch:06}.done", lambda part: part.write_bytes(done))


def write_empty(folder: Path) -> None:
    """Write parts of all tables without a row: batches leave out what they have none of."""
    _write_parts(Found(), folder, _NONE)


_NONE = "none"


def _write_parts(found: Found, folder: Path, name: str) -> None:
    """Write the rows of a batch: criteria for Arrow, which joins them, the others for DuckDB."""
    rows = found.rows
    tables = {
        "determinations": rows.determinations(),
        "names": rows.names(),
        "possible": rows.possible_targets(),
        "research": research_table(found.research),
    }
    for kind, table in tables.items():
        if table.num_rows or name == _NONE:
            _replace(folder / f"{name}.{kind}.parquet", partial(pq.write_table, table))
    _replace(folder / f"{name}.criteria.arrow", partial(write_arrow, rows.criteria()))


def _replace(target: Path, write: Callable[[Path], object]) -> None:
    """Write a file whole or not at all."""
    part = target.with_name(f"{target.name}.{os.getpid()}.part")
    write(part)
    part.replace(target)


def _named(patient: str) -> str | None:
    return None if patient.startswith("\0") else f"Patient/{patient}"


@contextmanager
def _files(paths: tuple[str, ...]) -> Iterator[Reader]:
    reader = Reader(paths)
    try:
        yield reader
    finally:
        reader.close()
