"""Missing data that are said in one line: many tests never done, all done too long ago."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.words import listed, readable, shortened
from cds.core.answer import Gap
from cds.engine.lab import IS_NEWEST_READ

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from cds.core.criterion import Decision

_MOST_BOUNDS = 5
_MOST_LENGTH = 480


def said_together(
    decisions: Sequence[Decision], labels: Mapping[str, str]
) -> Iterator[tuple[str, tuple[Decision, ...]]]:
    """Lines that each speak for several criteria lacking data in the same way, with those."""
    for gap, says in _SAYS.items():
        same = tuple(one for one in decisions if _lacks(one, gap))
        if len(same) > 1:
            yield shortened(says(same, labels), _MOST_LENGTH), same


def _lacks(decision: Decision, gap: Gap) -> bool:
    """What a human must say beside it waits until the datum is there."""
    return {missing.gap for missing in decision.gaps} - {Gap.JUDGEMENT} == {gap}


def _names(decisions: Sequence[Decision], gap: Gap, labels: Mapping[str, str]) -> list[str]:
    concepts = [m.concept for one in decisions for m in one.gaps if m.gap is gap]
    return [labels.get(concept, concept.replace("_", " ")) for concept in dict.fromkeys(concepts)]


def _not_recorded(decisions: Sequence[Decision], labels: Mapping[str, str]) -> str:
    """With their bounds where they are few."""
    names = _names(decisions, Gap.NOT_RECORDED, labels)
    if len(names) > _MOST_BOUNDS:
        return f"not recorded: {listed(names, len(names))}"
    said = (readable(one.reason).removeprefix("no ") for one in decisions)
    return f"not recorded: {', '.join(dict.fromkeys(s.replace(' recorded', '', 1) for s in said))}"


def _not_retrieved(decisions: Sequence[Decision], labels: Mapping[str, str]) -> str:
    """What came of a list that was cut off stands apart, with its newest values."""
    cut_off = [one for one in decisions if IS_NEWEST_READ in one.reason]
    names = _names([one for one in decisions if one not in cut_off], Gap.NOT_RETRIEVED, labels)
    said = [f"could not be read: {listed(names, len(names))}"] if names else []
    if cut_off:
        newest = [readable(one.reason).partition(f" {IS_NEWEST_READ}")[0] for one in cut_off]
        said.append(f"not all results could be read, a newer one may exist: {_values(newest)}")
    return "; ".join(said)


def _too_old(decisions: Sequence[Decision], labels: Mapping[str, str]) -> str:
    """By look-back where they differ."""
    del labels
    by_span: dict[str, list[str]] = {}
    for decision in decisions:
        said, _, rest = readable(decision.reason).partition(" is older than ")
        by_span.setdefault(rest.partition(" (")[0], []).append(said)
    return "; ".join(f"older than {span}: {_values(said)}" for span, said in by_span.items())


def _no_range(decisions: Sequence[Decision], labels: Mapping[str, str]) -> str:
    del labels
    said = [readable(one.reason).partition(" (")[0] for one in decisions]
    return f"without an upper limit of normal that fits the patient: {_values(said)}"


def _values(said: Sequence[str]) -> str:
    """'ECOG 0, ANC 3.7 ×10⁹/L (14 Jan 2026), LVEF 63 % (15 Oct 2025)': each day once."""
    by_day: dict[str, list[str]] = {}
    for one in dict.fromkeys(said):
        what, _, day = one.rpartition(" on ")
        by_day.setdefault(day, []).append(what)
    return ", ".join(f"{', '.join(what)} ({day})" for day, what in by_day.items())


_SAYS: Mapping[Gap, Callable[[Sequence[Decision], Mapping[str, str]], str]] = {
    Gap.NOT_RETRIEVED: _not_retrieved,
    Gap.NOT_RECORDED: _not_recorded,
    Gap.TOO_OLD: _too_old,
    Gap.NO_RANGE: _no_range,
}
