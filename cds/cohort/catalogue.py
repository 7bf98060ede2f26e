"""What a screening's rows mean: the trials and words with which it was made, kept beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from cds.assess import Content
    from cds.content.trials import TrialFolder


class CriterionTold(msgspec.Struct, frozen=True):
    """One criterion in words; `concepts` are the concept keys that it asks about."""

    id: str
    kind: str
    text: str
    reading: str
    concepts: tuple[str, ...]


class SignedOff(msgspec.Struct, frozen=True):
    """Who has reviewed a trial's criteria."""

    role: str
    by: str
    date: str


class TrialTold(msgspec.Struct, frozen=True):
    """One trial in words, with its criteria in protocol order.

    `may_be_target` are the findings that leave its target diagnosis open.
    """

    id: str
    version: str
    digest: str
    short_title: str
    title: str
    recruitment: str
    target: str
    source: dict[str, str]
    signed_off: tuple[SignedOff, ...]
    criteria: tuple[CriterionTold, ...]
    may_be_target: tuple[str, ...] = ()

    @property
    def readings(self) -> dict[str, str]:
        """How each criterion is read."""
        return {criterion.id: criterion.reading for criterion in self.criteria}


class Catalogue(msgspec.Struct, frozen=True):
    """The trials, and what a clinician calls each concept. `digest` names exactly this content."""

    digest: str
    trials: tuple[TrialTold, ...]
    labels: dict[str, str]

    @property
    def versions(self) -> dict[str, str]:
        """The version of each trial."""
        return {trial.id: trial.version for trial in self.trials}


def catalogue_of(content: Content) -> Catalogue:
    """The words of some content."""
    trials = tuple(_trial(folder) for folder in content.folders)
    used = {key for trial in trials for one in trial.criteria for key in one.concepts}
    used.update(key for trial in trials for key in trial.may_be_target)
    labels = {key: content.labels[key] for key in sorted(used) if key in content.labels}
    return Catalogue(content.digest, trials, labels)


def _trial(folder: TrialFolder) -> TrialTold:
    trial = folder.trial
    recruitment = trial.recruitment
    may_be = folder.may_be_target
    return TrialTold(
        id=trial.id,
        version=trial.version,
        digest=trial.digest,
        short_title=trial.short_title,
        title=trial.title,
        recruitment=f"{recruitment.status} (registry, {recruitment.as_of})",
        target=trial.target,
        source=dict(folder.source),
        signed_off=tuple(
            SignedOff(one.role, one.by, one.date)
            for one in folder.sign_off
            if one.digest == trial.digest  # a stale signature is of other criteria
        ),
        criteria=tuple(
            CriterionTold(
                criterion.id,
                criterion.kind.value,
                criterion.text,
                criterion.reading,
                tuple(sorted(folder.concepts.get(criterion.id, ()))),
            )
            for criterion in trial.criteria
        ),
        may_be_target=(*may_be.findings, *(f"except {key}" for key in may_be.excluding)),
    )
