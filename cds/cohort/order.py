"""What a screening is asked for."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import lru_cache
from pathlib import Path

import msgspec

import cds
from cds.cohort.catalogue import Catalogue


class Order(msgspec.Struct, frozen=True):
    """What is asked for.

    `complete` and `not_kept` name resource types: those that the export was asked for though it
    holds no file of them, and those that the site does not keep. `catalogue` is what the content
    folders hold. `refusal_flags` are codes of Flags that refuse research, as `system|code`.
    `since` names the folder of an earlier screening to compare with.
    """

    source: str
    out: str
    on: date
    zone: str
    content_folders: tuple[str, ...]
    catalogue: Catalogue
    trials: tuple[str, ...] = ()
    complete: tuple[str, ...] = ()
    not_kept: tuple[str, ...] = ()
    refusal_flags: tuple[str, ...] = ()
    strict: bool = False
    since: str | None = None
    workers: int = 1

    def decides(self) -> dict[str, object]:
        """Everything of the order that may change a row, and the software that reads it."""
        return {
            "software": software_digest(),
            "content": self.catalogue.digest,
            "trials": sorted(self.catalogue.versions),
            "may_be_target": [one.may_be_target for one in self.catalogue.trials],
            "on": self.on.isoformat(),
            "zone": self.zone,
            "complete": sorted(self.complete),
            "not_kept": sorted(self.not_kept),
            "refusal_flags": sorted(self.refusal_flags),
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
