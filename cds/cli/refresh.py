"""Bringing content up to date from outside sources."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from cds.cli.fetching import IS_ID, fetched_study
from cds.cli.site import content_folders, load, settings_of_site, stop


@click.group()
def refresh() -> None:
    """Bring drug tables or recruitment statuses up to date.

    \b
    Example:
      trial-cds refresh rxnorm RxNorm_full_11022026.zip --out site-content
      trial-cds refresh registry NCT00000000.json
    """


@refresh.command()
@click.argument("source", type=click.Path(exists=True, path_type=Path))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    metavar="DIR",
    help="The content folder to write; without it, only the difference is shown.",
)
def rxnorm(source: Path, out: Path | None) -> None:
    """Make the drug tables anew from the site's RxNorm release.

    SOURCE is the zip as downloaded from the NLM, or the folder with RXNCONSO.RRF and RXNREL.RRF.
    Name the folder that is written after the others in TRIAL_CDS_CONTENT.

    \b
    Example:
      trial-cds refresh rxnorm RxNorm_full_11022026.zip
      trial-cds refresh rxnorm RxNorm_full_11022026.zip --out site-content
    """
    from cds.content.fault import ContentFaults
    from cds.content.mappings import load_terminology
    from cds.content.refreshing import refreshed, report, write_overlay
    from cds.content.rxnorm import read_release

    settings = settings_of_site()
    content = load(settings)
    users: dict[str, list[str]] = {}
    for loaded in content.folders:
        for criterion, concepts in loaded.concepts.items():
            for key in concepts:
                users.setdefault(key, []).append(f"{loaded.trial.id} {criterion}")
    try:
        found = refreshed(read_release(source), content.terminology)
        for line in report(found, content.terminology, users):
            click.echo(line)
        if out is None:
            return
        stem = source.resolve().stem if source.is_file() else source.resolve().name
        written = write_overlay(found, content.terminology, out, f"RxNorm {stem}")
        load_terminology([*content_folders(settings), out])  # it can be read again
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    except OSError as problem:
        stop(f"{problem.filename}: {(problem.strerror or 'cannot be used').lower()}.")
    for path in written:
        click.echo(f"written: {path}", err=True)
    click.echo(
        "Sign-offs are stale now: value sets changed. Read what changed; sign again.", err=True
    )


@refresh.command()
@click.argument("studies", nargs=-1, required=True, metavar="STUDY.json|NCT…")
def registry(studies: tuple[str, ...]) -> None:
    """Take recruitment statuses over from the registry, and say which pages changed.

    Studies are files as https://clinicaltrials.gov/api/v2/studies/NCT… gives them out, or ids that
    are fetched from there. A new status needs no new signature; a changed eligibility text needs a
    person.

    \b
    Example:
      trial-cds refresh registry NCT00000000.json
      trial-cds refresh registry NCT05490667
    """
    with tempfile.TemporaryDirectory(prefix="trial-cds-") as folder:
        for study in studies:
            _take_over(_file_of(study, Path(folder)))


def _file_of(study: str, folder: Path) -> Path:
    """The file of a study, fetched first where an id is given."""
    path = Path(study)
    if path.is_file():
        return path
    if not IS_ID.fullmatch(study):
        stop(f"{study} is neither a file nor a trial's id such as NCT01234567.")
    fetched = folder / f"{study}.json"
    fetched.write_bytes(fetched_study(study))
    return fetched


def _take_over(path: Path) -> None:
    from cds.content.fault import ContentFaults
    from cds.content.registry import changed_page, read_study, take_status

    settings = settings_of_site()
    try:
        study = read_study(path)
        (loaded,) = load(settings, [study.id]).folders
        says = take_status(loaded, study)
        changed = changed_page(loaded, study)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    except OSError as problem:
        stop(f"{problem.filename}: {(problem.strerror or 'cannot be used').lower()}.")
    same = loaded.trial.recruitment
    click.echo(f"{study.id}: {says or f'{same.status} ({same.as_of}), as before'}")
    for line in changed:
        click.echo(f"  {line}")
