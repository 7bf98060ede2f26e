"""What users did with the cards of each trial, and why they overrode them."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import distinct, func, select

from cds.store.tables import calls, decisions, feedback

if TYPE_CHECKING:
    from datetime import datetime

    from cds.store.database import Store

UNKNOWN_CARD = "unknown card"
WITHOUT_REASON = "no reason given"


class Acceptance(msgspec.Struct, frozen=True):
    """One trial. `shown` counts cards, the same card for the same patient once.

    `answered` are those that anybody said something about. `accepted` and `overridden` count what
    was said; `reasons` counts, over what was overridden, the codes of reasons.
    """

    trial: str
    shown: int
    answered: int
    accepted: int
    overridden: int
    reasons: dict[str, int]

    @property
    def rate(self) -> float | None:
        """The share of what was accepted of all that was said; None where nothing was."""
        said = self.accepted + self.overridden
        return self.accepted / said if said else None


def acceptance(
    store: Store, *, since: datetime | None = None, until: datetime | None = None
) -> list[Acceptance]:
    """Every trial that was shown or spoken of, received from `since` on and before `until`.

    A card that speaks for several trials counts for each. Feedback about a card that the store does
    not know stands under its own name.

    Raises:
        StoreFault: the database cannot be read now.
    """
    shown_cards = (
        select(decisions.c.trial, func.count(distinct(decisions.c.card)).label("cards"))
        .join(calls, calls.c.id == decisions.c.call)
        .where(decisions.c.outcome == "card")
        .group_by(decisions.c.trial)
    )
    said = select(feedback.c.card, feedback.c.outcome, feedback.c.reasons, feedback.c.trials)
    if since is not None:
        shown_cards = shown_cards.where(calls.c.received >= since)
        said = said.where(feedback.c.received >= since)
    if until is not None:
        shown_cards = shown_cards.where(calls.c.received < until)
        said = said.where(feedback.c.received < until)
    outcomes: dict[str, Counter[str]] = defaultdict(Counter)
    reasons: dict[str, Counter[str]] = defaultdict(Counter)
    answered: dict[str, set[str]] = defaultdict(set)
    with store.read() as connection:
        shown = {row.trial: int(row.cards) for row in connection.execute(shown_cards)}
        for row in connection.execute(said):
            codes = [one["code"] for one in row.reasons] or [WITHOUT_REASON]
            for trial in row.trials or [UNKNOWN_CARD]:
                outcomes[trial][row.outcome] += 1
                answered[trial].add(row.card)
                if row.outcome == "overridden":
                    reasons[trial].update(codes)
    return [
        Acceptance(
            trial,
            shown.get(trial, 0),
            len(answered[trial]),
            outcomes[trial]["accepted"],
            outcomes[trial]["overridden"],
            dict(reasons[trial].most_common()),
        )
        for trial in sorted(shown.keys() | outcomes.keys())
    ]
