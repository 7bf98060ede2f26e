"""What a shadow phase would have shown, against a coordinator's list."""

from __future__ import annotations

from datetime import UTC, datetime, time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds.cli.site import Day, load, settings_of_site, stop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date

    from cds.cohort.shadow.model import Phase
    from cds.settings import Settings


@click.command()
@click.argument("folder", metavar="[DIR]", type=click.Path(path_type=Path), required=False)
@click.option("--list", "listed", type=click.Path(path_type=Path), metavar="LIST.csv",
              help="The coordinator's list: patient, trial, criterion, fits.")  # fmt: skip
@click.option("--complete", is_flag=True, help="Whoever is not on the list does not fit.")
@click.option(
    "--fhir", "base", metavar="BASE", help="The fhirServer that the EHR sends, else its iss."
)
@click.option("--since", type=Day(), help="Only calls from this day on (records).")
@click.option("--until", type=Day(), help="Only calls before this day (records).")
@click.option("--client", metavar="ISS", help="Only calls of this client (records).")
@click.option(
    "--out", type=click.Path(path_type=Path), metavar="FILE.md", help="Not to the screen."
)
def shadow(  # noqa: PLR0913 - each is one option
    folder: Path | None,
    listed: Path | None,
    base: str | None,
    since: date | None,
    until: date | None,
    client: str | None,
    out: Path | None,
    *,
    complete: bool,
) -> None:
    """Report on a shadow phase: how often, which trials, what was missing, and who was missed.

    From the decision records of the service, or from the results of a screening in DIR. The list
    is a CSV with the columns patient, trial, criterion (empty: the trial as a whole) and fits (yes
    or no, always seen from eligibility).

    \b
    Example:
      trial-cds shadow --list coordinator.csv --fhir https://fhir.example.org/r4 --out shadow.md
      trial-cds shadow screened/ --list coordinator.csv
    """
    from cds.cohort.fault import CohortFault
    from cds.cohort.shadow.report import shadow_report
    from cds.store.fault import StoreFault

    settings = settings_of_site()
    if folder is not None and (base or since or until or client):
        stop("--fhir, --since, --until and --client are about records; leave DIR out with them.")
    if folder is None and listed is not None and base is None:
        stop("--list needs --fhir: records know a patient only together with the FHIR base.")
    content = load(settings)
    names: Callable[[str], Iterable[str]] = _as_written
    try:
        if folder is not None:
            phase = _screened(folder, settings.near_days)
        else:
            phase, names = _recorded(settings, since, until, client, base)
        text = shadow_report(phase, listed, names, content.labels, complete=complete)
    except (CohortFault, StoreFault) as problem:
        stop(str(problem))
    if out is None:
        click.echo(text, nl=False)
        return
    try:
        out.write_text(text, "utf-8")
    except OSError as problem:
        stop(f"--out: {out} cannot be written: {(problem.strerror or 'unknown reason').lower()}.")
    click.echo(f"Report: {out}")


def _screened(folder: Path, near_days: int) -> Phase:
    from cds.cohort.report.results import open_results
    from cds.cohort.shadow.screened import phase_of_screening

    with open_results(folder) as results:
        return phase_of_screening(results, near_days)


def _as_written(patient: str) -> Iterable[str]:
    return (patient,)


def _recorded(
    settings: Settings,
    since: date | None,
    until: date | None,
    client: str | None,
    base: str | None,
) -> tuple[Phase, Callable[[str], Iterable[str]]]:
    from cds.cohort.shadow.recorded import phase_of_records
    from cds.store.database import Store
    from cds.web.kept.service import keys_of, namespace

    store = Store(settings.database_url)
    keys = keys_of(settings)
    try:
        phase = phase_of_records(
            store, since=_begins(since, settings), until=_begins(until, settings), client=client
        )
    finally:
        store.close()
    # An iss, where the EHR sends no fhirServer, is taken letter by letter.
    spaces = dict.fromkeys((namespace(base, None), base or ""))
    return phase, lambda patient: [n for one in spaces for n in keys.patients(one, patient)]


def _begins(day: date | None, settings: Settings) -> datetime | None:
    """When a day begins at the site."""
    if day is None:
        return None
    return datetime.combine(day, time(), settings.timezone).astimezone(UTC)
