"""Why a trial whose diagnosis the patient has gives no card: silence must not look like a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core.criterion import Status

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from cds.core.assessment import Assessment

EXTENSION = "org.trial-cds.without-card"
DECEASED, RULED_OUT = "deceased", "ruled-out"
_CONCERNED = {Status.PASS, Status.REVIEW}


def without_card(
    assessment: Assessment, shown: Collection[str], withheld: Mapping[str, str]
) -> list[dict[str, str]]:
    """The trials that concern the patient and give no card, each with the reason in a word.

    `shown` are the trials that cards are about; `withheld` says why others are held back whatever
    is found: off, joined, refused, muted, attested. The rest is ruled out. A patient who is
    recorded as deceased is no trial's: one entry without a trial says so.
    """
    if assessment.deceased:
        return [{"because": DECEASED}]
    concerned = [d.trial.id for d in assessment.determinations if d.target.status in _CONCERNED]
    return [
        {"trial": trial, "because": withheld.get(trial, RULED_OUT)}
        for trial in sorted((*concerned, *assessment.ruled_out))
        if trial not in shown
    ]
