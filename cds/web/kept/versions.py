"""Which software and which content a determination was made with."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import cds

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.assess import Content


@dataclass(frozen=True, slots=True)
class Versions:
    """The release and a digest of its code, of the mappings, and of each trial."""

    software: str
    software_digest: str
    mappings_digest: str
    trial_digests: Mapping[str, str]


def versions_of(content: Content) -> Versions:
    """The versions that are running, with this content."""
    return Versions(
        cds.__version__,
        software_digest(),
        _named(content.terminology.digest),
        {trial.id: _named(trial.digest) for trial in content.heads},
    )


@cache
def software_digest() -> str:
    """A digest of every Python file of this package, so that a changed copy is told apart."""
    root = Path(cds.__file__).parent
    found = hashlib.sha256()
    for file in sorted(root.rglob("*.py")):
        found.update(f"{file.relative_to(root).as_posix()}\0".encode())
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return f"sha256:{found.hexdigest()}"


def _named(digest: str) -> str:
    return digest if digest.startswith("sha256:") else f"sha256:{digest}"
