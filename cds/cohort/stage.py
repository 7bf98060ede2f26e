"""Files that must be unpacked before their lines can be found again: gzip and Parquet."""

from __future__ import annotations

import gzip
import hashlib
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb
import msgspec

from cds.cohort.fault import CohortFault

if TYPE_CHECKING:
    from cds.cohort.source import InputFile


_BLOCK = 1 << 20


class Staged(msgspec.Struct, frozen=True):
    """One input file as it is read: where its plain text lies, and what the file itself is.

    `cut`: the compressed file ends early or is damaged; what came before is read.
    """

    path: str
    size: int
    sha256: str
    cut: bool = False


def stage(file: InputFile, folder: str, number: int) -> Staged:
    """Digest one file, and unpack it into `folder` if it is compressed or Parquet.

    Raises:
        CohortFault: it cannot be opened, or is no Parquet though it says so.
    """
    try:
        digest = _digest(file.path)
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        message = f"SOURCE: '{file.name}' cannot be read: {why}."
        raise CohortFault(message) from None
    if file.name.endswith(".gz"):
        target = Path(folder) / f"{number:06}.text"
        cut = _unpack(file.path, target)
        return Staged(str(target), target.stat().st_size, digest, cut)
    if file.path.endswith(".parquet"):
        target = Path(folder) / f"{number:06}.text"
        try:
            _rows_as_lines(file, target)
        except duckdb.IOException:  # DuckDB says so of both
            message = f"SOURCE: '{file.name}' is damaged, or the disk of --out is full."
            raise CohortFault(message) from None
        except duckdb.Error:
            message = f"SOURCE: '{file.name}' cannot be read as Parquet; export it anew."
            raise CohortFault(message) from None
        return Staged(str(target), target.stat().st_size, digest)
    return Staged(file.path, file.size, digest)


def _digest(path: str) -> str:
    with Path(path).open("rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()


def _unpack(path: str, target: Path) -> bool:
    """Unpack gzip; true if the file is damaged."""
    with gzip.open(path, "rb") as packed, target.open("wb") as plain:
        try:
            # One piece after the other: `read` would lose what precedes the fault.
            while piece := packed.read1(_BLOCK):
                plain.write(piece)
        except (EOFError, OSError, zlib.error):
            return True
    return False


_AS_JSON = ("resource_json", "resource", "json", "raw", "value")
"""Names of a text column that holds whole resources as JSON."""


def _rows_as_lines(file: InputFile, target: Path) -> None:
    """Each row as a line of JSON: the text column that holds it, else the columns themselves."""
    with duckdb.connect(config={"threads": 1, "memory_limit": "256MB"}) as base:
        source = f"read_parquet({quoted(file.path)})"
        described = base.execute(f"describe from {source}").fetchall()
        columns = {str(name): str(kind) for name, kind, *_ in described}
        texts = [name for name in _AS_JSON if columns.get(name) in {"VARCHAR", "JSON"}]
        if texts:
            line = f'"{texts[0]}"'
        elif "resourceType" in columns or file.kind is None:
            line = "to_json(t)::varchar"
        else:
            named = quoted(msgspec.json.encode({"resourceType": file.kind}).decode())
            line = f"json_merge_patch(to_json(t), {named})::varchar"
        # Text as it stands: JSON escapes line ends and the separator, so that neither occurs.
        base.execute(
            f"copy (select {line} from {source} t) to {quoted(str(target))} "  # noqa: S608
            "(format csv, header false, quote '', escape '', delimiter E'\\x01')"
        )


def quoted(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"
