"""Windows of time: what stands in one, what has left it, and until when a result counts."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from cds.core.facts import Condition, Exposure, Procedure, Result
from cds.engine.finding import Finding
from cds.engine.lab import Lab
from cds.engine.medication import Medication
from cds.engine.procedure import ProcedureDone
from cds.engine.window import Window
from cds.web.report.leaves import leaves, looked_at
from cds.web.report.model import Row

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from cds.core.criterion import Characteristic, Decision
    from cds.core.facts import Facts
    from cds.core.when import Evaluation, When
    from cds.web.report.leaves import Looked

_MOST_ROWS = 60
_LONG_AGO = timedelta(days=90)


def timeline_of(decisions: Sequence[Decision], facts: Facts, asked: Evaluation) -> tuple[Row, ...]:
    """The bars of one trial: what stands in the way first, then by when it clears.

    The same thing in the same window is one bar for all criteria that ask for it, and so are
    results of one day that stand in nobody's way. What left its
    window long ago and decides nothing is not drawn.
    """
    rows: dict[tuple[object, ...], Row] = {}
    for decision in decisions:
        for row in _of_decision(decision, facts, asked):
            key = _key(row)
            known = rows.get(key)
            if _is_past(row, asked):
                continue
            if known is None:
                rows[key] = row
            else:
                rows[key] = _joined(known, row)
    return tuple(sorted(rows.values(), key=_order)[:_MOST_ROWS])


def _is_past(row: Row, asked: Evaluation) -> bool:
    if row.status != "pass" or row.clear_on is None:
        return False
    return row.clear_on < asked.on - _LONG_AGO


def _key(row: Row) -> tuple[object, ...]:
    if row.look_back and row.status == "pass":
        return row.window, row.ended
    if row.running:  # until it ends, one window is like the other
        return row.what, row.began, row.look_back
    return row.what, row.window, row.began, row.ended, row.look_back


def _joined(one: Row, other: Row) -> Row:
    weight = ("fail", "unknown", "review", "pass").index
    status = min(one.status, other.status, key=weight)
    return Row(
        tuple(dict.fromkeys((*one.criteria, *other.criteria))),
        tuple(dict.fromkeys((*one.what, *other.what))),
        one.window if one.window == other.window else "",
        status,
        one.began,
        one.ended,
        one.running,
        one.clear_on,
        one.look_back,
    )


def _order(row: Row) -> tuple[object, ...]:
    clear = "" if row.clear_on is None else row.clear_on.isoformat()
    return row.look_back, row.status != "fail", clear, row.what, row.criteria


def _of_decision(decision: Decision, facts: Facts, asked: Evaluation) -> Iterator[Row]:
    shown = {evidence.reference for evidence in decision.evidence}
    for leaf in leaves(decision.criterion.form):
        window = _window(leaf)
        if window is None:
            continue
        for looked in looked_at(leaf, facts):
            if looked.entry.reference not in shown:
                continue
            row = _row(leaf, looked, window, decision, asked)
            if row is not None:
                yield row


def _window(leaf: Characteristic) -> Window | None:
    if isinstance(leaf, Lab):
        return None if leaf.look_back is None else Window(leaf.look_back)
    if isinstance(leaf, Medication | ProcedureDone):
        return leaf.within
    if isinstance(leaf, Finding):
        return leaf.within or leaf.ended_within
    return None


def _row(
    leaf: Characteristic, looked: Looked, window: Window, decision: Decision, asked: Evaluation
) -> Row | None:
    entry = looked.entry
    if isinstance(entry, Result):
        if entry.when is None or entry.reading is None or not isinstance(leaf, Lab):
            return None
        return _bar(decision, leaf.label, window, entry.when, entry.when, asked, look_back=True)
    if isinstance(entry, Exposure):
        last = entry.end or entry.assumed_end
        running = last is None and entry.course.value == "active"
        return _bar(
            decision, entry.display, window, entry.start or last, last, asked, running=running
        )
    if isinstance(entry, Procedure):
        last = entry.end or entry.start
        began = entry.start or last
        return _bar(decision, entry.display, window, began, last, asked, running=entry.running)
    return _finding(leaf, entry, window, decision, asked)


def _finding(
    leaf: Characteristic, entry: Condition, window: Window, decision: Decision, asked: Evaluation
) -> Row | None:
    """By its onset, or by its end where the window counts from there."""
    by_end = isinstance(leaf, Finding) and leaf.within is None
    last = entry.ended if by_end else entry.event
    running = by_end and entry.ended is None
    return _bar(decision, entry.display, window, entry.event or last, last, asked, running=running)


def _bar(  # noqa: PLR0913 - what a bar is made of
    decision: Decision,
    what: str,
    window: Window,
    began: When | None,
    ended: When | None,
    asked: Evaluation,
    *,
    running: bool = False,
    look_back: bool = False,
) -> Row | None:
    if began is None or began.first > asked.on:
        return None
    over = None if running or ended is None else ended.last
    return Row(
        (decision.criterion.id,),
        (what,),
        str(window),
        decision.status.value,
        began.first,
        over,
        running,
        None if over is None else window.clear_of(over),
        look_back,
    )
