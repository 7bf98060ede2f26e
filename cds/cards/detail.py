"""The body of a card: a short GFM table, the decisive things first.

It is read in a side bar between two patients. What it leaves out stands on the determination page.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.next_step import next_step
from cds.cards.words import plain, readable, shortened, spoken_date
from cds.core.answer import Gap
from cds.core.criterion import Overall, Status
from cds.engine.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.core.assessment import Assessment
    from cds.core.criterion import Decision, Determination

_HEADINGS = {
    Status.FAIL: "✗ Rules out",
    Status.UNKNOWN: "? Missing",
    Status.REVIEW: "☐ For you to judge",
}
_SAID_TOGETHER = {
    Gap.NOT_RECORDED: "not recorded",
    Gap.NO_RANGE: "without an upper limit of normal that fits the patient",
}
_MOST_PROBLEMS = 3
_MOST_IDS = 6
_REASON_LENGTH = 160
_READING_LENGTH = 70


def detail(
    assessment: Assessment,
    determination: Determination,
    labels: Mapping[str, str],
    *,
    dated: bool = False,
    most_rows: int | None = None,
) -> str:
    """The card's Markdown: verdict, table, what was met, what could not be read, recruitment.

    `most_rows`: at most so many lines for each status, where the side bar is a narrow one.
    """
    blocks = [
        _verdict(determination, labels),
        *_table(determination, most_rows),
        _met(determination),
    ]
    blocks += _problems(assessment)
    blocks.append(_trial_line(determination))
    blocks += _fixed_date(assessment, dated=dated)
    return "\n\n".join(block for block in blocks if block)


def many_detail(
    assessment: Assessment,
    determinations: Sequence[Determination],
    labels: Mapping[str, str],
    *,
    dated: bool = False,
) -> str:
    """The Markdown of one card for many trials: a line each, the most actionable first."""
    rows = ["| Trial | |", "|---|---|"]
    for determination in determinations:
        trial = determination.trial
        name = f"{trial.id} {plain(trial.short_title)}"
        rows.append(f"| {name} | {_verdict(determination, labels)} |")
    blocks = ["\n".join(rows), *_problems(assessment), *_fixed_date(assessment, dated=dated)]
    return "\n\n".join(blocks)


def _fixed_date(assessment: Assessment, *, dated: bool) -> Iterator[str]:
    if dated:
        day = spoken_date(assessment.on)
        yield f"Evaluated for the fixed date {day} (demonstration or test)."


def _verdict(determination: Determination, labels: Mapping[str, str]) -> str:
    if determination.overall is Overall.POTENTIALLY_ELIGIBLE:
        return "**Nothing in the record speaks against it.** A person decides, never this card."
    if determination.overall is Overall.UNDETERMINED:
        return next_step(determination, labels)
    if determination.clears_on is not None:
        day = spoken_date(determination.clears_on)
        return f"**Ruled out today, by time only: possible from {day}** if nothing else happens."
    return "**Ruled out today.**"


def _table(determination: Determination, most_rows: int | None) -> Iterator[str]:
    rows = [
        row
        for status, most in _most_rows(determination.overall).items()
        for row in _rows(status, determination.with_status(status), min(most, most_rows or most))
    ]
    if rows:
        yield "\n".join(["| | In the record | Criterion |", "|---|---|---|", *rows])


def _most_rows(overall: Overall) -> dict[Status, int]:
    """How many lines each status may have: nobody judges what is ruled out anyway."""
    if overall is Overall.INELIGIBLE:
        return {Status.FAIL: 5, Status.UNKNOWN: 3}
    if overall is Overall.UNDETERMINED:
        return {Status.UNKNOWN: 5, Status.REVIEW: 3}
    return {Status.REVIEW: 6}


def _rows(status: Status, decisions: Sequence[Decision], most: int) -> Iterator[str]:
    heading = _HEADINGS[status]
    lines = list(_lines(status, decisions))
    for says, criteria in lines[:most]:
        yield f"| {heading} | {plain(says)} | {_named(status, criteria)} |"
    rest = [decision for _, criteria in lines[most:] for decision in criteria]
    if rest:
        yield f"| {heading} | and {len(rest)} more | {_ids(rest)} |"


def _lines(
    status: Status, decisions: Sequence[Decision]
) -> Iterator[tuple[str, tuple[Decision, ...]]]:
    """What the record says, with the criteria of which it says it: what is the same is said once.

    What a human must judge because of this record comes before what is asked of everybody.
    """
    left = sorted(decisions, key=lambda one: isinstance(one.criterion.form, Judgement))
    if status is Status.UNKNOWN:
        for gap, lead in _SAID_TOGETHER.items():
            same = tuple(one for one in left if {m.gap for m in one.gaps} == {gap})
            if len(same) > 1:
                brief = _without_bound if gap is Gap.NO_RANGE else _with_bound
                said = dict.fromkeys(brief(readable(decision.reason)) for decision in same)
                yield shortened(f"{lead}: {', '.join(said)}", 2 * _REASON_LENGTH), same
                left = [one for one in left if one not in same]
    groups: dict[object, list[Decision]] = {}
    for decision in left:
        same_says = decision.gaps if status is Status.UNKNOWN else decision.reason
        groups.setdefault((same_says, decision.evidence, decision.clears_on), []).append(decision)
    for group in groups.values():
        reason = "; ".join(dict.fromkeys(readable(group[0].reason).split("; ")))
        if group[0].clears_on is not None:
            reason += f"; clear from {spoken_date(group[0].clears_on)}"
        yield shortened(reason, _REASON_LENGTH), tuple(group)


def _with_bound(reason: str) -> str:
    """'ANC (needs ≥ 1.5 ×10⁹/L)' of 'no ANC recorded (needs ≥ 1.5 ×10⁹/L)'."""
    return reason.removeprefix("no ").replace(" recorded", "", 1)


def _without_bound(reason: str) -> str:
    """'ALT 19 U/L on 24 Feb 2026': twins that state the bound either way round are one."""
    return reason.partition(" (")[0]


def _named(status: Status, decisions: Sequence[Decision]) -> str:
    if status is Status.REVIEW or len(decisions) > 1:
        return _ids(decisions)
    reading = shortened(readable(decisions[0].criterion.reading), _READING_LENGTH)
    return f"{decisions[0].criterion.id} {plain(reading)}"


def _ids(decisions: Sequence[Decision]) -> str:
    ids = [decision.criterion.id for decision in decisions]
    more = len(ids) - _MOST_IDS
    return ", ".join(ids[:_MOST_IDS]) + (f" and {more} more" if more > 0 else "")


def _met(determination: Determination) -> str:
    met = len(determination.with_status(Status.PASS))
    return f"✓ {met} of {len(determination.decisions)} criteria do not stand in the way."


def _problems(assessment: Assessment) -> Iterator[str]:
    says = [
        f"{problem.reference.partition('/')[0]}: {problem.says}"
        if problem.reference and problem.says.startswith("it ")
        else problem.says
        for problem in assessment.problems
    ]
    counts: dict[str, int] = {}
    for one in says:
        counts[one] = counts.get(one, 0) + 1
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


def _trial_line(determination: Determination) -> str:
    trial = determination.trial
    as_of = readable(trial.recruitment.as_of)
    line = f"{plain(trial.sponsor)}. Recruitment: {plain(trial.recruitment.status)} "
    line += f"(registry, {as_of})."
    if not trial.signed_off:
        line += " *Criteria not yet reviewed by a named clinician.*"
    return line
