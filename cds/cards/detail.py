"""The body of a card: a short GFM table, the decisive things first.

It is read in a side bar between two patients. What it leaves out stands on the determination page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.next_step import needed, next_step
from cds.cards.stale import counts_until
from cds.cards.together import said_together
from cds.cards.words import counted, listed, plain, readable, shortened, spoken_date
from cds.core.criterion import Overall, Status
from cds.engine.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from cds.cards.orders import Words
    from cds.core.assessment import Assessment
    from cds.core.criterion import Decision, Determination
    from cds.core.facts import Problem

_HEADINGS = {
    Status.FAIL: "✗ Rules out",
    Status.UNKNOWN: "? Missing",
    Status.REVIEW: "☐ To judge",
    Status.PASS: "✓ Met",
}
_NOT_RECOGNISED = "is not recognised"
_MOST_PROBLEMS = 3
_MOST_IDS = 6
_REASON_LENGTH = 160
_READING_LENGTH = 70
_NOUNS = {
    "Condition": "diagnosis",
    "MedicationAdministration": "administration of a medicine",
    "MedicationRequest": "prescription",
    "MedicationStatement": "medication entry",
    "Observation": "result",
    "Procedure": "procedure",
}


def detail(
    assessment: Assessment,
    determination: Determination,
    words: Words,
    *,
    dated: bool = False,
    most_rows: int | None = None,
) -> str:
    """The card's Markdown: verdict, table, what could not be read, recruitment.

    `most_rows`: at most so many lines for each status, where the side bar is a narrow one.
    """
    blocks = [_verdict(determination, words), _table(determination, words.labels, most_rows)]
    blocks += _problems(assessment, besides=_judged(determination))
    blocks.append(_trial_line(determination))
    blocks += _fixed_date(assessment, dated=dated)
    return "\n\n".join(blocks)


def many_detail(
    assessment: Assessment,
    determinations: Sequence[Determination],
    words: Words,
    *,
    dated: bool = False,
) -> str:
    """The Markdown of one card for many trials: a line each, the most actionable first."""
    rows = ["| Trial | How it stands |", "|---|---|"]
    for determination in determinations:
        trial = determination.trial
        name = f"{trial.id} {plain(trial.short_title)}"
        rows.append(f"| {name} | {_in_short(determination, words)} |")
    blocks = ["\n".join(rows), "A person decides, never this card."]
    blocks += [*_problems(assessment), *_fixed_date(assessment, dated=dated)]
    return "\n\n".join(blocks)


def _in_short(determination: Determination, words: Words) -> str:
    if determination.overall is Overall.POTENTIALLY_ELIGIBLE:
        questions = len(determination.with_status(Status.REVIEW))
        return f"**nothing speaks against it**, {counted(questions, 'point')} to confirm"
    if determination.overall is Overall.UNDETERMINED:
        return f"**needs {plain(listed(needed(determination, words)))}**"
    if determination.clears_on is not None:
        return f"not yet, possible from {spoken_date(determination.clears_on)}"
    return "does not fit today"


def _fixed_date(assessment: Assessment, *, dated: bool) -> Iterator[str]:
    if dated:
        day = spoken_date(assessment.on)
        yield f"Evaluated for the fixed date {day} (demonstration or test)."


def _verdict(determination: Determination, words: Words) -> str:
    if determination.overall is Overall.POTENTIALLY_ELIGIBLE:
        says = ["**Nothing in the record speaks against it.**", *_stale_first(determination)]
        return " ".join([*says, "A person decides, never this card."])
    if determination.overall is Overall.UNDETERMINED:
        return next_step(determination, words)
    if determination.clears_on is not None:
        day = spoken_date(determination.clears_on)
        return f"**Ruled out today, by time only: possible from {day}** if nothing else happens."
    return "**Ruled out today.**"


def _stale_first(determination: Determination) -> Iterator[str]:
    """Until when the results behind a verdict count."""
    found = counts_until(determination)
    if found is not None:
        label, day = found
        yield f"Its results count until {spoken_date(day)} ({plain(label)} runs out first)."


def _table(determination: Determination, labels: Mapping[str, str], most_rows: int | None) -> str:
    rows = [
        row
        for status, most in _most_rows(determination.overall).items()
        for row in _rows(
            status, determination.with_status(status), min(most, most_rows or most), labels
        )
    ]
    return "\n".join(
        ["| | In the record | Criterion |", "|---|---|---|", *rows, *_met(determination)]
    )


def _most_rows(overall: Overall) -> dict[Status, int]:
    """How many lines each status may have: nobody judges what is ruled out anyway."""
    if overall is Overall.INELIGIBLE:
        return {Status.FAIL: 5, Status.UNKNOWN: 3}
    if overall is Overall.UNDETERMINED:
        return {Status.UNKNOWN: 5, Status.REVIEW: 3}
    return {Status.REVIEW: 6}


def _rows(
    status: Status, decisions: Sequence[Decision], most: int, labels: Mapping[str, str]
) -> Iterator[str]:
    heading = _HEADINGS[status]
    lines = list(_lines(status, decisions, labels))
    for together, criteria in lines[:most]:
        says = together or _said_of(criteria[0])
        yield f"| {heading} | {plain(says)} | {_named(status, criteria)} |"
    rest = [decision for _, criteria in lines[most:] for decision in criteria]
    if rest:
        yield f"| {heading} | and {len(rest)} more | {_ids(rest)} |"


def _lines(
    status: Status, decisions: Sequence[Decision], labels: Mapping[str, str]
) -> Iterator[tuple[str, tuple[Decision, ...]]]:
    """What the record says, with the criteria of which it says it: what is the same is said once.

    What a human must judge because of this record comes before what is asked of everybody. "":
    each of the criteria says it, in the words of `_said_of`.
    """
    left = sorted(decisions, key=lambda one: isinstance(one.criterion.form, Judgement))
    if status is Status.UNKNOWN:
        for says, same in said_together(left, labels):
            yield says, same
            left = [one for one in left if one not in same]
    groups: dict[object, list[Decision]] = {}
    for decision in left:
        same_says = decision.gaps if status is Status.UNKNOWN else _first_said(decision.reason)
        groups.setdefault((same_says, decision.evidence, decision.clears_on), []).append(decision)
    for group in groups.values():
        yield "", tuple(group)


def _said_of(decision: Decision) -> str:
    """The reason of one decision, each of its parts once."""
    reason = "; ".join(dict.fromkeys(readable(_first_said(decision.reason)).split("; ")))
    if decision.clears_on is not None:
        reason += f"; clear from {spoken_date(decision.clears_on)}"
    return shortened(reason, _REASON_LENGTH)


def _first_said(reason: str) -> str:
    """A drug that nobody recognised is said once, whatever else is asked about it."""
    first, _, _ = reason.partition("; ")
    return first if first.endswith(_NOT_RECOGNISED) else reason


def _named(status: Status, decisions: Sequence[Decision]) -> str:
    if status is Status.REVIEW or len(decisions) > 1:
        return _ids(decisions)
    reading = shortened(readable(decisions[0].criterion.reading), _READING_LENGTH)
    return f"{decisions[0].criterion.id} {plain(reading)}"


def _ids(decisions: Sequence[Decision]) -> str:
    ids = [decision.criterion.id for decision in decisions]
    more = len(ids) - _MOST_IDS
    return ", ".join(ids[:_MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def _met(determination: Determination) -> Iterator[str]:
    """The last row: how many criteria are met, and the diagnosis for which the card is there."""
    met = determination.with_status(Status.PASS)
    if not met:
        return
    says = f"{len(met)} of {len(determination.decisions)} criteria"
    target = determination.target
    if target.status is Status.PASS:
        reason = shortened(readable(target.reason), _REASON_LENGTH)
        says = f"{reason}; {says}"
    others = f" and {len(met) - 1} more" if len(met) > 1 else ""
    yield f"| {_HEADINGS[Status.PASS]} | {plain(says)} | {met[0].criterion.id}{others} |"


def _judged(determination: Determination) -> set[str]:
    """The resources about which the table asks a human."""
    review = determination.with_status(Status.REVIEW)
    return {evidence.reference for decision in review for evidence in decision.evidence}


def _problems(assessment: Assessment, besides: Collection[str] = ()) -> Iterator[str]:
    """What was not read or recognised; `besides` are resources that the table speaks of."""
    counts: dict[str, int] = {}
    for problem in assessment.problems:
        if problem.kind == "not-recognised" and problem.reference in besides:
            continue
        says = _said(problem)
        counts[says] = counts.get(says, 0) + 1
    if counts:
        lines = [
            f"- {plain(shortened(readable(one), _REASON_LENGTH))}"
            + (f" \\(×{number}\\)" if number > 1 else "")
            for one, number in counts.items()
        ]
        shown = lines[:_MOST_PROBLEMS]
        if len(lines) > len(shown):
            shown.append(f"- and {len(lines) - len(shown)} more")
        yield "Not read or not recognised:\n\n" + "\n".join(shown)


def _said(problem: Problem) -> str:
    """'A result is not this patient's and was not used' of 'it is not …' about an Observation."""
    if problem.reference is None or not problem.says.startswith("it "):
        return problem.says
    kind = problem.reference.partition("/")[0]
    noun = _NOUNS.get(kind, kind)
    article = "An" if noun[:1].lower() in "aeiou" else "A"
    return f"{article} {noun} {problem.says.removeprefix('it ')}"


def _trial_line(determination: Determination) -> str:
    trial = determination.trial
    as_of = readable(trial.recruitment.as_of)
    line = f"{plain(trial.sponsor)}. Recruitment: {plain(trial.recruitment.status)} "
    line += f"(registry, {as_of})"
    line += "." if trial.recruitment.recruiting else "; registries lag, so ask the site."
    if not trial.signed_off:
        line += " *Criteria not yet reviewed by a named clinician.*"
    return line
