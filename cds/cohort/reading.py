"""Pieces of many files, in as few reads as it takes."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cds.cohort.plan import Run

_GAP = 64 << 10
"""Bytes between two runs that are read along rather than skipped."""

_OPEN_FILES = 64


class Reader:
    """Reads pieces of the input files, by the number of the file; keeps some of them open."""

    def __init__(self, paths: tuple[str, ...]) -> None:
        self._paths = paths
        self._open: dict[int, int] = {}

    def read(self, file: int, start: int, length: int) -> bytes:
        """Some bytes of a file."""
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


def read_runs(wanted: Iterable[Run], reader: Reader) -> dict[tuple[int, int], bytes]:
    """The bytes of every run, by file and place; neighbours are read in one go."""
    found: dict[tuple[int, int], bytes] = {}
    group: list[Run] = []
    end = 0
    for run in sorted(set(wanted)):
        if group and (run.file != group[0].file or run.start - end > _GAP):
            _read_group(group, end, reader, found)
            group = []
        group.append(run)
        end = run.start + run.length
    if group:
        _read_group(group, end, reader, found)
    return found


def _read_group(
    group: list[Run], end: int, reader: Reader, found: dict[tuple[int, int], bytes]
) -> None:
    file, first, *_ = group[0]
    data = reader.read(file, first, end - first)
    for _, start, length, _ in group:
        found[file, start] = data[start - first : start - first + length]
