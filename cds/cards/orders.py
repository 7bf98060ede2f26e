"""Draft orders for routine tests that could settle a trial, and nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from cds.core.answer import Gap
from cds.core.criterion import Overall, Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cds.core.assessment import Assessment
    from cds.core.criterion import Determination

CONSENT_FIRST = "Tests done only for a trial need the patient's consent first."
_ORDER_SETTLES = {Gap.NOT_RECORDED, Gap.TOO_OLD, Gap.NO_VALUE, Gap.NO_RANGE, Gap.CONFLICTING}


class Orderable(msgspec.Struct, frozen=True):
    """The LOINC code and name that an order for a concept carries."""

    label: str
    code: str
    display: str


def tests_to_order(determination: Determination) -> list[str]:
    """Routine tests whose result could settle an unknown criterion, in protocol order.

    Empty where something else already rules the trial out: no needle for nothing.
    """
    if determination.overall is not Overall.UNDETERMINED:
        return []
    routine = set(determination.trial.routine_tests)
    return list(
        dict.fromkeys(
            missing.concept
            for decision in determination.with_status(Status.UNKNOWN)
            for missing in decision.gaps
            if missing.concept in routine and missing.gap in _ORDER_SETTLES
        )
    )


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
        for concept in tests_to_order(determination)
        if concept in orderable and concept not in offered
    ]
    offered.update(concept for concept, _ in tests)
    if not tests:
        return []
    why = f"could settle {determination.trial.id}. {CONSENT_FIRST}"
    actions = [(concept, _action(assessment, test, why)) for concept, test in tests]
    if one_action or len(actions) == 1:
        return [
            {
                "uuid": new_id(f"order|{concept}"),
                "label": f"Order {action['description'].split(':')[0]}",
                "actions": [action],
            }
            for concept, action in actions
        ]
    names = ", ".join(test.label for _, test in tests)
    return [
        {
            "uuid": new_id("orders"),
            "label": f"Order {names}",
            "actions": [action for _, action in actions],
        }
    ]


def _action(assessment: Assessment, test: Orderable, why: str) -> dict[str, Any]:
    return {
        "type": "create",
        "description": f"{test.label}: {why}",
        "resource": {
            "resourceType": "ServiceRequest",
            "status": "draft",
            "intent": "order",
            "code": {
                "coding": [
                    {"system": "http://loinc.org", "code": test.code, "display": test.display}
                ],
                "text": test.label,
            },
            "subject": {"reference": assessment.patient},
            "note": [{"text": CONSENT_FIRST}],
        },
    }
