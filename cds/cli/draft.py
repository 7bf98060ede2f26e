"""A trial folder drafted from a registry page."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds.cli.fetching import IS_ID, fetched_study
from cds.cli.site import content_folders, settings_of_site, stop, today

if TYPE_CHECKING:
    from cds.content.draft import Draft, Study


@click.command()
@click.argument("source", metavar="SOURCE")
@click.option(
    "--out",
    "folder",
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    help="The new trial folder, named as the trial: our-content/trials/NCT….",
)
@click.option(
    "--cases",
    is_flag=True,
    help="Instead: SOURCE is a trial folder; draft the cases that its reviewed criteria lack.",
)
def draft(source: str, folder: Path | None, *, cases: bool) -> None:
    """Draft a trial folder from a registry page; nothing in it decides until it is reviewed.

    SOURCE is a study as JSON of the ClinicalTrials.gov API (version 2), a page saved as text, or a
    trial's id, which is fetched from clinicaltrials.gov.

    \b
    Example:
      trial-cds draft page.txt --out our-content/trials/NCT00000000
      trial-cds draft NCT05490667 --out our-content/trials/NCT05490667
      trial-cds draft our-content/trials/NCT00000000 --cases
    """
    if cases:
        _draft_cases(Path(source))
    elif folder is None:
        stop("draft needs --out with the new trial folder, or --cases; --help shows an example.")
    else:
        _draft_trial(source, folder)


def _draft_trial(source: str, folder: Path) -> None:
    """A new trial folder."""
    from cds.content.draft import draft as drafted
    from cds.content.draft import lexicon, write_folder
    from cds.content.fault import ContentFaults
    from cds.content.mappings import load_terminology

    settings = settings_of_site()
    folders = content_folders(settings)
    read = today(settings).isoformat()
    if folder.exists():
        stop(f"{folder} exists already; draft into a new folder.")
    try:
        study = _study(source, read)
        if study.id and study.id != folder.name:
            stop(f"The page is of {study.id}, the folder is called '{folder.name}'; name it so.")
        made = drafted(study, lexicon(load_terminology(folders), folders))
        write_folder(made, folder, read=read)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    click.echo(_summary(made, folder))


def _draft_cases(folder: Path) -> None:
    """A new file of cases in a trial folder."""
    from cds.content.draft import write_cases
    from cds.content.fault import ContentFaults
    from cds.content.infos import concept_infos
    from cds.content.mappings import load_terminology
    from cds.content.trials import load_trial

    if not (folder / "trial.yaml").is_file():
        stop(f"{folder} is no trial folder: it holds no trial.yaml.")
    folders = content_folders(settings_of_site())
    site = folder.resolve().parent.parent
    if (site / "mappings").is_dir() and site not in {one.resolve() for one in folders}:
        folders.append(site)
    try:
        terminology = load_terminology(folders)
        concepts = concept_infos(terminology)
        loaded = load_trial(folder, concepts, terminology.digest)
        path, count = write_cases(loaded, concepts, terminology)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    if path is None:
        click.echo(f"{folder}: no case is lacking for the criteria that are reviewed.")
        return
    click.echo(
        f"{path}: {count} cases. Their statuses are what the forms say today: read each one, and "
        "where the protocol means it otherwise, correct the criterion and the case."
    )


def _study(source: str, read: str) -> Study:
    from cds.content.draft import read_study, study_of_json

    path = Path(source)
    if path.exists() or not IS_ID.fullmatch(source):
        if not path.is_file():
            stop(f"{source} is neither a file nor a trial's id such as NCT01234567.")
        return read_study(path, read=read)
    return study_of_json(fetched_study(source), f"{source}.json", read=read)


def _summary(made: Draft, folder: Path) -> str:
    """What was drafted, and what comes next."""
    counts = made.counts()
    figures = f"{counts['proposed']} with a proposed form, {counts['human']} for a human"
    lines = [
        f"{folder}: {len(made.criteria)} criteria, {figures}.",
        f"The diagnosis is taken to be {made.target}: change 'target' in trial.yaml if it is not.",
    ]
    lines += [f"The page gives no {name}: write it in trial.yaml." for name in made.study.missing]
    lines.append(
        "Nothing decides yet. Read ledger.tsv, correct the criteria, and mark each with "
        "'status: reviewed'; docs/drafting.md says how."
    )
    return "\n".join(lines)
