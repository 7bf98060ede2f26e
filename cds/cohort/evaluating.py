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
from cds.cohort.scan import Reject
from cds.cohort.source import Form
from cds.cohort.tables import Rows
from cds.cohort.unrecognised import unknown_units, unrecognised
from cds.core.criterion import Status
from cds.core.when import Evaluation
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
    from collections.abc import Iterator, Mapping

    from cds.cohort.plan import Batch, Patient
_GAP = 64 << 10
"""Bytes between two runs that are read along rather than skipped."""
_OPEN_FILES = 64


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
        rejects: list[Reject] = []
        entries: Counter[str] = Counter()
        deceased = 0
        with _files(self.setup.paths) as read:
            lines = _runs(batch, read)
            for patient in batch.patients:
                try:
                    record = self._record(patient, lines)
                except UnusableInput as problem:
                    name = self.setup.names[patient.runs[0][0]]
                    rejects.append(Reject(name, None, str(problem), _named(patient.id)))
                    continue
                deceased += self._evaluate(record, rows)
                entries.update({kind: len(own) for kind, own in record.entries.items()})
        tally = Tally(batch.number, len(batch.patients), deceased, dict(entries), tuple(rejects))
        self._write(rows, tally)
        return tally

    def _record(self, patient: Patient, lines: Mapping[tuple[int, int], bytes]) -> Record:
        found = [lines[file, start] for file, start, _ in patient.runs]
        if self.setup.form is Form.BUNDLES:
            return reduce(merge, [record_from_bundle(data) for data in found])
        every = [line for run in found for line in run.split(b"\n") if line.strip()]
        return record_from_resources(every, self.setup.coverage)

    def _evaluate(self, record: Record, rows: Rows) -> bool:
        """Add one patient's rows; true if the patient is deceased."""
        content = self.content
        facts = facts_from(record, content.terminology, self._zone, content.units)
        assessment = assess_facts(facts, content, self._asked)
        rows.add(assessment)
        unknown = unrecognised(record, facts, content.terminology)
        if any(one.target.status is not Status.FAIL for one in assessment.determinations):
            unknown.update(unknown_units(facts, self._measured))
        rows.add_unrecognised(unknown)
        rows.possible.extend(self._possible.rows(record, facts, assessment))
        return assessment.deceased

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


def _named(patient: str) -> str | None:
    return None if patient.startswith("\0") else f"Patient/{patient}"


def _runs(batch: Batch, read: _Reader) -> dict[tuple[int, int], bytes]:
    """The bytes of every run, by file and place; neighbours are read in one go."""
    wanted = sorted({run for patient in batch.patients for run in patient.runs})
    found: dict[tuple[int, int], bytes] = {}
    group: list[tuple[int, int, int]] = []
    for run in wanted:
        if group and (run[0] != group[0][0] or run[1] - (group[-1][1] + group[-1][2]) > _GAP):
            _read_group(group, read, found)
            group = []
        group.append(run)
    if group:
        _read_group(group, read, found)
    return found


def _read_group(
    group: list[tuple[int, int, int]], read: _Reader, found: dict[tuple[int, int], bytes]
) -> None:
    file, first, _ = group[0]
    data = read(file, first, group[-1][1] + group[-1][2] - first)
    for _, start, length in group:
        found[file, start] = data[start - first : start - first + length]


class _Reader:
    """Reads pieces of the input files; keeps some of them open."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._open: dict[int, int] = {}

    def __call__(self, file: int, start: int, length: int) -> bytes:
        """Some bytes of a file by its number."""
        handle = self._open.get(file)
        if handle is None:
            if len(self._open) >= _OPEN_FILES:
                os.close(self._open.pop(next(iter(self._open))))
            handle = self._open[file] = os.open(self._paths[file], os.O_RDONLY)
        return os.pread(handle, length, start)

    def close(self) -> None:
        """Close every file."""
        while self._open:
            os.close(self._open.popitem()[1])


@contextmanager
def _files(paths: tuple[str, ...]) -> Iterator[_Reader]:
    reader = _Reader(paths)
    try:
        yield reader
    finally:
        reader.close()
