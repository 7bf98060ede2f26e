"""Criteria, trials, and what they come to for one patient."""

from __future__ import annotations

from datetime import date
from enum import Enum
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import msgspec

from cds.core.answer import Answer, Evidence, Missing

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.core.facts import Facts
    from cds.core.when import Evaluation


class Kind(Enum):
    """Which side of the protocol a criterion stands on."""

    INCLUSION = "inclusion"
    EXCLUSION = "exclusion"


class Status(Enum):
    """What a criterion comes to, always seen from eligibility."""

    PASS = "pass"  # noqa: S105 - the contract's word, not a secret
    FAIL = "fail"
    UNKNOWN = "unknown"
    REVIEW = "review"


class Overall(Enum):
    """What a trial comes to. Software never says "eligible": a person enrols."""

    INELIGIBLE = "ineligible"
    UNDETERMINED = "undetermined"
    POTENTIALLY_ELIGIBLE = "potentially-eligible"


class Characteristic(Protocol):
    """One statement about a patient that the facts make true, false or unknown."""

    def answer(self, facts: Facts, asked: Evaluation) -> Answer:
        """Decide the statement for the day that is asked about."""
        ...

    def parts(self) -> Iterator[Characteristic]:
        """The statements that this one is made of; none for a leaf."""
        ...


class Silence(Protocol):
    """What a criterion comes to where the record holds none of its concepts."""

    def decision(self, criterion: Criterion, facts: Facts, asked: Evaluation) -> Decision | None:
        """The decision; None where the record holds something, or was not read completely."""
        ...


class Criterion(msgspec.Struct, frozen=True):
    """One atomic statement of a protocol: its words, our reading, its computable form.

    `silence` is worked out of the others once, where the criterion asks for entries alone.
    """

    id: str
    kind: Kind
    text: str
    reading: str
    form: Characteristic
    also: tuple[str, ...] = ()
    question: str | None = None
    reviewed: bool = True
    silence: Silence | None = None


class TrialSilence(Protocol):
    """What the criteria of a trial come to where the record holds none of their concepts."""

    def decisions(self, trial: Trial, facts: Facts, asked: Evaluation) -> Sequence[Decision | None]:
        """A decision for each criterion in order; None where it must be asked."""
        ...


class Recruitment(msgspec.Struct, frozen=True):
    """The registry's recruitment status and the date on which it was read."""

    status: str
    recruiting: bool
    as_of: str


class Trial(msgspec.Struct, frozen=True):
    """One trial, ready to evaluate. `target` is the id of its target-diagnosis criterion.

    `silence` is worked out of the criteria once.
    """

    id: str
    version: str
    title: str
    short_title: str
    sponsor: str
    url: str
    recruitment: Recruitment
    target: str
    criteria: tuple[Criterion, ...]
    routine_tests: tuple[str, ...] = ()
    digest: str = ""
    signed_off: bool = False
    silence: TrialSilence | None = None


class Decision(msgspec.Struct, frozen=True, gc=False):
    """One criterion for one patient."""

    criterion: Criterion
    status: Status
    reason: str
    evidence: tuple[Evidence, ...]
    gaps: tuple[Missing, ...]
    clears_on: date | None


class _Said(msgspec.Struct, frozen=True, gc=False):
    """One decision as the contract's JSON has it, field by field in its order."""

    id: str
    kind: Kind
    text: str
    reading: str
    status: Status
    reason: str
    evidence: tuple[Evidence, ...]
    gaps: tuple[Missing, ...]
    clears_on: date | None


class Determination(msgspec.Struct, frozen=True, dict=True):
    """One trial for one patient on one day."""

    trial: Trial
    overall: Overall
    clears_on: date | None
    decisions: tuple[Decision, ...]

    def with_status(self, status: Status) -> tuple[Decision, ...]:
        """The decisions of one status, in protocol order."""
        return self._by_status.get(status, ())

    @cached_property
    def _by_status(self) -> dict[Status, tuple[Decision, ...]]:
        """Sorted once: a card and its record ask a dozen times."""
        found: dict[Status, list[Decision]] = {}
        for decision in self.decisions:
            found.setdefault(decision.status, []).append(decision)
        return {status: tuple(decisions) for status, decisions in found.items()}

    @cached_property
    def criteria_json(self) -> bytes:
        """The contract's `criteria`, encoded: the card, its identity and its record all need it."""
        return msgspec.json.encode(
            [
                _Said(
                    decision.criterion.id,
                    decision.criterion.kind,
                    decision.criterion.text,
                    decision.criterion.reading,
                    decision.status,
                    decision.reason,
                    decision.evidence,
                    decision.gaps,
                    decision.clears_on,
                )
                for decision in self.decisions
            ]
        )

    @property
    def target(self) -> Decision:
        """The decision on the target diagnosis."""
        return next(d for d in self.decisions if d.criterion.id == self.trial.target)
