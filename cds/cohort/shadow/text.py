"""The report as Markdown: counts and shares, no patient in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from cds.cards.words import counted
from cds.cohort.shadow.interval import Share

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.cohort.shadow.comparing import Against, Comparison, CriterionAgainst
    from cds.cohort.shadow.coordinator import Judged
    from cds.cohort.shadow.model import Phase, Seen

_MOST_MISSING = 12
_STATUSES = ("pass", "fail", "unknown", "review", "not asked")
_OVERALL = ("potentially-eligible", "undetermined", "ineligible")


def report_text(
    phase: Phase,
    comparison: Comparison | None,
    labels: Mapping[str, str],
    statuses: Mapping[tuple[str, str, int], str] | None = None,
) -> str:
    """The whole report; `labels` are names of concepts.

    `statuses` says of a line of the list (trial, criterion or "", line) what stood in the way.
    """
    if not phase.seen:
        return "# Report on a shadow phase\n\nNothing was evaluated in this phase.\n"
    parts = [*_head(phase), *_how_often(phase), *_missing(phase, labels)]
    if comparison is not None:
        parts += [*_against(comparison, statuses or {}), *_criteria(comparison)]
    return "\n".join(parts).rstrip() + "\n"


def _head(phase: Phase) -> Iterator[str]:
    yield "# Report on a shadow phase"
    yield ""
    if phase.first is None or phase.last is None:
        yield "Nothing was evaluated in this phase."
        return
    days = (
        f"for {phase.first}" if phase.first == phase.last else f"for {phase.first} to {phase.last}"
    )
    yield (
        f"From {phase.source}: {counted(phase.calls, 'evaluation')} of "
        f"{counted(len(phase.patients), 'patient')}, "
        f"{days}, with {', '.join(phase.versions)}."
    )
    yield ""
    yield (
        "A card *would have been shown* where the hook would have given one if it spoke. "
        "Intervals are 95 % (Wilson): few patients prove little, however good the share looks."
    )
    yield ""


def _how_often(phase: Phase) -> Iterator[str]:
    yield "## How often"
    yield ""
    yield f"A card would have been shown in {Share(phase.with_card, phase.calls)} of evaluations."
    yield ""
    yield (
        "| trial | evaluations | with a card | patients with a card | "
        + " | ".join(_OVERALL)
        + " |"
    )
    yield "| --- |" + " ---: |" * (3 + len(_OVERALL))
    for trial in phase.trials:
        seen = [one for one in phase.seen if one.trial == trial]
        overall = Counter(one.overall for one in seen)
        yield (
            f"| {trial} | {sum(one.calls for one in seen)} | {sum(one.shown for one in seen)} "
            f"| {sum(one.shown > 0 for one in seen)} | "
            + " | ".join(str(overall[word]) for word in _OVERALL)
            + " |"
        )
    yield ""
    yield "The last three columns count patients, as they stood last."
    yield ""


def _missing(phase: Phase, labels: Mapping[str, str]) -> Iterator[str]:
    yield "## What was missing"
    yield ""
    shown = [one for one in phase.seen if one.shown]
    counts: Counter[tuple[str, str, str]] = Counter()
    for one in shown:
        for criterion, gaps in one.missing.items():
            for gap in gaps:
                word, _, concept = gap.partition(" ")
                if word != "judgement":
                    counts[one.trial, criterion, f"{labels.get(concept, concept)}: {word}"] += 1
    if not counts:
        yield "Nothing: every criterion of the trials with a card could be told from the record."
        yield ""
        return
    yield f"Of {counted(len(shown), 'pair')} of patient and trial with a card:"
    yield ""
    yield "| trial | criterion | what | patients |"
    yield "| --- | --- | --- | ---: |"
    most = sorted(counts.items(), key=lambda one: (-one[1], one[0]))
    for (trial, criterion, what), count in most[:_MOST_MISSING]:
        yield f"| {trial} | {criterion} | {what} | {count} |"
    if len(most) > _MOST_MISSING:
        yield ""
        yield f"And {len(most) - _MOST_MISSING} more."
    yield ""


def _against(comparison: Comparison, statuses: Mapping[tuple[str, str, int], str]) -> Iterator[str]:
    yield "## Against the coordinator's list"
    yield ""
    if not comparison.trials:
        yield "No line of the list is about a chart that was evaluated as a whole."
        yield ""
        return
    yield "| trial | fits, card | fits, no card | does not fit, card | does not fit, no card |"
    yield "| --- | ---: | ---: | ---: | ---: |"
    for one in comparison.trials:
        yield (
            f"| {one.trial} | {one.fit_shown} | {len(one.missed)} "
            f"| {len(one.needless) + one.unlisted} | {one.unfit_silent} |"
        )
    yield ""
    yield "| trial | sensitivity | specificity |"
    yield "| --- | --- | --- |"
    for one in comparison.trials:
        yield f"| {one.trial} | {one.sensitivity} | {one.specificity} |"
    yield ""
    yield from _to_look_at(comparison.trials, statuses)
    if comparison.not_seen:
        lines = ", ".join(str(one.line) for one in comparison.not_seen)
        yield f"Not counted, because no such chart was evaluated: lines {lines} of the list."
        yield ""
    if comparison.unjudged:
        yield (
            "Not counted, because the list does not judge them: "
            f"{counted(comparison.unjudged, 'pair')} of patient and trial."
        )
        yield ""


def _to_look_at(
    trials: tuple[Against, ...], statuses: Mapping[tuple[str, str, int], str]
) -> Iterator[str]:
    missed = [one for trial in trials for one in trial.missed]
    needless = [one for trial in trials for one in trial.needless]
    for title, lines in (("Fits, and no card", missed), ("Does not fit, and a card", needless)):
        if lines:
            yield f"{title}, by line of the list:"
            yield ""
            for one in lines:
                yield f"- line {one.line}, {one.trial}: {_stood(one, statuses)}"
            yield ""


def _stood(one: Judged, statuses: Mapping[tuple[str, str, int], str]) -> str:
    return statuses.get((one.trial, one.criterion or "", one.line), "see its decision record")


def _criteria(comparison: Comparison) -> Iterator[str]:
    if not comparison.criteria:
        return
    yield "## Criterion by criterion"
    yield ""
    yield (
        "*Sensitivity*: of those whom the coordinator rules out by it, how many had `fail`. "
        "*Specificity*: of the others, how many had not. *Agreed*: of what was decided at all."
    )
    yield ""
    yield "| trial | criterion | sensitivity | specificity | agreed | left to people or data |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for one in comparison.criteria:
        yield (
            f"| {one.trial} | {one.criterion} | {one.sensitivity} | {one.specificity} "
            f"| {one.agreed} | {_open(one)} |"
        )
    yield ""


def _open(one: CriterionAgainst) -> str:
    counts = Counter(one.yes) + Counter(one.no)
    said = [f"{counts[word]} {word}" for word in _STATUSES[2:] if counts[word]]
    return ", ".join(said) or "none"


def what_stood(seen: Seen) -> str:
    """Of one patient and trial: what ruled out, or how it stood."""
    failed = seen.with_status("fail")
    if failed:
        return f"ruled out by {', '.join(failed)}"
    unknown = seen.with_status("unknown")
    if unknown:
        return f"{seen.overall}, cannot tell {', '.join(unknown)}"
    return seen.overall
