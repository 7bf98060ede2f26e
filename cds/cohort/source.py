"""What lies in a source folder: an export as NDJSON or Parquet, or one Bundle for each patient."""

from __future__ import annotations

import gzip
import re
import zlib
from enum import Enum
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cds.cohort.asked import Asked, read_asked
from cds.cohort.fault import CohortFault
from cds.fhir.retrieved import KINDS

if TYPE_CHECKING:
    from collections.abc import Iterable

NEEDED_TYPES = frozenset({"Patient", "Medication", "OperationOutcome", *KINDS.values()})
"""The resource types that are read from an export."""

RESEARCH_TYPES = frozenset({"ResearchSubject", "ResearchStudy", "Consent", "Flag"})
"""The types that decide no criterion, but say who refuses research or has joined a trial."""

READ_TYPES = NEEDED_TYPES | RESEARCH_TYPES

_TYPE_NAME = re.compile(r"(?<![A-Za-z])([A-Z][A-Za-z]+)(?![A-Za-z])")
_LINES = (".ndjson", ".ndjson.gz", ".jsonl", ".jsonl.gz")
_BUNDLES = (".json", ".json.gz")
_LOOKED_AT = 50
"""Lines of a file with no telling name that are looked at."""

_ERROR_FOLDERS = ("error", "errors")


class Form(Enum):
    """How the charts are written down."""

    NDJSON = "ndjson"
    BUNDLES = "bundles"
    PARQUET = "parquet"


class InputFile(msgspec.Struct, frozen=True):
    """One file of the source. `kind`: the resource type its name says, None if it says none."""

    name: str
    path: str
    size: int
    kind: str | None = None


class Source(msgspec.Struct, frozen=True):
    """The files that are read, sorted by name; those that are not; what the manifest says."""

    form: Form
    files: tuple[InputFile, ...]
    not_read: tuple[str, ...]
    asked: Asked | None = None

    @property
    def kinds(self) -> frozenset[str]:
        """The resource types for which there is a file."""
        return frozenset(file.kind for file in self.files if file.kind is not None)


def find_source(folder: Path) -> Source:
    """Look into a source folder.

    Raises:
        CohortFault: it is no folder, cannot be read, or holds nothing that can be screened.
    """
    if not folder.is_dir():
        message = f"SOURCE: '{folder}' is no folder; name the folder that holds the export."
        raise CohortFault(message)
    paths = sorted(path for path in folder.iterdir() if not path.name.startswith((".", "_")))
    lines = [path for path in paths if path.name.endswith(_LINES) and path.is_file()]
    columns = [path for path in paths if path.suffix == ".parquet" or _holds_parquet(path)]
    documents = [path for path in paths if path.name.endswith(_BUNDLES) and path.is_file()]
    if lines and columns:
        message = f"SOURCE: '{folder}' holds NDJSON and Parquet; leave only one of them there."
        raise CohortFault(message)
    if lines:
        return _ndjson(folder, lines, documents, paths)
    if columns:
        return _parquet(columns, paths)
    if documents:
        files = tuple(_file(path) for path in documents)
        return Source(Form.BUNDLES, files, _others(paths, documents))
    message = (
        f"SOURCE: '{folder}' holds neither NDJSON files (Patient*.ndjson, Observation*.ndjson, …) "
        "nor Parquet nor Bundles (*.json); name the folder that does."
    )
    raise CohortFault(message)


def _ndjson(folder: Path, lines: list[Path], documents: list[Path], paths: list[Path]) -> Source:
    asked, manifest = read_asked(documents)
    for name in _ERROR_FOLDERS:
        if (folder / name).is_dir():
            errors = (folder / name).iterdir()
            lines += sorted(path for path in errors if path.name.endswith(_LINES))
    every = [_file(path, folder) for path in lines]
    files = tuple(
        file
        for file in every
        if file.kind in READ_TYPES or (file.kind is None and _holds_resources(Path(file.path)))
    )
    if not any(file.kind in {"Patient", None} for file in files):
        message = f"SOURCE: '{folder}' holds no Patient*.ndjson; export the type Patient too."
        raise CohortFault(message)
    used = [path for path in lines if any(file.path == str(path) for file in files)]
    known = [*used, *([manifest] if manifest else [])]
    return Source(Form.NDJSON, files, _others(paths, known), asked)


def _parquet(columns: list[Path], paths: list[Path]) -> Source:
    """One file, or a folder of part files, for each resource type."""
    files: list[InputFile] = []
    for path in columns:
        kind = named_type(path.name)
        parts = sorted(path.rglob("*.parquet")) if path.is_dir() else [path]
        files += [
            InputFile(str(part.relative_to(path.parent)), str(part), part.stat().st_size, kind)
            for part in parts
            if kind is None or kind in READ_TYPES
        ]
    return Source(Form.PARQUET, tuple(files), _others(paths, columns))


def _holds_resources(path: Path) -> bool:
    """Whether a file whose name says no type is of resources; bulk clients leave logs as NDJSON."""
    read = gzip.open if path.suffix == ".gz" else open
    try:
        with read(path, "rb") as lines:
            return any(b'"resourceType"' in line for line in islice(lines, _LOOKED_AT))
    except (OSError, EOFError, zlib.error):
        return True  # a damaged file is said to be damaged when it is read


def _holds_parquet(path: Path) -> bool:
    return path.is_dir() and next(path.rglob("*.parquet"), None) is not None


def _file(path: Path, folder: Path | None = None) -> InputFile:
    name = path.name if folder is None else str(path.relative_to(folder))
    return InputFile(name, str(path), path.stat().st_size, named_type(path.name))


def named_type(name: str) -> str | None:
    """`Observation.000.ndjson`, `1.Patient.ndjson.gz` → the type; None where no word is one.

    A capitalised word that is no type that we read (`Encounter.ndjson`) is still taken at its
    word; a name without one (`part-0003.ndjson`) is decided line by line.
    """
    words = _TYPE_NAME.findall(name)
    return next((word for word in words if word in READ_TYPES), words[0] if words else None)


def _others(paths: Iterable[Path], used: Iterable[Path]) -> tuple[str, ...]:
    known = set(used)
    return tuple(path.name for path in paths if path not in known and path.is_file())
