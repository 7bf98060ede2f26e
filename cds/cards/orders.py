"""Draft orders for routine tests that could settle a trial, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from cds.core.answer import Gap
from cds.core.criterion import Overall, Status

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.assessment import Assessment
    from cds.core.criterion import Determination

CONSENT_FIRST = "Tests done only for a trial need the patient's consent first."
_ORDER_SETTLES = {Gap.NOT_RECORDED, Gap.TOO_OLD, Gap.NO_VALUE, Gap.NO_RANGE, Gap.CONFLICTING}
_ORDERED = {"laboratory", "exam"}
"""Observation categories that somebody orders; vital signs are measured, scores are assessed."""

_ORDERED_AS = {"lvef": "echocardiogram (LVEF)", "qtc": "12-lead ECG (QTc)"}
"""By concept: what one orders to get a number that is no laboratory's."""


class Orderable(msgspec.Struct, frozen=True):
    """The LOINC code and name that an order for a concept carries.

    `category` is the Observation category in which its results come.
    """

    label: str
    code: str
    display: str
    category: str = "laboratory"


class Words(msgspec.Struct, frozen=True):
    """What a clinician calls each concept, and how each is ordered, both by concept key."""

    labels: Mapping[str, str] = {}
    orderable: Mapping[str, Orderable] = {}


def tests_to_order(determination: Determination, orderable: Mapping[str, Orderable]) -> list[str]:
    """Routine tests whose result could settle an unknown criterion, in protocol order.

    Empty where something else already rules the trial out: no needle for nothing. What nobody
    orders, such as a blood pressure, is not among them; `orderable` says of what kind each is.
    """
    if determination.overall is not Overall.UNDETERMINED:
        return []
    routine = {
        concept
        for concept in determination.trial.routine_tests
        if _is_ordered(orderable.get(concept))
    }
    return list(
        dict.fromkeys(
            missing.concept
            for decision in determination.with_status(Status.UNKNOWN)
            for missing in decision.gaps
            if missing.concept in routine and missing.gap in _ORDER_SETTLES
        )
    )


def _is_ordered(test: Orderable | None) -> bool:
    return test is None or test.category in _ORDERED


def ordered_as(concept: str, label: str) -> str:
    """What a clinician orders to get a value: 'TSH', 'echocardiogram (LVEF)'."""
    return _ORDERED_AS.get(concept, label)


def suggestions(  # noqa: PLR0913 - the parts of a suggestion
    assessment: Assessment,
    determination: Determination,
    orderable: Mapping[str, Orderable],
    new_id: Callable[[str], str],
    *,
    one_action: bool,
    offered: set[str],
) -> list[dict[str, Any]]:
    """One suggestion per test, or one with all tests for clients that carry out several actions.

    A test in `offered` stands on another card already; those that stand here are added to it.
    """
    tests = [
        (concept, orderable[concept])
        for concept in tests_to_order(determination, orderable)
        if concept in orderable and concept not in offered
    ]
    offered.update(concept for concept, _ in tests)
    if not tests:
        return []
    why = f"could settle {determination.trial.id}. {CONSENT_FIRST}"
    actions = [
        (concept, ordered_as(concept, test.label), _action(assessment, concept, test, why))
        for concept, test in tests
    ]
    if one_action or len(actions) == 1:
        return [
            {"uuid": new_id(f"order|{concept}"), "label": f"Order {name}", "actions": [action]}
            for concept, name, action in actions
        ]
    return [
        {
            "uuid": new_id("orders"),
            "label": f"Order {', '.join(name for _, name, _ in actions)}",
            "actions": [action for _, _, action in actions],
        }
    ]


def _action(assessment: Assessment, concept: str, test: Orderable, why: str) -> dict[str, Any]:
    """A draft order. Some clients show its description and not the suggestion's label."""
    name = ordered_as(concept, test.label)
    return {
        "type": "create",
        "description": f"Order {name}: {why}",
        "resource": {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "intent": "order",
            "code": {
                "coding": [
                    {"system": "http://loinc.org", "code": test.code, "display": test.display}
                ],
                "text": name,
            },
            "subject": {"reference": assessment.patient},
            "note": [{"text": CONSENT_FIRST}],
        },
    }
