"""Where each patient's resources lie: one pass over the lines, in pieces that cores share."""

from __future__ import annotations

from collections import Counter
from operator import sub
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from cds.cohort.blocks import BLOCK, PlainBlock, blocks, plain_block
from cds.cohort.bundles import belongs
from cds.cohort.lines import Line, read_line
from cds.cohort.source import RESEARCH_TYPES
from cds.fhir.collecting import reports_error
from cds.fhir.resources import OperationOutcome

if TYPE_CHECKING:
    from typing import BinaryIO

PIECE = 32 << 20
"""Bytes of a file that one task scans."""
LATE = frozenset(
    {"Observation", "MedicationRequest", "MedicationStatement", "MedicationAdministration"}
)
"""Types that no target diagnosis needs, and of which there are most."""

_BOM = b"\xef\xbb\xbf"
_KEPT = 10_000
"""Characters of a rejected line that are kept."""


class Piece(msgspec.Struct, frozen=True):
    """The lines of one file that begin at `start` or later and before `end`."""

    number: int
    file: int
    path: str
    start: int
    end: int


class Reject(msgspec.Struct, frozen=True):
    """Something that could not be used. `line` is None where it concerns a whole file."""

    file: str
    line: int | None
    says: str
    text: str | None = None


class Scanned(msgspec.Struct, frozen=True):
    """What one piece held. `rejects` carry line numbers within the piece, and no file name yet.

    `anybodys`: it is a Bundle that cannot be read, and may be any patient's. `cut`: the file ends
    in the middle of a line.
    """

    number: int
    lines: int
    kinds: dict[str, int]
    rejects: tuple[Reject, ...]
    errors: int
    anybodys: bool = False
    cut: bool = False


def pieces(file: int, path: str, size: int, first: int) -> list[Piece]:
    """Cut one file into pieces, numbered from `first`; an empty file is one empty piece."""
    starts = range(0, max(size, 1), PIECE)
    return [
        Piece(first + index, file, path, start, min(start + PIECE, size))
        for index, start in enumerate(starts)
    ]


class _Found:
    """The index of one piece while it is made.

    A run is lines of one patient that follow one another in a file. Early runs are read for every
    patient, the others only for those whose target diagnosis does not rule them out already.
    """

    def __init__(self, file: int) -> None:
        self.file = file
        self.patients: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.lines: list[int] = []
        self.persons: list[bool] = []
        self.early: list[bool] = []
        self.products: list[tuple[str, int, int]] = []
        self.needs: dict[tuple[str, str], None] = {}
        self.parts: dict[tuple[str, str], None] = {}
        self.research: list[tuple[str, str | None, bytes]] = []
        self._patient: str | None = None
        self._end = -1

    def add(self, line: Line, start: int, length: int) -> None:
        """Note where a line lies."""
        patient = line.patient
        if patient is None:
            if line.product is not None:
                self.products.append((line.product, start, length))
                for part in line.refers:
                    self.parts[line.product, part] = None
            return
        for product in line.refers:
            self.needs[patient, product] = None
        early = line.kind not in LATE or line.broken != ""
        self._add_run(patient, (start, length, 1), person=line.kind == "Patient", early=early)

    def add_block(self, block: PlainBlock, start: int) -> None:
        """Note where the lines of a plain block lie."""
        person, early = block.kind == "Patient", block.kind not in LATE
        for patient, place, length, lines in block.runs:
            self._add_run(patient, (start + place, length, lines), person=person, early=early)
        self.needs.update(dict.fromkeys(block.needs))

    def _add_run(
        self, patient: str, run: tuple[int, int, int], *, person: bool, early: bool
    ) -> None:
        """Note lines of one patient: where they start, how long they are, how many they are."""
        start, length, lines = run
        if patient == self._patient and start == self._end and early == self.early[-1]:
            self.ends[-1] = start + length
            self.lines[-1] += lines
            self.persons[-1] = self.persons[-1] or person
        else:
            self.patients.append(patient)
            self.starts.append(start)
            self.ends.append(start + length)
            self.lines.append(lines)
            self.persons.append(person)
            self.early.append(early)
        self._patient, self._end = patient, start + length


