"""A cohort, on one machine or with Spark."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds.cli.site import Day, content_folders, load, settings_of_site, stop

if TYPE_CHECKING:
    from datetime import date

    from cds.assess import Content
    from cds.cohort.order import Order


def _types(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Resource types, separated by commas.

    Only of the medication types can one be missing everywhere without a criterion losing its only
    source, so that only they can be said not to be kept.
    """
    from cds.fhir.retrieved import KINDS

    types = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    able = [kind for kind in KINDS.values() if option.name == "complete" or _is_medication(kind)]
    for name in types:
        if name not in KINDS.values():
            message = f"'{name}' is no type that criteria read; write {', '.join(able)}."
            raise click.BadParameter(message, context, option)
        if name not in able:
            message = f"'{name}' is not one of {', '.join(able)}; write one of them."
            raise click.BadParameter(message, context, option)
    return types


def _is_medication(kind: str) -> bool:
    return kind.startswith("Medication")


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option("--on", type=Day(), required=True, help="The planned day of enrolment.")
@click.option("--out", required=True, metavar="DIR", help="The folder for the results.")
@click.option("--trial", "trials", multiple=True, metavar="NCT…", help="Only this trial (repeat).")
@click.option(
    "--complete",
    callback=_types,
    metavar="TYPE,…",
    help="Types that the export was asked for, though it has no file of them.",
)
@click.option(
    "--not-kept",
    callback=_types,
    metavar="TYPE,…",
    help="Medication types that the site does not keep.",
)
@click.option("--strict", is_flag=True, help="Stop at the first broken line.")
@click.option("--since", metavar="PREVIOUS", help="Say what changed since the results in PREVIOUS.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="all cores",
    help="How many processes evaluate.",
)
@click.option(
    "--spark",
    "master",
    metavar="MASTER",
    help="Evaluate with Apache Spark there (trial-cds[spark]); SOURCE and DIR are paths it reads.",
)
@click.option(
    "--form",
    type=click.Choice(["ndjson", "parquet", "delta"]),
    help="What SOURCE holds on a cluster (with --spark; ndjson if left out).",
)
def screen(  # noqa: PLR0913 - one argument for each option
    source: str,
    on: date,
    out: str,
    trials: tuple[str, ...],
    complete: tuple[str, ...],
    not_kept: tuple[str, ...],
    *,
    strict: bool,
    since: str | None,
    workers: int,
    master: str | None,
    form: str | None,
) -> None:
    """Screen a cohort: a folder of FHIR Bulk Data NDJSON, of Parquet, or of patient Bundles.

    Interrupted, the same command goes on where it stopped.

    \b
    Example:
      trial-cds screen export/ --on 2026-03-01 --out screened/
      trial-cds screen export/ --on 2026-03-01 --out screened/ --complete MedicationStatement
      trial-cds screen export/ --on 2026-03-08 --out week-10/ --since screened/
    """
    if master is None:
        from cds.cohort.lean import collect_seldom, load_lean_arrow

        collect_seldom()
        load_lean_arrow()  # before anything else loads Arrow
    from cds.cohort.catalogue import catalogue_of
    from cds.cohort.fault import CohortFault
    from cds.cohort.order import Order
    from cds.cohort.progress import progress_on
    from cds.cohort.screen import screen as run_screen
    from cds.cohort.summary import summary

    settings = settings_of_site()
    content = load(settings, trials)
    order = Order(
        source,
        out,
        on,
        settings.timezone.key,
        tuple(str(folder.resolve()) for folder in content_folders(settings)),
        catalogue_of(content),
        trials,
        complete,
        not_kept,
        settings.refusal_flags,
        strict,
        since,
        workers,
    )
    if master is not None:
        _screen_with_spark(master, order, content, form or "ndjson")
        return
    if form is not None:
        stop("--form is for --spark; on one machine the files say what they are.")
    try:
        with progress_on(sys.stderr) as progress:
            finished = run_screen(order, progress, content)
    except CohortFault as problem:
        stop(str(problem))
    except KeyboardInterrupt:
        click.echo("trial-cds: stopped; the same command goes on where it stopped.", err=True)
        raise SystemExit(130) from None
    click.echo(summary(finished, out))
    if since is not None:
        from cds.cohort.report.changes import print_changes

        print_changes(Path(out), sys.stdout)


def _screen_with_spark(master: str, order: Order, content: Content, form: str) -> None:
    from cds.cards.words import counted
    from cds.cohort.fault import CohortFault

    try:
        from pyspark.sql import SparkSession

        from cds.cohort.spark.screen import screen_with_spark
    except ImportError as problem:
        stop(f"--spark needs the package {problem.name}; install trial-cds[spark].")
    if order.strict or order.since is not None:
        stop("--strict and --since work on one machine; leave them out with --spark.")
    if master.startswith("local"):  # its executors are on this machine, and need this Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.master(master).appName("trial-cds screen").getOrCreate()
    try:
        manifest = screen_with_spark(session, order, content, form=form)
    except CohortFault as problem:
        stop(str(problem))
    finally:
        session.stop()
    counts = manifest["counts"]
    click.echo(
        f"{counted(counts['patients'], 'patient')}: {counts['evaluated']} evaluated, "
        f"{counts['deceased']} deceased, {counts['rejected_patients']} not readable. "
        f"Rows: {order.out}"
    )
