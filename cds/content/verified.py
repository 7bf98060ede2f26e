"""How many codes of each set are verified: for the review page and for `check`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.core.terminology import Terminology


@dataclass(frozen=True, slots=True)
class Verified:
    """The members of one set: how many decide, and how many are evidence for review only."""

    decides: int = 0
    review: int = 0


def verified_by_set(terminology: Terminology) -> Mapping[str, Verified]:
    """The counts of every condition, procedure and drug set, by set key."""
    lists = terminology.lists
    found: dict[str, Verified] = {}

    def count(key: str, *, decides: bool) -> None:
        old = found.get(key, Verified())
        found[key] = Verified(old.decides + decides, old.review + (not decides))

    for member in (*lists.conditions, *lists.procedures):
        count(member.set_key, decides=member.mark.decides)
    for ingredient in lists.ingredients.values():
        for key, decides in ingredient.sets.items():
            count(key, decides=decides)
    return found
