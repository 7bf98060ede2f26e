"""The source, read once: digests, unpacked files, and where each patient's lines lie."""

from __future__ import annotations

import hashlib
import shutil
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

import msgspec

from cds.cohort.scan import Piece, Reject, Scanned, pieces, scan, scan_bundle
from cds.cohort.source import Form, Source
from cds.cohort.stage import Staged, stage

if TYPE_CHECKING:
    from pathlib import Path

    from cds.cohort.order import Order
    from cds.cohort.progress import Progress
    from cds.cohort.source import InputFile
    from cds.cohort.workers import Workers

SCAN = "scan"
_KEPT = frozenset({"lock", "staged"})


class Inputs(msgspec.Struct, frozen=True):
    """What was found out about the source. `lines` has one number for each file.

    `anybodys`: a Bundle cannot be read, and may be any patient's. `ending_early`: numbers of the
    files that end in the middle of a line.
    """

    source: Source
    staged: tuple[Staged, ...]
    lines: tuple[int, ...]
    kinds: dict[str, int]
    rejects: tuple[Reject, ...]
    errors: int
    anybodys: bool = False
    ending_early: frozenset[int] = frozenset()

    @property
    def cut(self) -> frozenset[str | None]:
        """The types of the files that end early; None for a file of unknown type."""
        files = enumerate(zip(self.source.files, self.staged, strict=True))
        return frozenset(
            file.kind
            for number, (file, staged) in files
            if staged.cut or number in self.ending_early
        )


def read_inputs(
    order: Order, source: Source, work: Path, workers: Workers, progress: Progress
) -> Inputs:
    """Digest, unpack and scan the source, or take up what an interrupted run had done.

    Whatever an earlier run with another source or another order left in `work` is removed.
    """
    staged = _stage_all(source, work, workers, progress)
    names = [(file.name, one.sha256) for file, one in zip(source.files, staged, strict=True)]
    said = msgspec.json.encode([order.decides(), names, source.not_read])
    key = hashlib.sha256(said).hexdigest()
    kept = work / f"inputs-{key}.json"
    if kept.exists():
        return msgspec.json.decode(kept.read_bytes(), type=Inputs)
    for path in work.iterdir():
        if path.name not in _KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    (work / SCAN).mkdir()
    inputs = _scan_all(source, staged, work / SCAN, workers, progress)
    part = kept.with_suffix(".part")
    part.write_bytes(msgspec.json.encode(inputs))
    part.replace(kept)
    return inputs


def _stage_all(
    source: Source, work: Path, workers: Workers, progress: Progress
) -> tuple[Staged, ...]:
    folder = work / "staged"
    folder.mkdir(exist_ok=True)
    advance = progress.step("reading files", len(source.files))
    found: dict[int, Staged] = {}
    for number, staged in workers.map(partial(_stage, str(folder)), enumerate(source.files)):
        found[number] = staged
        advance(1)
    return tuple(found[number] for number in range(len(source.files)))


def _stage(folder: str, job: tuple[int, InputFile]) -> tuple[int, Staged]:
    number, file = job
    return number, stage(file, folder, number)


def _scan_all(
    source: Source, staged: tuple[Staged, ...], folder: Path, workers: Workers, progress: Progress
) -> Inputs:
    jobs: list[Piece] = []
    for number, one in enumerate(staged):
        if source.form is Form.BUNDLES:
            jobs.append(Piece(len(jobs), number, one.path, 0, one.size))
        else:
            jobs += pieces(number, one.path, one.size, len(jobs))
    advance = progress.step("finding patients", len(jobs))
    task = scan_bundle if source.form is Form.BUNDLES else scan
    found: dict[int, Scanned] = {}
    for scanned in workers.map(partial(task, folder=str(folder)), jobs):
        found[scanned.number] = scanned
        advance(1)
    return _joined(source, staged, jobs, found)


def _joined(
    source: Source, staged: tuple[Staged, ...], jobs: list[Piece], found: dict[int, Scanned]
) -> Inputs:
    """Put the pieces together; line numbers are counted from the begin of each file."""
    lines = [0] * len(source.files)
    kinds: Counter[str] = Counter()
    rejects: list[Reject] = []
    errors = 0
    for piece in jobs:
        scanned = found[piece.number]
        name = source.files[piece.file].name
        before = lines[piece.file]
        rejects += [
            msgspec.structs.replace(one, file=name, line=before + (one.line or 0))
            for one in scanned.rejects
        ]
        lines[piece.file] += scanned.lines
        kinds.update(scanned.kinds)
        errors += scanned.errors
    for file, one in zip(source.files, staged, strict=True):
        if one.cut:
            rejects.append(Reject(file.name, None, "the compressed file is damaged or ends early"))
    return Inputs(
        source,
        staged,
        tuple(lines),
        dict(sorted(kinds.items())),
        tuple(rejects),
        errors,
        anybodys=any(scanned.anybodys for scanned in found.values()),
        ending_early=frozenset(piece.file for piece in jobs if found[piece.number].cut),
    )
