"""Which results count: the newest with a value, and those that are passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from cds.core.answer import Evidence
from cds.core.facts import Result

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import date

    from cds.core.facts import Facts
    from cds.core.when import Evaluation


class Latest(msgspec.Struct, gc=False):
    """The results that may be the newest with a value, and those passed over.

    `usable`: each of the newest has a value that can be used.
    """

    newest: list[Result]
    skipped: list[Result]
    usable: bool
    evidence: tuple[Evidence, ...]


def latest_of(concepts: tuple[str, ...], facts: Facts, asked: Evaluation) -> Latest:
    """The newest results of some concepts.

    Every criterion on the same lab asks for them; they are worked out once.
    """
    known = facts.worked_out(asked)
    found: Latest | None = known.get(concepts)
    if found is None:
        results = [r for concept in concepts for r in facts.latest(concept, asked.end)]
        valued, skipped = _sorted(results, asked)
        newest = newest_of(valued) if len(valued) > 1 else valued
        usable = all(result.reading is not None for result in newest)
        found = known[concepts] = Latest(newest, skipped, usable, evidence_of(newest))
    return found


def all_dated_since(results: Sequence[Result]) -> date | None:
    """The first day on which one of the results may have been taken; None without such a day."""
    days = [result.when.first for result in results if result.when is not None]
    return min(days) if len(days) == len(results) > 0 else None


def later_than(skipped: Sequence[Result], newest: Result) -> list[Result]:
    """Those of the results passed over that are later than the newest one with a value."""
    if newest.when is None:
        return []
    return [s for s in skipped if s.when is not None and s.when.end > newest.when.end]


def all_of(
    concepts: tuple[str, ...], facts: Facts, asked: Evaluation
) -> tuple[list[Result], list[Result]]:
    """All results with a value that are not after the evaluation instant; those passed over."""
    return _sorted([r for concept in concepts for r in facts.results.get(concept, ())], asked)


def _sorted(results: Sequence[Result], asked: Evaluation) -> tuple[list[Result], list[Result]]:
    valued: list[Result] = []
    skipped: list[Result] = []
    for result in results:
        if result.when is None or result.when.start <= asked.end:
            (valued if result.skipped is None else skipped).append(result)
    return valued, skipped


def evidence_of(results: Sequence[Result]) -> tuple[Evidence, ...]:
    """The results as evidence, each once."""
    found = [
        Evidence(r.reference, r.display, None if r.when is None else r.when.text) for r in results
    ]
    return tuple(found if len(found) == 1 else dict.fromkeys(found))


def newest_of(results: Sequence[Result]) -> list[Result]:
    """The results that may be the newest: nothing is surely later than they are.

    Overlapping dates cannot be put in order; there the later `issued` decides. A result without a
    readable date may always be the newest.
    """
    dated = [result for result in results if result.when is not None]
    undated = [result for result in results if result.when is None]
    if dated:
        latest = max(r.when.start for r in dated if r.when is not None)
        dated = [r for r in dated if r.when is not None and r.when.end >= latest]
    if len(dated) > 1 and all(result.issued is not None for result in dated):
        last = max(result.issued or 0 for result in dated)
        dated = [result for result in dated if result.issued == last]
    return [*undated, *dated]