def scan(piece: Piece, folder: str) -> Scanned:
    """Index one piece into Parquet files in `folder`."""
    seen = _Seen(piece.file)
    with Path(piece.path).open("rb", BLOCK) as data:
        first, end = _line_from(data, piece.start), _line_from(data, piece.end)
        for start, lines in blocks(data, first, end):
            seen.add(lines, start)
    _write(seen.found, piece.number, Path(folder))
    return Scanned(
        piece.number,
        seen.lines,
        dict(seen.kinds),
        tuple(seen.rejects),
        seen.errors,
        cut=seen.cut,
    )


class _Seen:
    """What was found in a piece so far."""

    def __init__(self, file: int) -> None:
        self.found = _Found(file)
        self.lines = 0
        self.kinds: Counter[str] = Counter()
        self.rejects: list[Reject] = []
        self.errors = 0
        self.cut = False

    def add(self, lines: list[bytes], start: int) -> None:
        """Add lines that follow one another; `start` is where the first lies."""
        plain = plain_block(lines)
        if plain is not None:
            self.lines += plain.lines
            self.kinds[plain.kind] += plain.lines
            self.found.add_block(plain, start)
            return
        for line in lines:
            self.lines += 1
            if not line.isspace():
                self._add_line(line, start)
            start += len(line)

    def _add_line(self, data: bytes, start: int) -> None:
        line = read_line(data)
        kind = line.kind
        if kind is not None:
            self.kinds[kind] += 1
        if line.broken:
            text = data.decode("utf-8", "replace").rstrip("\r\n")[:_KEPT]
            self.rejects.append(Reject("", self.lines, line.broken, text))
            # Only the last line of a file has no end; one that is broken too was not written whole.
            self.cut = self.cut or (kind is None and not data.endswith(b"\n"))
        if kind in RESEARCH_TYPES:
            self.found.research.append((kind, line.concerns, data.strip()))
        elif kind == "OperationOutcome":
            self.errors += reports_error(OperationOutcome(issue=line.issue))
        else:
            self.found.add(line, start, len(data))


def scan_bundle(piece: Piece, folder: str) -> Scanned:
    """Index one file that holds a Bundle: whose it is, as far as it says."""
    found = _Found(piece.file)
    whose = belongs(Path(piece.path).read_bytes())
    # Where it names nobody, it stands for itself.
    found.add(Line("Patient", whose.patient or f"\0{piece.file}"), 0, piece.end)
    _write(found, piece.number, Path(folder))
    return Scanned(piece.number, 1, {"Bundle": 1}, (), 0, whose.anybodys)


def _line_from(data: BinaryIO, place: int) -> int:
    """Where the first line begins that does not begin before `place`."""
    if place:
        data.seek(place - 1)
        return place - 1 + len(data.readline())
    data.seek(0)
    return len(_BOM) if data.read(len(_BOM)) == _BOM else 0


def _write(found: _Found, number: int, folder: Path) -> None:
    """Write the index of one piece; what is empty, for its columns' sake, only of the first."""
    lengths = list(map(sub, found.ends, found.starts))
    tables = {
        "runs": pa.table(
            {
                "patient": pa.array(found.patients, pa.string()),
                "file": pa.array([found.file] * len(lengths), pa.int32()),
                "start": pa.array(found.starts, pa.int64()),
                "length": pa.array(lengths, pa.int64()),
                "lines": pa.array(found.lines, pa.int64()),
                "person": pa.array(found.persons, pa.bool_()),
                "early": pa.array(found.early, pa.bool_()),
            }
        ),
        "products": pa.table(
            {
                "product": pa.array([one[0] for one in found.products], pa.string()),
                "file": pa.array([found.file] * len(found.products), pa.int32()),
                "start": pa.array([one[1] for one in found.products], pa.int64()),
                "length": pa.array([one[2] for one in found.products], pa.int64()),
            }
        ),
        "needs": _pairs(found.needs, "patient"),
        "parts": _pairs(found.parts, "whole"),
        "research": pa.table(
            {
                "kind": pa.array([one[0] for one in found.research], pa.string()),
                "patient": pa.array([one[1] for one in found.research], pa.string()),
                "line": pa.array([one[2] for one in found.research], pa.binary()),
            }
        ),
    }
    for name, table in tables.items():
        if table.num_rows or number == 0:
            pq.write_table(table, folder / f"{number:06}.{name}.parquet", compression="none")


def _pairs(pairs: dict[tuple[str, str], None], first: str) -> pa.Table:
    return pa.table(
        {
            first: pa.array([pair[0] for pair in pairs], pa.string()),
            "product": pa.array([pair[1] for pair in pairs], pa.string()),
        }
    )
