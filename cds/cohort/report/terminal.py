"""The report as tables on a terminal: the shortest answer to each question."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cds.cards.words import counted
from cds.cohort.report.quality import report_card, unrecognised, unrecognised_total
from cds.cohort.report.views import TrialViews, trial_views
from cds.core.criterion import Overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from cds.cohort.report.patients import NearMiss, PossibleTarget, Soon
    from cds.cohort.report.results import Results

_SHOWN = 10
_NONE = "–"
_SHORT = 20
"""Characters of a cell that is never broken."""


def print_report(results: Results, out: TextIO) -> None:
    """Print the tables; in colour only where `out` is a terminal."""
    console = Console(file=out, highlight=False, markup=False)
    on = date.fromisoformat(results.manifest["on"])
    for trial in results.catalogue.trials:
        _print_trial(trial_views(results, trial, on), console)
    names = [
        (one.kind, one.code, one.display, str(one.patients))
        for one in unrecognised(results)[:_SHOWN]
    ]
    more = _more(unrecognised_total(results), "unrecognised.parquet has all")
    _print(console, "Not recognised", ("kind", "code", "name", "patients"), names, more)
    for number, item in enumerate(report_card(results), start=1):
        console.print(f"{number}. {item.asks}", style="bold")
        for line in item.says:
            console.print(f"   {line}")


def _print_trial(views: TrialViews, console: Console) -> None:
    console.print(f"\n{views.trial.id} {views.trial.short_title}", style="bold")
    said = [f"{views.overall.get(one.value, 0)} {one.value}" for one in reversed(Overall)]
    console.print(f"{views.evaluated} evaluated: {', '.join(said)}")
    if views.refusing or views.joined:
        console.print(
            "Of those whom nothing excludes, by their record: "
            f"refusing research: {views.refusing}, on this trial already: {views.joined}."
        )
    could = [
        (one.patient, one.overall, ", ".join(one.missing) or "nothing", one.research)
        for one in views.candidates[:_SHOWN]
    ]
    title = f"Who could join ({views.candidates_total})"
    more = _more(views.candidates_total, "determinations.csv has all")
    _print(console, title, ("patient", "so far", "missing", "research"), could, more)
    _print_funnel(views, console)
    tests = [(one.label, str(one.patients), str(one.settles)) for one in views.missing[:_SHOWN]]
    more = _more(len(views.missing), "the page has all")
    _print(console, "Missing", ("result", "patients", "settles"), tests, more)
    near = [(one.patient, one.criterion, _told(one.reason, one)) for one in views.near[:_SHOWN]]
    _print(
        console,
        f"One criterion away ({views.near_total})",
        ("patient", "criterion", "reason"),
        near,
        _more(views.near_total, "criteria.parquet has all"),
    )
    soon = [(one.patient, str(one.clears_on), _told(one.fails, one)) for one in views.soon[:_SHOWN]]
    title = f"Soon ({len(views.soon)})"
    more = _more(len(views.soon), "determinations.csv has all")
    _print(console, title, ("patient", "from", "until then"), soon, more)
    open_ones = [(one.patient, one.what, _told(one.why, one)) for one in views.possible[:_SHOWN]]
    _print(
        console,
        f"Open target diagnoses ({views.possible_total})",
        ("patient", "diagnosis", "why"),
        open_ones,
        _more(views.possible_total, "possible.parquet and criteria.parquet have all"),
    )


def _print_funnel(views: TrialViews, console: Console) -> None:
    """The criteria that exclude most, and what the others come to: the numbers must add up."""
    excluding = [step for step in views.funnel if step.fails]
    most = sorted(excluding, key=lambda step: -step.fails)[:_SHOWN]
    steps = [
        (step.id, step.reading, str(step.lost), str(step.left), _or_dash(step.alone))
        for step in excluding
        if step in most
    ]
    notes = []
    others = [step for step in excluding if step not in most]
    if others:
        lost = sum(step.lost for step in others)
        notes.append(
            f"… and {counted(len(others), 'more criterion', 'more criteria')}, lost there: {lost}; "
            f"{views.funnel[-1].left} remain in the end; the page has all"
        )
    if any(step.alone is None for step in most):
        notes.append(f"{_NONE} under alone: without the target diagnosis nothing else was asked")
    heads = ("criterion", "as we read it", "lost", "remain", "alone")
    title = "Attrition (the criteria that exclude most)"
    _print(console, title, heads, steps, "\n".join(notes))


def _or_dash(number: int | None) -> str:
    return _NONE if number is None else str(number)


def _more(total: int, where: str) -> str:
    """What a table that is cut says below; empty for one that is not."""
    return f"… and {total - _SHOWN} more; {where}" if total > _SHOWN else ""


def _told(says: str, one: NearMiss | Soon | PossibleTarget) -> str:
    """A reason, and what the record says of research."""
    return f"{says} [{one.research}]" if one.research else says


def _print(
    console: Console,
    title: str,
    heads: tuple[str, ...],
    rows: Sequence[tuple[str, ...]],
    more: str = "",
) -> None:
    """A table, if it has rows; `more` stands below it."""
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, head in enumerate(heads):
        cells = [row[place] for row in rows]
        numeric = all(cell.isdigit() or cell == _NONE for cell in cells)
        table.add_column(
            head,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=max(map(len, cells)) <= _SHORT,
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)
    if more:
        console.print(more)
