"""What is wrong in a content file, said to the person who can mend it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a trial or mapping file."""

    file: str
    line: int
    says: str
    try_this: str = ""

    def __str__(self) -> str:
        """'trials/NCT…/inclusion.yaml:41: No concept is called 'x'. Did you mean 'y'?'."""
        return f"{self.file}:{self.line}: {self.says} {self.try_this}".rstrip()


class ContentFaults(Exception):  # noqa: N818 - it carries faults, all at once
    """All faults that were found in the content, in the order of the files."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Hold the faults; the message lists one per line."""
        super().__init__("\n".join(str(fault) for fault in faults))
        self.faults = list(faults)
