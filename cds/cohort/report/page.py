"""The report as one HTML file that needs nothing else."""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from cds.cards.words import counted
from cds.cohort.report import charts, quality
from cds.cohort.report.changes import changes_of
from cds.cohort.report.patients import LISTED
from cds.cohort.report.views import TrialViews, trial_views
from cds.core.criterion import Overall

if TYPE_CHECKING:
    from cds.cohort.report.results import Results

_SHOWN = 20
"""Patients of a long list that are seen at once; the others fold out."""

_CHARTED = 25
"""Bars that one chart shows; the table below it has all."""


class Drawn(NamedTuple):
    """One trial with its charts; empty where there is nothing to draw."""

    views: TrialViews
    funnel: Markup
    missing: Markup
    known: Markup


def report_page(results: Results) -> str:
    """The whole page."""
    on = date.fromisoformat(results.manifest["on"])
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html").render(
        manifest=results.manifest,
        changes=changes_of(results),
        listed=LISTED,
        shown=_SHOWN,
        card=quality.report_card(results),
        mapped=quality.mapped(results),
        unrecognised=quality.unrecognised(results),
        unrecognised_total=quality.unrecognised_total(results),
        units=quality.units(results),
        trials=[_drawn(trial_views(results, one, on)) for one in results.catalogue.trials],
        charted=_CHARTED,
        colours=charts.COLOURS,
        counted=counted,
        overalls=[overall.value for overall in reversed(Overall)],
    )


def _drawn(views: TrialViews) -> Drawn:
    return Drawn(views, _funnel(views), _missing(views), _known(views))


def _funnel(views: TrialViews) -> Markup:
    rows = [
        (f"after {step.id}", float(step.left), f"{step.left} (−{step.lost})")
        for step in views.funnel
        if step.lost
    ]
    title = f"{views.trial.id}: patients who remain after each criterion, in protocol order"
    # Without a bar for all: on one scale with it, no step after the diagnosis could be seen.
    return Markup(charts.bars(rows, title=title, axis="patients"))  # noqa: S704 - our SVG


def _missing(views: TrialViews) -> Markup:
    rows: list[tuple[str, str, float]] = []
    for test in views.missing[:_CHARTED]:
        rows.append((test.label, "only this is missing", float(test.settles)))
        rows.append((test.label, "more is missing", float(test.patients - test.settles)))
    if not rows:
        return Markup()
    title = f"{views.trial.id}: patients for whom a result is missing, by test"
    kinds = ("only this is missing", "more is missing")
    return Markup(charts.parts(rows, title=title, axis="patients", kinds=kinds))  # noqa: S704


def _known(views: TrialViews) -> Markup:
    rows = [
        (row.label, 100 * row.known / row.patients, f"{100 * row.known / row.patients:.0f} %")
        for row in views.lacking[:_CHARTED]
    ]
    if not rows:
        return Markup()
    title = f"{views.trial.id}: how often each concept could be answered"
    drawn = charts.bars(rows, title=title, axis="% of patients", most=100)
    return Markup(drawn)  # noqa: S704 - our SVG
