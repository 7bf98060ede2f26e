"""Cases that cannot be told apart by their sentence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.cases import Case
    from cds.content.checks.content import Content


def case_names(content: Content) -> Iterator[Fault]:
    """Two cases of a trial with the same sentence: a reader could not say which one failed."""
    for cases in content.cases.values():
        first: dict[str, Case] = {}
        for case in cases:
            other = first.setdefault(case.name, case)
            if other is not case:
                says = f"'{case.name}' stands at {other.file}:{other.line} already."
                yield Fault(case.file, case.line, says, "Say what is different about this patient.")
