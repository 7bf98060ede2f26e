"""CDS Hooks cards of one assessment: at most one per trial, the most actionable first.

Which trials give a card is the contract's section 3. A card never carries null, an empty text, an
empty object or an empty list: some clients refuse the whole answer over one of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

import msgspec

from cds.cards.detail import detail, many_detail
from cds.cards.next_step import needed
from cds.cards.orders import Orderable, Words, suggestions
from cds.cards.words import counted, listed, plain, readable, shortened, spoken_date
from cds.core.assessment import card_extension
from cds.core.criterion import Overall, Status

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.core.assessment import Assessment
    from cds.core.criterion import Decision, Determination

_NAMESPACE = uuid.UUID("6f0c1f0e-1d0a-5d5c-9a39-1f6f2f0b7c11")
EXTENSION = "org.trial-cds.assessment"
PAGE_LABEL = "All criteria and evidence"
OVERRIDE_SYSTEM = "https://trial-cds.org/CodeSystem/override-reason"
TOPIC_SYSTEM = "https://trial-cds.org/CodeSystem/card-topic"
OVERRIDE_REASONS = {
    "patient-declined": "Patient does not want to take part",
    "not-suitable": "Not suitable in my judgement",
    "already-known": "Already known or already referred",
    "wrong-data": "The record is wrong or out of date",
    "trial-closed": "Trial is closed or not reachable from here",
    "not-now": "Not now, ask again later",
}
_SHORT_REASON, _SHORT_NAME = 70, 36
_WHEN_FORMER = {Overall.POTENTIALLY_ELIGIBLE: 0, Overall.UNDETERMINED: 1, Overall.INELIGIBLE: 2}


class CardSettings(msgspec.Struct, frozen=True):
    """How a client wants its cards.

    `labels` and `orderable` are by concept key. `near_days`: an ineligible trial whose `clears_on`
    lies within as many days still gives a card. `show_all`: ineligible trials give cards too.
    `most_cards`: above so many relevant trials one card speaks for all of them.
    `one_action_per_suggestion`: for clients that carry out only the first action. `most_rows`: at
    most so many lines for each status on a card, for a narrow side bar (None: the usual number).
    `dated` is the fixed evaluation date of a demonstration, said on each card. `notes` are lines
    that people add to the card about a trial: how far its questions are answered, whom to call.
    """

    labels: Mapping[str, str] = {}
    orderable: Mapping[str, Orderable] = {}
    near_days: int = 30
    show_all: bool = False
    trials_off: frozenset[str] = frozenset()
    one_action_per_suggestion: bool = True
    most_rows: int | None = None
    most_cards: int = 5
    dated: bool = False
    notes: Mapping[str, tuple[str, ...]] = {}

    @property
    def words(self) -> Words:
        """What things are called, and how they are ordered."""
        return Words(self.labels, self.orderable)


def shown_trials(assessment: Assessment, settings: CardSettings) -> list[str]:
    """The ids of the trials that cards are about, the most actionable first."""
    return [d.trial.id for d in _shown(assessment, settings)]


def cards_for(
    assessment: Assessment, settings: CardSettings, pages: Mapping[str, str] | None = None
) -> list[dict[str, Any]]:
    """The cards of one assessment, ready for JSON.

    `pages` are the addresses of the determination pages by trial id, and under "" the one that
    lists all of them; without it cards carry no such link.
    """
    pages = pages or {}
    wanted = [d for d in assessment.determinations if d.trial.id not in settings.trials_off]
    shown = _shown(assessment, settings)
    offered: set[str] = set()  # a test that two trials need is ordered once
    if len(shown) > settings.most_cards:
        cards = [_many_card(assessment, shown, settings, pages.get(""))]
    else:
        cards = [
            trial_card(assessment, d, settings, offered, page=pages.get(d.trial.id)) for d in shown
        ]
    unreadable = [d for d in wanted if d.target.status is Status.UNKNOWN]
    if unreadable:
        cards.append(_unreadable_card(assessment, unreadable, settings.most_cards))
    return cards


def _shown(assessment: Assessment, settings: CardSettings) -> list[Determination]:
    wanted = [d for d in assessment.determinations if d.trial.id not in settings.trials_off]
    return sorted((d for d in wanted if _is_shown(d, assessment, settings)), key=_actionable)


def _is_shown(determination: Determination, assessment: Assessment, settings: CardSettings) -> bool:
    if determination.target.status not in {Status.PASS, Status.REVIEW}:
        return False
    if determination.overall is not Overall.INELIGIBLE or settings.show_all:
        return True
    clears_on = determination.clears_on
    return clears_on is not None and (clears_on - assessment.on).days <= settings.near_days


def _actionable(determination: Determination) -> tuple[int, int, str]:
    unknown = len(determination.with_status(Status.UNKNOWN))
    return _WHEN_FORMER[determination.overall], unknown, determination.trial.id


def trial_card(
    assessment: Assessment,
    determination: Determination,
    settings: CardSettings,
    offered: set[str],
    *,
    page: str | None = None,
) -> dict[str, Any]:
    """The card about one trial; `offered` are the tests that earlier cards offer to order.

    `page` is the address of the determination page.
    """
    trial = determination.trial
    extension = card_extension(assessment, determination)
    identity = _identity(assessment, determination)
    card: dict[str, Any] = {
        "uuid": str(uuid.uuid5(_NAMESPACE, identity)),
        "summary": shortened(summary(determination, settings)),
        "indicator": "info",
        "detail": detail(
            assessment,
            determination,
            settings.words,
            dated=settings.dated,
            most_rows=settings.most_rows,
        )
        + "".join(f"\n\n{plain(note)}" for note in settings.notes.get(trial.id, ())),
        "source": {
            "label": f"trial-cds · {trial.id} · {trial.sponsor}",
            "url": trial.url,
            "topic": {
                "system": TOPIC_SYSTEM,
                "code": topic_code(trial.id, determination.overall),
                "display": f"{trial.id}: {determination.overall.value}",
            },
        },
        "links": [
            *_page_link(page),
            {"label": f"{trial.id} on ClinicalTrials.gov", "url": trial.url, "type": "absolute"},
        ],
        "overrideReasons": _override_reasons(),
        "extension": {EXTENSION: extension},
    }
    orders = suggestions(
        assessment,
        determination,
        settings.orderable,
        lambda name: str(uuid.uuid5(_NAMESPACE, f"{identity}|{name}")),
        one_action=settings.one_action_per_suggestion,
        offered=offered,
    )
    if orders:
        card["suggestions"] = orders
        card["selectionBehavior"] = "any"
    return card


def _page_link(page: str | None) -> list[dict[str, str]]:
    return [] if page is None else [{"label": PAGE_LABEL, "url": page, "type": "absolute"}]


def topic_code(trial: str, overall: Overall) -> str:
    """A fixed alphanumeric code per trial and verdict: overrides attach to it on some EHRs."""
    return f"{trial}{overall.value.replace('-', '')}"


def _identity(assessment: Assessment, determination: Determination) -> str:
    """Same patient, trial, day and determination: same ids."""
    digest = assessment.said(determination).digest
    return f"{assessment.patient}|{determination.trial.id}|{assessment.on.isoformat()}|{digest}"


def summary(determination: Determination, settings: CardSettings) -> str:
    """One line that is understood in two seconds: the verdict, the decisive thing, the trial."""
    trial = determination.trial
    name = f"{trial.short_title} ({trial.id})"
    if determination.overall is Overall.POTENTIALLY_ELIGIBLE:
        questions = len(determination.with_status(Status.REVIEW))
        points = counted(questions, "point")
        return f"May suit trial{_if_diagnosed(determination)}, {points} to confirm: {name}"
    if determination.overall is Overall.UNDETERMINED:
        missing = listed(needed(determination, settings.words), 2)
        return f"Possible trial{_if_diagnosed(determination)}, needs {missing}: {name}"
    failed = determination.with_status(Status.FAIL)
    if determination.clears_on is not None:
        day = spoken_date(determination.clears_on)
        return f"Not yet, possible from {day}{_holding(failed)}: {name}"
    why = readable(failed[0].reason) if len(failed) == 1 else ""
    if not 0 < len(why) <= _SHORT_REASON:
        why = f"{counted(len(failed), 'criterion', 'criteria')} against"
    return f"Does not fit, {why}: {name}"


def _if_diagnosed(determination: Determination) -> str:
    """What a suspected or merely named diagnosis makes of everything else."""
    return " if the diagnosis holds" if determination.target.status is Status.REVIEW else ""


def _holding(failed: Sequence[Decision]) -> str:
    """' (itraconazole 100 mg capsule)': what takes longest to clear, where that is short."""
    last = max(failed, key=lambda one: one.clears_on or date.min)
    names = list(dict.fromkeys(evidence.display for evidence in last.evidence))
    if len(names) != 1 or not 0 < len(names[0]) <= _SHORT_NAME:
        return ""
    return f" ({names[0]})"


def _many_card(
    assessment: Assessment,
    shown: Sequence[Determination],
    settings: CardSettings,
    page: str | None,
) -> dict[str, Any]:
    """One card for many trials: which, how they stand, and where all of it can be read."""
    extensions = [card_extension(assessment, determination) for determination in shown]
    said = [_identity(assessment, determination) for determination in shown]
    identity = f"{assessment.patient}|many|{'|'.join(said)}"
    best = shown[0]
    card: dict[str, Any] = {
        "uuid": str(uuid.uuid5(_NAMESPACE, identity)),
        "summary": shortened(f"{len(shown)} trials may concern this patient; {_best(best)}"),
        "indicator": "info",
        "detail": many_detail(assessment, shown, settings.words, dated=settings.dated),
        "source": {
            "label": "trial-cds",
            "topic": {
                "system": TOPIC_SYSTEM,
                "code": "severaltrials",
                "display": "Several trials",
            },
        },
        "overrideReasons": _override_reasons(),
        "extension": {f"{EXTENSION}s": extensions},
    }
    if page is not None:
        card["links"] = _page_link(page)
    return card


def _best(determination: Determination) -> str:
    trial = determination.trial.id
    if determination.overall is Overall.POTENTIALLY_ELIGIBLE:
        return f"nothing speaks against {trial}"
    if determination.overall is Overall.UNDETERMINED:
        return f"nearest is {trial}"
    return "none fits today"


def _override_reasons() -> list[dict[str, str]]:
    return [
        {"code": code, "system": OVERRIDE_SYSTEM, "display": display}
        for code, display in OVERRIDE_REASONS.items()
    ]


def _unreadable_card(
    assessment: Assessment, determinations: Sequence[Determination], most_named: int
) -> dict[str, Any]:
    """One card for all trials whose target diagnosis cannot be told: it never looks like 'none'."""
    trials = ", ".join(d.trial.id for d in determinations)
    asked = trials if len(determinations) <= most_named else f"the {len(determinations):,} trials"
    ask = "asks" if len(determinations) == 1 else "ask"
    says = [p.says for p in assessment.problems if p.kind in {"not-retrieved", "incomplete"}]
    lines = [
        (
            "The problem list could not be read completely, so nobody can say whether this patient "
            f"has one of the diagnoses that {asked} {ask} for."
        ),
        "This is not a statement that no trial fits.",
        *(f"- {says_one}" for says_one in dict.fromkeys(says)),
    ]
    identity = f"{assessment.patient}|unreadable|{assessment.on.isoformat()}|{trials}"
    return {
        "uuid": str(uuid.uuid5(_NAMESPACE, identity)),
        "summary": shortened("Trial check incomplete: conditions could not be read"),
        "indicator": "info",
        "detail": "\n\n".join(lines[:2]) + ("\n\n" + "\n".join(lines[2:]) if lines[2:] else ""),
        "source": {
            "label": "trial-cds",
            "topic": {
                "system": TOPIC_SYSTEM,
                "code": "conditionsnotread",
                "display": "Conditions could not be read",
            },
        },
        "overrideReasons": [
            {
                "code": "not-now",
                "system": OVERRIDE_SYSTEM,
                "display": OVERRIDE_REASONS["not-now"],
            }
        ],
    }
