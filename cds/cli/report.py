"""What a screening found."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from cds.cli.site import stop


@click.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--html", metavar="FILE", help="Where the page goes; DIR/report.html if left out.")
def report(folder: Path, html: str | None) -> None:
    """Show what a screening found: tables here, and one HTML page with charts.

    \b
    Example:
      trial-cds report screened/
    """
    from cds.cohort.fault import CohortFault
    from cds.cohort.report.page import report_page
    from cds.cohort.report.results import open_results
    from cds.cohort.report.terminal import print_report

    target = Path(html) if html else folder / "report.html"
    try:
        with open_results(folder) as results:
            # The page first: where it cannot be written, nothing else is printed.
            _write(target, report_page(results))
            print_report(results, sys.stdout)
    except CohortFault as problem:
        stop(str(problem))
    click.echo(f"Page: {target}")


def _write(target: Path, page: str) -> None:
    try:
        target.write_text(page, "utf-8")
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        stop(f"--html: {target} cannot be written: {why}.")
