"""Tab-separated tables of the mapping files: comments first, one header line, then rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class TableFile:
    """One table. `name` is the path below the content folder, `shown` the path for faults.

    `first` is the line number of `lines[0]`, the first row after the header.
    """

    name: str
    shown: str
    header: tuple[str, ...]
    first: int
    lines: tuple[str, ...]

    def rows(self, faults: list[Fault]) -> Iterator[tuple[int, list[str]]]:
        """Each row as (line number, cells); a row of the wrong width is a fault and left out."""
        width = len(self.header)
        for number, line in enumerate(self.lines, self.first):
            if not line or line.startswith("#"):
                continue
            cells = line.split("\t")
            if len(cells) == width:
                yield number, cells
            else:
                says = f"The row has {len(cells)} columns, its header has {width}."
                faults.append(Fault(self.shown, number, says, "Separate the cells by single tabs."))


def read_table(
    path: Path, name: str, header: Sequence[str], data: bytes, faults: list[Fault]
) -> TableFile | None:
    """The table in `data`, or None after noting why it cannot be read."""
    shown = str(path)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError:
        faults.append(Fault(shown, 1, "The file is not UTF-8.", "Save it as UTF-8."))
        return None
    lines = text.splitlines()
    start = next((n for n, line in enumerate(lines) if line and not line.startswith("#")), None)
    if start is None:
        faults.append(Fault(shown, 1, "The file has no header line.", _cure(header)))
        return None
    if tuple(lines[start].split("\t")) != tuple(header):
        faults.append(Fault(shown, start + 1, "The header is not the expected one.", _cure(header)))
        return None
    return TableFile(name, shown, tuple(header), start + 2, tuple(lines[start + 1 :]))


def _cure(header: Sequence[str]) -> str:
    return f"Write the columns {', '.join(header)}, separated by tabs."
