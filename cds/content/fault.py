"""What is wrong in a trial or mapping file, and how to put it right."""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class Severity(Enum):
    """A fault must be put right; a notice is worth knowing and stops nothing."""

    FAULT = "fault"
    NOTICE = "notice"


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing wrong in a file; `line` counts from 1, `try_this` may be empty."""

    file: str
    line: int
    says: str
    try_this: str
    severity: Severity = Severity.FAULT

    def __str__(self) -> str:
        """`file:line: what is wrong. What to do.`, as editors can jump to."""
        lead = "" if self.severity is Severity.FAULT else "notice: "
        return f"{self.file}:{self.line}: {lead}{self.says} {self.try_this}".rstrip()


class ContentFaults(Exception):  # noqa: N818 - it carries several faults, each one a sentence
    """All faults that reading some content files found."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Hold the faults in the order of files and lines."""
        self.faults = tuple(sorted(faults, key=lambda fault: (fault.file, fault.line)))
        super().__init__("\n".join(str(fault) for fault in self.faults))


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """'Did you mean 'anc'?' where one of the known words is close, else an empty text."""
    near = get_close_matches(word, list(known), 1)
    return f"Did you mean '{near[0]}'?" if near else ""
