"""Compiled trials: thousands of trial folders in one file, read without their YAML.

`trial-cds check --compile FOLDER` writes FOLDER/<key>.trials once every check holds. The key is a
digest of the mappings, of every byte of every trial folder's files and of the software that read
them: a file whose key differs from what the folders hold today is simply not found, so that stale
content can never be served. What the file holds is the YAML as read, with its line numbers: data,
which cannot execute. A trial is understood from it when a patient first needs it; the heads (the
identity, the target diagnosis, age and sex) are understood at the start.

    magic, 32 bytes sha256 of the header, 8 bytes its length, header (MessagePack), trials (zlib)
"""

from __future__ import annotations

import dataclasses
import hashlib
import mmap
import os
import zlib
from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, overload

import msgspec

import cds
from cds.content.fault import ContentFaults, Fault
from cds.content.strict_yaml import Items, Table, Value
from cds.content.trials import (
    CRITERIA_FILES,
    TrialFiles,
    TrialFolder,
    read_trial,
    trial_folders,
    trial_from,
)
from cds.engine.silence import with_silence

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from cds.content.forms import ConceptInfo
    from cds.core.criterion import Trial

_MAGIC = b"trial-cds compiled trials 1\n"
_LENGTH = 8
# How many understood trials are kept: of ten thousand, few concern the patients of one day.
_KEPT = 256
_GATES = ("age", "sex")


class _Entry(msgspec.Struct, frozen=True, array_like=True):
    """One trial in the header: where its files stand, and the documents of its head."""

    name: str
    digest: str
    offset: int
    length: int
    head: Any
    inclusion: Any
    exclusion: Any


def key_of(folders: Sequence[Path], mappings_digest: str) -> str:
    """The key of what the content folders hold today, as 64 hexadecimal digits."""
    content = hashlib.sha256(f"{cds.__version__}\n{mappings_digest}\n".encode())
    for name, folder in trial_folders(folders).items():
        for file in ("trial.yaml", *CRITERIA_FILES):
            data = _bytes(folder / file)
            content.update(f"{name}/{file} {len(data)}\n".encode())
            content.update(data)
    return content.hexdigest()


def _bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""  # reading the trial says what is wrong with it


def write_compiled(folders: Sequence[Path], mappings_digest: str, target: Path) -> Path:
    """Write the trials of checked content folders to `target`/<key>.trials and return its path.

    Raises:
        ContentFaults: a file cannot be read or is no YAML of ours.
        OSError: the file cannot be written.
    """
    path = target / f"{key_of(folders, mappings_digest)}.trials"
    target.mkdir(parents=True, exist_ok=True)
    entries: list[_Entry] = []
    blobs: list[bytes] = []
    offset = 0
    for name, folder in trial_folders(folders).items():
        files = read_trial(folder, mappings_digest)
        documents = [_plain(part) for part in (files.head, files.inclusion, files.exclusion)]
        blob = zlib.compress(msgspec.msgpack.encode(documents))
        heads = [_plain(part) for part in _head_only(files)]
        entries.append(_Entry(name, files.digest, offset, len(blob), *heads))
        blobs.append(blob)
        offset += len(blob)
    header = msgspec.msgpack.encode(entries)
    part = path.with_suffix(f".{os.getpid()}.part")
    with part.open("wb") as file:
        file.write(_MAGIC + hashlib.sha256(header).digest())
        file.write(len(header).to_bytes(_LENGTH, "big") + header)
        file.writelines(blobs)
    part.replace(path)  # a reader sees all of it or nothing
    return path


def open_compiled(
    compiled: Path,
    folders: Sequence[Path],
    concepts: Mapping[str, ConceptInfo],
    mappings_digest: str,
) -> CompiledTrials | None:
    """The compiled trials of exactly these content folders; None where they were not compiled.

    Raises:
        ContentFaults: the file is damaged.
    """
    path = compiled / f"{key_of(folders, mappings_digest)}.trials"
    if not path.is_file():
        return None
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    start = len(_MAGIC) + hashlib.sha256().digest_size + _LENGTH
    length = int.from_bytes(data[start - _LENGTH : start], "big")
    header = data[start : start + length]
    if (
        data[: len(_MAGIC)] != _MAGIC
        or hashlib.sha256(header).digest() != data[len(_MAGIC) : start - _LENGTH]
    ):
        says = "The file of compiled trials is damaged."
        cure = "Write it again with 'trial-cds check --compile'."
        raise ContentFaults([Fault(str(path), 1, says, cure)])
    entries = msgspec.msgpack.decode(header, type=list[_Entry])
    return CompiledTrials(data, start + length, entries, trial_folders(folders), concepts)


