"""What the EHRs do differently, as far as it changes an answer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Habits:
    """The habits of one EHR.

    `one_action`: it may carry out only the first action of a suggestion. `not_kept`: medication
    types that it has no list of, so that nobody waits for one. `by_category`: it refuses a search
    for Observations that names no category. `most_rows`: lines for each status
    that its side bar has room for.
    """

    one_action: bool = True
    not_kept: frozenset[str] = frozenset()
    by_category: bool = False
    most_rows: int | None = None


HABITS = {
    "generic": Habits(),
    "epic": Habits(by_category=True),
    "oracle": Habits(not_kept=frozenset({"MedicationStatement"}), most_rows=2),
    "hapi": Habits(one_action=False),
}
"""By the word that settings and the clients file use."""
