"""The report as tables on a terminal: the shortest answer to each question."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

from rich.console import Console
from rich.table import Table

from cds.cohort.report.quality import report_card, unrecognised
from cds.cohort.report.views import TrialViews, trial_views
from cds.core.criterion import Overall

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TextIO

    from cds.cohort.report.patients import NearMiss, PossibleTarget, Soon
    from cds.cohort.report.results import Results

_SHOWN = 10
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
    _print(console, "Not recognised", ("kind", "code", "name", "patients"), names)
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
            f"Of those whom nothing excludes {views.refusing} refuse research, "
            f"{views.joined} are on this trial already."
        )
    could = [
        (one.patient, one.overall, ", ".join(one.missing) or "nothing", one.research)
        for one in views.candidates[:_SHOWN]
    ]
    title = f"Who could join ({views.candidates_total})"
    _print(console, title, ("patient", "so far", "missing", "research"), could)
    lost = sorted((step for step in views.funnel if step.fails), key=lambda step: -step.fails)
    shown = {step.id for step in lost[:_SHOWN]}
    steps = [
        (step.id, step.reading, str(step.lost), str(step.left), str(step.alone))
        for step in views.funnel
        if step.id in shown
    ]
    heads = ("criterion", "as we read it", "lost", "remain", "alone")
    _print(console, "Attrition (the criteria that exclude most)", heads, steps)
    tests = [(one.label, str(one.patients), str(one.settles)) for one in views.missing[:_SHOWN]]
    _print(console, "Missing", ("result", "patients", "settles"), tests)
    near = [(one.patient, one.criterion, _told(one.reason, one)) for one in views.near[:_SHOWN]]
    _print(
        console,
        f"One criterion away ({views.near_total})",
        ("patient", "criterion", "reason"),
        near,
    )
    soon = [(one.patient, str(one.clears_on), _told(one.fails, one)) for one in views.soon[:_SHOWN]]
    _print(console, f"Soon ({len(views.soon)})", ("patient", "from", "until then"), soon)
    open_ones = [(one.patient, one.what, _told(one.why, one)) for one in views.possible[:_SHOWN]]
    _print(
        console,
        f"Open target diagnoses ({views.possible_total})",
        ("patient", "diagnosis", "why"),
        open_ones,
    )


def _told(says: str, one: NearMiss | Soon | PossibleTarget) -> str:
    """A reason, and what the record says of research."""
    return f"{says} [{one.research}]" if one.research else says


def _print(
    console: Console, title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]
) -> None:
    if not rows:
        return
    table = Table(title=title, title_justify="left", title_style="bold")
    for place, head in enumerate(heads):
        cells = [row[place] for row in rows]
        numeric = all(cell.isdigit() for cell in cells)
        table.add_column(
            head,
            justify="right" if numeric else "left",
            overflow="fold",
            no_wrap=max(map(len, cells)) <= _SHORT,
        )
    for row in rows:
        table.add_row(*row)
    console.print(table)
