"""Which of many trials may concern a patient, without asking each of them.

Ten thousand trials ask for a few hundred diagnoses, ages and sexes. A target diagnosis is asked
only where the record holds one of its concepts, and once for all trials that share it; those are
told apart by their criteria of age and sex, each distinct one asked once.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from cds.core.criterion import Criterion, Kind, Status
from cds.engine.evaluate import decide
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf
from cds.engine.person import Age, Sex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from cds.core.criterion import Characteristic, Decision, Trial
    from cds.core.facts import Facts
    from cds.core.when import Evaluation


def target_concepts(trials: Iterable[Trial]) -> frozenset[str]:
    """The concepts of the findings that the trials' target diagnoses are made of."""
    return frozenset(
        concept
        for trial in trials
        for criterion in trial.criteria
        if criterion.id == trial.target
        for concept in _concepts(criterion.form)
    )


# What a finding says of a record that holds none of its concepts, whichever they are.
_NOTHING = Finding(("",), "")


class Concern(msgspec.Struct, frozen=True):
    """Places of trials whose target diagnosis is not ruled out.

    `untold`: nobody can tell whether it stands. `ruled_out`: age or sex speaks against them.
    """

    possible: Sequence[int]
    untold: Sequence[int]
    ruled_out: Sequence[int]


class _Group(msgspec.Struct, frozen=True):
    """The trials that share a target diagnosis, by their criteria of age and sex."""

    target: Criterion
    by_gates: dict[tuple[Criterion, ...], list[int]]

    def places(self) -> Iterator[int]:
        """The places of all of them."""
        for places in self.by_gates.values():
            yield from places


class TrialIndex:
    """Trials by their target diagnosis, age and sex; a trial is named by its place.

    `heads` may hold no more than these criteria: others are not looked at.
    """

    def __init__(self, heads: Sequence[Trial]) -> None:
        """Sort the trials; equal forms become one."""
        self._always: list[_Group] = []
        self._quiet: list[_Group] = []
        self._by_concept: dict[str, list[int]] = {}
        groups: dict[_Key, _Group] = {}
        alike: dict[_Key, Criterion] = {}
        for place, head in enumerate(heads):
            gates: list[Criterion] = []
            target = None
            for criterion in head.criteria:
                if criterion.id == head.target:
                    target = alike.setdefault(_key(criterion), criterion)
                elif isinstance(criterion.form, Age | Sex):
                    gates.append(alike.setdefault(_key(criterion), criterion))
            assert target is not None  # noqa: S101 - a trial without one is not loaded
            group = groups.get(_key(target))
            if group is None:
                group = groups[_key(target)] = _Group(target, {})
                self._file(group)
            group.by_gates.setdefault(tuple(gates), []).append(place)

    def concern(self, facts: Facts, asked: Evaluation, near_days: int | None) -> Concern:
        """The trials that could give a card on the day asked about, and why others cannot.

        Age and sex rule a trial out where they fail and will not cease to within `near_days`;
        where that is None they are not asked.
        """
        possible: list[int] = []
        untold: list[int] = []
        ruled_out: list[int] = []
        touched = {at for key in facts.conditions for at in self._by_concept.get(key, ())}
        if _NOTHING.answer(facts, asked).gaps:  # nobody can tell what is not recorded
            for at, group in enumerate(self._quiet):
                if at not in touched:
                    untold += group.places()
        gated: dict[int, bool] = {}
        for group in (*self._always, *(self._quiet[at] for at in sorted(touched))):
            status = decide(group.target, facts, asked).status
            if status is Status.UNKNOWN:
                untold += group.places()
            elif status is not Status.FAIL:
                for gates, places in group.by_gates.items():
                    against = near_days is not None and any(
                        _rules_out(gate, facts, asked, near_days, gated) for gate in gates
                    )
                    (ruled_out if against else possible).extend(places)
        return Concern(sorted(possible), sorted(untold), sorted(ruled_out))

    def _file(self, group: _Group) -> None:
        """A finding is found again by its concepts; anything else is asked each time."""
        target = group.target
        if target.kind is Kind.INCLUSION and target.reviewed and _is_findings(target.form):
            for concept in _concepts(target.form):
                self._by_concept.setdefault(concept, []).append(len(self._quiet))
            self._quiet.append(group)
        else:
            self._always.append(group)


_Key = tuple[Kind, bool, "Characteristic"]


def _key(criterion: Criterion) -> _Key:
    """What two criteria must share to be decided alike."""
    return criterion.kind, criterion.reviewed, criterion.form


def _is_findings(form: Characteristic) -> bool:
    """Whether the form is a finding or made of findings alone, none of them negated."""
    if isinstance(form, AllOf | AnyOf):
        return all(_is_findings(part) for part in form.of)
    return isinstance(form, Finding)


def _concepts(form: Characteristic) -> set[str]:
    if isinstance(form, Finding):
        return set(form.concepts)
    return {concept for part in form.parts() for concept in _concepts(part)}


def _rules_out(
    gate: Criterion, facts: Facts, asked: Evaluation, near_days: int, gated: dict[int, bool]
) -> bool:
    """Whether age or sex fails for longer than `near_days`; `gated` remembers what was asked."""
    known = gated.get(id(gate))
    if known is None:
        known = gated[id(gate)] = _fails_on(decide(gate, facts, asked), asked, near_days)
    return known


def _fails_on(decision: Decision, asked: Evaluation, near_days: int) -> bool:
    if decision.status is not Status.FAIL:
        return False
    clears_on = decision.clears_on
    return clears_on is None or (clears_on - asked.on).days > near_days
