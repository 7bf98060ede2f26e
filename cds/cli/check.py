"""Faults of trial and mapping files."""

from __future__ import annotations

from pathlib import Path

import click

from cds.cli.site import content_folders, settings_of_site


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
def check(folders: tuple[Path, ...], trial: str | None, source: Path | None) -> None:
    """List what is wrong in trial and mapping files, and how to put it right.

    Ends with status 1 if there is a fault; notices do not count.

    \b
    Example:
      trial-cds check
      trial-cds check --content our-content --trial NCT00000000 --source page.txt
    """
    from cds.content.check import check_content, check_report, is_sound

    chosen = list(folders) or content_folders(settings_of_site())
    faults = check_content(chosen, source=source, trial=trial)
    click.echo(check_report(faults, trial or "all trials"))
    if not is_sound(faults):
        raise SystemExit(1)
