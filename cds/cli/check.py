"""Faults of trial and mapping files."""

from __future__ import annotations

from pathlib import Path

import click

from cds.cli.site import content_folders, settings_of_site, stop, today


@click.command()
@click.option(
    "--content",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A folder with mappings/ and trials/; repeat, later ones override earlier ones.",
)
@click.option("--trial", metavar="NCT…", help="Only this trial.")
@click.option(
    "--source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The registry page or protocol that the trial was read from (needs one trial).",
)
@click.option("--watch", is_flag=True, help="Check again whenever a file is saved, until Ctrl-C.")
@click.option(
    "--schema",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Instead of checking: write the JSON Schemas of the files to DIR, for editors.",
)
@click.option(
    "--compile",
    "compiled",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="Write the sound trials compiled to DIR, for TRIAL_CDS_COMPILED.",
)
def check(  # noqa: PLR0913 - each is one option
    folders: tuple[Path, ...],
    trial: str | None,
    source: Path | None,
    schema: Path | None,
    compiled: Path | None,
    *,
    watch: bool,
) -> None:
    """List what is wrong in trial and mapping files, and how to put it right.

    Ends with status 1 if there is a fault; notices do not count.

    \b
    Example:
      trial-cds check
      trial-cds check --content . --content our-content --trial NCT00000000 --source page.txt
      trial-cds check --trial NCT00000000 --watch
      trial-cds check --schema our-content/schemas
      trial-cds check --content . --content our-content --compile compiled
    """
    settings = settings_of_site()
    chosen = list(folders) or content_folders(settings)
    if schema is not None:
        _write_schemas(chosen, schema)
        return
    if compiled is not None and (trial is not None or watch):
        stop("--compile takes all trials; leave out --trial and --watch.")
    if watch:
        from cds.cli.watching import watch_and_check

        watch_and_check(chosen, source, trial)
        return
    from cds.content.check import check_content, check_report, is_sound
    from cds.content.overlays import overlay_report

    for line in overlay_report(chosen):
        click.echo(line, err=True)
    faults = check_content(chosen, source=source, trial=trial, day=today(settings))
    click.echo(check_report(faults, trial or "all trials"))
    if not is_sound(faults):
        raise SystemExit(1)
    if compiled is not None:
        _compile(chosen, compiled)


def _compile(folders: list[Path], compiled: Path) -> None:
    from cds.content.compiled import write_compiled
    from cds.content.mappings import load_terminology

    try:
        written = write_compiled(folders, load_terminology(folders).digest, compiled)
    except OSError as problem:
        stop(f"{compiled} cannot be written: {(problem.strerror or 'unknown reason').lower()}.")
    click.echo(f"Compiled: {written} ({written.stat().st_size / 1e6:.1f} MB)")


def _write_schemas(folders: list[Path], folder: Path) -> None:
    from cds.content.fault import ContentFaults
    from cds.content.mappings import load_terminology
    from cds.content.schemas import write_schemas

    try:
        written = write_schemas(load_terminology(folders), folder)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    except OSError as problem:
        stop(f"{folder} cannot be written: {(problem.strerror or 'unknown reason').lower()}.")
    for path in written:
        click.echo(str(path))