class CompiledTrials(Sequence[TrialFolder]):
    """The trials of a compiled file, sorted by id, each understood when it is first asked for.

    `heads` are all trials with their target diagnosis and their criteria of age and sex alone.
    """

    def __init__(
        self,
        data: mmap.mmap,
        start: int,
        entries: Sequence[_Entry],
        folders: Mapping[str, Path],
        concepts: Mapping[str, ConceptInfo],
    ) -> None:
        """Understand the heads; `start` is where the first trial stands in `data`."""
        self._data = data
        self._start = start
        self._entries = entries
        self._folders = folders
        self._concepts = concepts
        self.heads: tuple[Trial, ...] = tuple(self._head(entry) for entry in entries)
        self._understood = lru_cache(_KEPT)(self._understand)

    def __len__(self) -> int:
        """How many trials there are."""
        return len(self._entries)

    @overload
    def __getitem__(self, at: int) -> TrialFolder: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[TrialFolder]: ...
    def __getitem__(self, at: int | slice) -> TrialFolder | Sequence[TrialFolder]:
        """The trial at a place, or those of a slice."""
        if isinstance(at, slice):
            return [self[one] for one in range(*at.indices(len(self)))]
        return self._understood(range(len(self))[at])

    def _head(self, entry: _Entry) -> Trial:
        parts = (entry.head, entry.inclusion, entry.exclusion)
        return self._from(entry, parts).trial

    def _understand(self, at: int) -> TrialFolder:
        entry = self._entries[at]
        start = self._start + entry.offset
        plain = zlib.decompress(self._data[start : start + entry.length])
        folder = self._from(entry, msgspec.msgpack.decode(plain))
        return dataclasses.replace(folder, trial=with_silence(folder.trial))

    def _from(self, entry: _Entry, parts: Iterable[Any]) -> TrialFolder:
        head, inclusion, exclusion = (_value(part) for part in parts)
        folder = self._folders[entry.name]
        files = TrialFiles(folder, head, inclusion, exclusion, entry.digest)
        return trial_from(files, self._concepts)


def _head_only(files: TrialFiles) -> tuple[Value, Value, Value]:
    """The documents of a trial cut down to what says whether it may concern a patient."""
    target = files.head.get("target") if isinstance(files.head, Table) else None
    return files.head, _gates(files.inclusion, target), _gates(files.exclusion, target)


def _gates(document: Value, target: Value) -> Value:
    rows = document.get("criteria") if isinstance(document, Table) else None
    if not isinstance(document, Table) or not isinstance(rows, Items):
        return document
    kept = Items(rows.line)
    for row, line in zip(rows, rows.lines, strict=True):
        if isinstance(row, Table) and (
            row.get("id") == target or any(gate in row for gate in _GATES)
        ):
            kept.append(row)
            kept.lines.append(line)
    table = Table(document.line)
    table["criteria"] = kept
    return table


def _plain(value: Value) -> Any:  # noqa: ANN401 - what MessagePack holds
    """A document for MessagePack.

    A table is [line, {key: [line, value]}], a list [line, [lines], [values]].
    """
    if isinstance(value, Table):
        return [
            value.line,
            {key: [value.line_of(key), _plain(each)] for key, each in value.items()},
        ]
    if isinstance(value, Items):
        return [value.line, value.lines, [_plain(each) for each in value]]
    return value


def _value(plain: Any) -> Value:  # noqa: ANN401 - what MessagePack holds
    if not isinstance(plain, list):
        return None if plain is None else str(plain)
    line, held, *values = plain
    if isinstance(held, dict):
        table = Table(line)
        for key, (at, each) in held.items():
            table[key] = _value(each)
            table.lines[key] = at
        return table
    items = Items(line)
    items.extend(_value(each) for each in values[0])
    items.lines = held
    return items
