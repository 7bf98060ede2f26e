"""What a screening is asked for."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import lru_cache
from pathlib import Path

import msgspec

import cds


class Order(msgspec.Struct, frozen=True):
    """What is asked for.

    `complete` and `not_kept` name resource types: those that the export was asked for though it
    holds no file of them, and those that the site does not keep. `content` is the digest of the
    trials and mappings that the folders hold, `versions` the version of each trial.
    """

    source: str
    out: str
    on: date
    zone: str
    content_folders: tuple[str, ...]
    content: str
    versions: dict[str, str]
    trials: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()
    not_kept: tuple[str, ...] = ()
    strict: bool = False
    workers: int = 1

    def decides(self) -> dict[str, object]:
        """Everything of the order that may change a row, and the software that reads it."""
        return {
            "software": software_digest(),
            "content": self.content,
            "trials": sorted(self.versions),
            "on": self.on.isoformat(),
            "zone": self.zone,
            "complete": sorted(self.complete),
            "not_kept": sorted(self.not_kept),
        }


@lru_cache(maxsize=1)
def software_digest() -> str:
    """The digest of the program's own files."""
    package = Path(cds.__file__).parent
    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        digest.update(path.relative_to(package).as_posix().encode())
        digest.update(path.read_bytes())
    return f"sha256:{digest.hexdigest()}"
