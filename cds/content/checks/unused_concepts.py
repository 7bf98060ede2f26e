"""Concepts that no criterion uses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.fault import Fault, Severity

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.content.checks.content import Content

_FILE = "mappings/concepts.tsv"


def unused_concepts(content: Content) -> Iterator[Fault]:
    """One notice for all of them; silent where only some trials are checked."""
    if not content.whole:
        return
    used = {key for loaded in content.trials for keys in loaded.concepts.values() for key in keys}
    unused = sorted(set(content.terminology.concepts) - used)
    if unused:
        says = f"No criterion uses {', '.join(unused)}."
        yield Fault(_FILE, 1, says, "Keep them for trials to come, or drop them.", Severity.NOTICE)
