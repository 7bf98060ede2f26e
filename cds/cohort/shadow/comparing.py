"""What the phase saw against what the coordinator says."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from cds.cohort.shadow.interval import Share

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from cds.cohort.shadow.coordinator import Judged
    from cds.cohort.shadow.model import Phase, Seen


class Against(NamedTuple):
    """One trial: the patients whom the coordinator judged, by whether a card would have come.

    `missed` are those that fit and gave no card, `needless` those that do not and gave one,
    `unlisted` those that gave one and stand on no list that is complete.
    """

    trial: str
    fit_shown: int
    missed: tuple[Judged, ...]
    needless: tuple[Judged, ...]
    unlisted: int
    unfit_silent: int

    @property
    def sensitivity(self) -> Share:
        """Of those that fit, how many gave a card."""
        return Share(self.fit_shown, self.fit_shown + len(self.missed))

    @property
    def specificity(self) -> Share:
        """Of those that do not fit, how many gave none."""
        shown = len(self.needless) + self.unlisted
        return Share(self.unfit_silent, self.unfit_silent + shown)


class CriterionAgainst(NamedTuple):
    """One criterion: the coordinator's word against the status, as counts.

    `yes` and `no` count the statuses of those of whom the coordinator says so.
    """

    trial: str
    criterion: str
    yes: Mapping[str, int]
    no: Mapping[str, int]

    @property
    def sensitivity(self) -> Share:
        """Of those whom it rules out, how many were ruled out (fail)."""
        return Share(self.no.get("fail", 0), sum(self.no.values()))

    @property
    def specificity(self) -> Share:
        """Of those whom it does not rule out, how many were not."""
        of = sum(self.yes.values())
        return Share(of - self.yes.get("fail", 0), of)

    @property
    def agreed(self) -> Share:
        """Of what was decided at all (pass or fail), how much the coordinator says too."""
        right = self.yes.get("pass", 0) + self.no.get("fail", 0)
        decided = sum(self.yes.get(word, 0) + self.no.get(word, 0) for word in ("pass", "fail"))
        return Share(right, decided)


class Comparison(NamedTuple):
    """All of it. `not_seen` are lines of the list about charts that were never evaluated.

    `unjudged` counts pairs of patient and trial that were evaluated and stand on no list.
    """

    trials: tuple[Against, ...]
    criteria: tuple[CriterionAgainst, ...]
    not_seen: tuple[Judged, ...]
    unjudged: int


def compared(
    phase: Phase,
    judged: Sequence[Judged],
    names: Callable[[str], Iterable[str]],
    *,
    complete: bool = False,
) -> Comparison:
    """The comparison.

    `names` gives the names under which a patient of the list may stand in the phase. `complete`:
    whoever is not on the list does not fit.
    """
    seen = {(one.patient, one.trial): one for one in phase.seen}

    def find(one: Judged) -> Seen | None:
        return next(
            (seen[name, one.trial] for name in names(one.patient) if (name, one.trial) in seen),
            None,
        )

    found = [(one, find(one)) for one in judged]
    whole = [(one, was) for one, was in found if one.criterion is None and was is not None]
    listed = {(was.patient, was.trial) for _, was in whole}
    others = [one for key, one in seen.items() if key not in listed]
    trials = tuple(_against(trial, whole, others if complete else []) for trial in phase.trials)
    return Comparison(
        tuple(one for one in trials if one.sensitivity.of or one.specificity.of),
        _by_criterion((one, was) for one, was in found if one.criterion and was is not None),
        tuple(one for one, was in found if was is None),
        0 if complete else len(others),
    )


def _against(trial: str, whole: Sequence[tuple[Judged, Seen]], others: Sequence[Seen]) -> Against:
    mine = [(one, was.shown > 0) for one, was in whole if one.trial == trial]
    unlisted = [was.shown > 0 for was in others if was.trial == trial]
    return Against(
        trial,
        sum(one.fits and shown for one, shown in mine),
        tuple(one for one, shown in mine if one.fits and not shown),
        tuple(one for one, shown in mine if not one.fits and shown),
        sum(unlisted),
        len(unlisted) - sum(unlisted) + sum(not one.fits and not shown for one, shown in mine),
    )


def _by_criterion(found: Iterable[tuple[Judged, Seen]]) -> tuple[CriterionAgainst, ...]:
    yes: dict[tuple[str, str], Counter[str]] = {}
    no: dict[tuple[str, str], Counter[str]] = {}
    for one, was in found:
        key = (one.trial, one.criterion or "")
        yes.setdefault(key, Counter())
        no.setdefault(key, Counter())
        status = was.statuses.get(one.criterion or "", "not asked")
        (yes if one.fits else no)[key][status] += 1
    return tuple(CriterionAgainst(*key, yes[key], no[key]) for key in sorted(yes))
