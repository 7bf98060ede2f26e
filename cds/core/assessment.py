"""One patient on one day: every trial's determination, and the form that the contract fixes."""

from __future__ import annotations

import hashlib
from datetime import date
from functools import cached_property
from typing import Any, NamedTuple

import msgspec

from cds.core.criterion import Decision, Determination
from cds.core.facts import Problem


class Said(NamedTuple):
    """`card_extension` as bytes of JSON, the same for the same determination, and their SHA-256."""

    data: bytes
    digest: str


class Assessment(msgspec.Struct, frozen=True, dict=True):
    """What was found for one patient. A deceased patient has no determinations.

    `ruled_out` are trials of the patient's diagnosis that age or sex rules out, where nothing else
    was determined of them because only cards were wanted.
    """

    patient: str
    on: date
    problems: tuple[Problem, ...]
    determinations: tuple[Determination, ...]
    deceased: bool = False
    ruled_out: tuple[str, ...] = ()

    @cached_property
    def _said(self) -> dict[str, Said]:
        return {}

    def said(self, determination: Determination) -> Said:
        """One of the determinations in the contract's form.

        It is worked out once: the card's id, the link to its page and its record need it.
        """
        found = self._said.get(determination.trial.id)
        if found is None:
            data = msgspec.json.encode(card_extension(self, determination))
            found = Said(data, hashlib.sha256(data).hexdigest())
            self._said[determination.trial.id] = found
        return found


def assessment_json(assessment: Assessment) -> dict[str, Any]:
    """The contract's `evaluate --format json`, as plain data."""
    return {
        **_head(assessment),
        "trials": [determination_json(d) for d in assessment.determinations],
    }


def card_extension(assessment: Assessment, determination: Determination) -> dict[str, Any]:
    """The contract's `org.trial-cds.assessment`: one trial, with patient, day and problems.

    The criteria are encoded already: nine tenths of a card are theirs.
    """
    criteria = msgspec.Raw(determination.criteria_json)
    return {**_head(assessment), **_outcome(determination), "criteria": criteria}


def _head(assessment: Assessment) -> dict[str, Any]:
    return {
        "patient": assessment.patient,
        "on": assessment.on.isoformat(),
        "problems": [
            {"kind": p.kind, "reference": p.reference, "says": p.says} for p in assessment.problems
        ],
    }


def determination_json(determination: Determination) -> dict[str, Any]:
    """One element of the contract's `trials`."""
    criteria = [_decision_json(decision) for decision in determination.decisions]
    return {**_outcome(determination), "criteria": criteria}


def _outcome(determination: Determination) -> dict[str, Any]:
    return {
        "trial": determination.trial.id,
        "version": determination.trial.version,
        "overall": determination.overall.value,
        "clears_on": _iso(determination.clears_on),
    }


def _decision_json(decision: Decision) -> dict[str, Any]:
    criterion = decision.criterion
    return {
        "id": criterion.id,
        "kind": criterion.kind.value,
        "text": criterion.text,
        "reading": criterion.reading,
        "status": decision.status.value,
        "reason": decision.reason,
        "evidence": [
            {"reference": e.reference, "display": e.display, "date": e.date}
            for e in decision.evidence
        ],
        "gaps": [{"concept": m.concept, "gap": m.gap.value} for m in decision.gaps],
        "clears_on": _iso(decision.clears_on),
    }


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
