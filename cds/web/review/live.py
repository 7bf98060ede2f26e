"""The content of some folders as it stands on the disk now; what was sound last stays shown."""

from __future__ import annotations

import hashlib
import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.assess import load_content
from cds.content.cases import load_cases
from cds.content.coverage import saved_source
from cds.content.fault import ContentFaults
from cds.content.infos import concept_infos
from cds.content.source import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.assess import Content
    from cds.content.cases import Case
    from cds.content.fault import Fault
    from cds.content.source import Source
    from cds.content.trials import TrialFolder


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the files held when they were sound: content, cases and pages by trial id."""

    content: Content
    cases: Mapping[str, Sequence[Case]]
    sources: Mapping[str, Source]

    def folder(self, trial: str) -> TrialFolder | None:
        """The trial of this name."""
        return next((one for one in self.content.folders if one.trial.id == trial), None)


@dataclass(frozen=True, slots=True)
class State:
    """The last sound content, what is wrong with the files now, and a name for exactly this."""

    signature: str
    snapshot: Snapshot | None
    faults: tuple[Fault, ...]


class LiveContent:
    """Reads the folders again whenever one of their files changed."""

    def __init__(
        self, folders: Sequence[Path], only: Sequence[str] = (), source: Path | None = None
    ) -> None:
        """Look at these folders; `source` is the page of the one trial named in `only`."""
        self._folders = list(folders)
        self._only = tuple(only)
        self._source = source
        self._lock = threading.Lock()
        self._state = State("", None, ())

    @property
    def folders(self) -> list[Path]:
        """The content folders, later ones override earlier ones."""
        return self._folders

    def signature(self) -> str:
        """Names, sizes and times of all files; another one as soon as a file is saved."""
        said = hashlib.sha256()
        for path in self._files():
            try:
                stat = path.stat()
            except FileNotFoundError:
                continue  # an editor is about to put it back
            said.update(f"{path}\t{stat.st_mtime_ns}\t{stat.st_size}\n".encode())
        return said.hexdigest()[:16]

    def state(self) -> State:
        """The content of now, read only if it changed since the last time."""
        with self._lock:
            now = self.signature()
            if now != self._state.signature:
                self._state = self._read(now)
            return self._state

    def _files(self) -> Iterator[Path]:
        for folder in self._folders:
            yield from sorted((folder / "mappings").rglob("*.*"))
            for trial in self._only or ("*",):
                yield from sorted((folder / "trials").glob(f"{trial}/**/*.*"))
        if self._source is not None:
            yield self._source

    def _read(self, signature: str) -> State:
        try:
            content = load_content(self._folders, only=self._only)
            infos = concept_infos(content.terminology)
            cases = {one.trial.id: load_cases(one, infos) for one in content.folders}
            sources = dict(self._sources(content))
        except ContentFaults as problem:
            return State(signature, self._state.snapshot, problem.faults)
        return State(signature, Snapshot(content, cases, sources), ())

    def _sources(self, content: Content) -> Iterator[tuple[str, Source]]:
        for one in content.folders:
            page = read_source(self._source) if self._source else saved_source(one.folder)
            if page is not None:
                yield one.trial.id, page
