"""The decision record: what a determination was made with, of and to, masked unless asked for.

Names, values, reasons and dates of the chart are left out; `masked` says so. What is left tells
which version of what decided, how every criterion stands, and by which entries of the record. The
digests let a replay prove that it made the same determination of the same input.
"""

from __future__ import annotations

import hashlib
from operator import itemgetter
from typing import TYPE_CHECKING

import msgspec

from cds.core.criterion import Status

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.core.assessment import Assessment
    from cds.core.criterion import Determination
    from cds.web.kept.versions import Versions

MASKED = ("/patient", "/result")


class DecisionRecord(msgspec.Struct, frozen=True, rename={"passed": "pass"}):
    """One determination, as a line of JSON.

    `not_kept` are the medication types that the site or its EHR keeps no list of. `result` is what
    cards carry as `org.trial-cds.assessment`, and `result_digest` names its bytes. `outcome` is
    `card`, or why there was none. Criteria stand under their status; `unknown` and `review` say
    what is missing, `evidence` which entries decided.
    """

    determination: str
    hook_instance: str | None
    received: str
    on: str
    timezone: str
    software: str
    software_digest: str
    trial: str
    version: str
    trial_digest: str
    mappings_digest: str
    not_kept: list[str]
    input_digest: str
    result_digest: str
    overall: str
    outcome: str
    card: str | None
    passed: list[str]
    fail: list[str]
    unknown: dict[str, list[str]]
    review: dict[str, list[str]]
    evidence: dict[str, list[str]]
    masked: list[str]
    patient: str | None = None
    result: msgspec.Raw = msgspec.Raw(b"null")

    def statuses(self) -> dict[str, str]:
        """Criterion → status, as far as they were decided."""
        return {
            criterion: word
            for word, criteria in (
                ("pass", self.passed),
                ("fail", self.fail),
                ("unknown", self.unknown),
                ("review", self.review),
            )
            for criterion in criteria
        }


class CallRecord(msgspec.Struct, frozen=True):
    """One hook call, as a line of JSON: that it ran, with what, and how many trials it asked.

    `recorded` of them have a decision record. `problems` counts what could not be read, by kind.
    """

    call: str
    hook_instance: str
    received: str
    on: str
    timezone: str
    software: str
    software_digest: str
    content_digest: str
    mappings_digest: str
    input_digest: str
    trials: int
    recorded: int
    cards: int
    problems: dict[str, int]


class Circumstances(msgspec.Struct, frozen=True):
    """What all determinations of one call share. `received` is in UTC, as ISO 8601 writes it."""

    call: str
    hook_instance: str | None
    received: str
    timezone: str
    not_kept: tuple[str, ...]
    input_digest: str


def record_of(  # noqa: PLR0913 - what a record is made of
    of: Circumstances,
    assessment: Assessment,
    determination: Determination,
    versions: Versions,
    *,
    outcome: str,
    card: str | None,
    masked: bool,
) -> DecisionRecord:
    """The record of one determination."""
    result = assessment.said(determination)
    trial = determination.trial
    return DecisionRecord(
        f"{of.call}.{trial.id}",
        of.hook_instance,
        of.received,
        assessment.on.isoformat(),
        of.timezone,
        versions.software,
        versions.software_digest,
        trial.id,
        trial.version,
        versions.trial_digests[trial.id],
        versions.mappings_digest,
        list(of.not_kept),
        of.input_digest,
        f"sha256:{result.digest}",
        determination.overall.value,
        outcome,
        card,
        [d.criterion.id for d in determination.with_status(Status.PASS)],
        [d.criterion.id for d in determination.with_status(Status.FAIL)],
        _gaps(determination, Status.UNKNOWN),
        _gaps(determination, Status.REVIEW),
        _evidence(determination, assessment.patient if masked else None),
        list(MASKED) if masked else [],
        None if masked else assessment.patient,
        msgspec.Raw(b"null" if masked else result.data),
    )


def _evidence(determination: Determination, patient: str | None) -> dict[str, list[str]]:
    """The entries that decided, by reference; the `patient` is not named."""
    return {
        decision.criterion.id: list(
            dict.fromkeys(
                "Patient" if one.reference == patient else one.reference
                for one in decision.evidence
            )
        )
        for decision in determination.decisions
        if decision.evidence
    }


def _gaps(determination: Determination, status: Status) -> dict[str, list[str]]:
    return {
        decision.criterion.id: [f"{gap.gap.value} {gap.concept}" for gap in decision.gaps]
        for decision in determination.with_status(status)
    }


def digest_of(data: bytes) -> str:
    """Names exactly these bytes."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def stands_of(determination: Determination) -> str:
    """How the criteria stand, whatever their words and evidence: the same while nothing changed."""
    said = [
        determination.overall,
        determination.clears_on,
        sorted([(d.criterion.id, d.status) for d in determination.decisions], key=itemgetter(0)),
    ]
    return hashlib.sha256(msgspec.json.encode(said)).hexdigest()


def counted(kinds: Mapping[str, int] | list[str]) -> dict[str, int]:
    """How often each word stands in a list."""
    found: dict[str, int] = {}
    for kind in kinds:
        found[kind] = found.get(kind, 0) + 1
    return found
