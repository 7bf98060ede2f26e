"""The body of a card: a short GFM table, the decisive things first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.cards.orders import CONSENT_FIRST, tests_to_order
from cds.cards.words import counted, listed, plain, readable, shortened, spoken_date
from cds.core.criterion import Overall, Status

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.core.assessment import Assessment
    from cds.core.criterion import Decision, Determination

_SECTIONS = (
    (Status.FAIL, "✗ Rules out", 8),
    (Status.UNKNOWN, "? Missing", 8),
    (Status.REVIEW, "☐ For you to judge", 6),
)
_REASON_LENGTH = 180


def detail(
    assessment: Assessment,
    determination: Determination,
    labels: Mapping[str, str],
    *,
    dated: bool = False,
) -> str:
    """The card's Markdown: verdict, table, what was met, what could not be read, recruitment."""
    blocks = [_verdict(determination, labels), *_table(determination), _met(determination)]
    blocks += _problems(assessment)
    blocks.append(_trial_line(determination))
    if dated:
        day = spoken_date(assessment.on)
        blocks.append(f"Evaluated for the fixed date {day} (demonstration or test).")
    return "\n\n".join(block for block in blocks if block)


def _verdict(determination: Determination, labels: Mapping[str, str]) -> str:
    if determination.overall is Overall.POTENTIALLY_ELIGIBLE:
        return "**Nothing in the record speaks against it.** A person decides, never this card."
    if determination.overall is Overall.UNDETERMINED:
        return _next_step(determination, labels)
    if determination.clears_on is not None:
        day = spoken_date(determination.clears_on)
        return f"**Ruled out today, by time only: possible from {day}** if nothing else happens."
    return "**Ruled out today.**"


def _next_step(determination: Determination, labels: Mapping[str, str]) -> str:
    tests = [labels.get(c, c.replace("_", " ")) for c in tests_to_order(determination)]
    if tests:
        return f"**Next step: {plain(listed(tests, 6))}.** {CONSENT_FIRST}"
    unknown = determination.with_status(Status.UNKNOWN)
    return f"**{counted(len(unknown), 'criterion', 'criteria')} cannot be told from the record.**"


def _table(determination: Determination) -> Iterator[str]:
    rows: list[str] = []
    for status, heading, most in _SECTIONS:
        decisions = determination.with_status(status)
        rows += [_row(heading, decision) for decision in decisions[:most]]
        if len(decisions) > most:
            rest = ", ".join(d.criterion.id for d in decisions[most:])
            rows.append(f"| {heading} | {len(decisions) - most} more | {rest} |")
    if rows:
        yield "\n".join(["| | Criterion | In the record |", "|---|---|---|", *rows])


def _row(heading: str, decision: Decision) -> str:
    reason = readable(decision.reason)
    if decision.clears_on is not None:
        reason += f"; clears on {spoken_date(decision.clears_on)}"
    shown = plain(shortened(reason, _REASON_LENGTH))
    reading = plain(readable(decision.criterion.reading))
    return f"| {heading} | {decision.criterion.id} {reading} | {shown} |"


def _met(determination: Determination) -> str:
    met = len(determination.with_status(Status.PASS))
    return f"✓ {met} of {len(determination.decisions)} criteria do not stand in the way."


def _problems(assessment: Assessment) -> Iterator[str]:
    says = list(dict.fromkeys(problem.says for problem in assessment.problems))
    if says:
        lines = [f"- {plain(shortened(readable(one), _REASON_LENGTH))}" for one in says[:5]]
        if len(says) > len(lines):
            lines.append(f"- and {len(says) - len(lines)} more")
        yield "Not read or not recognised:\n\n" + "\n".join(lines)


def _trial_line(determination: Determination) -> str:
    trial = determination.trial
    recruitment = f"{plain(trial.recruitment.status)} (registry, {trial.recruitment.as_of})"
    line = f"{plain(trial.title)}. {plain(trial.sponsor)}. Recruitment: {recruitment}."
    if not trial.signed_off:
        line += " *Criteria not yet reviewed by a named clinician.*"
    return line
