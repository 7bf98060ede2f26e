"""Signing a trial's criteria off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cds.cli.site import Day, content_folders, load, settings_of_site, stop, today

if TYPE_CHECKING:
    from datetime import date
    from pathlib import Path


@click.command()
@click.argument("trial", metavar="NCT…")
@click.option("--role", required=True, metavar="WORDS", help="Such as 'principal investigator'.")
@click.option("--name", "by", required=True, metavar="NAME", help="Who signs.")
@click.option("--date", "day", type=Day(), help="The day of the signature; today if left out.")
@click.option("--yes", is_flag=True, help="Do not ask whether the review page was read.")
def sign(trial: str, role: str, by: str, day: date | None, *, yes: bool) -> None:
    """Sign a trial's criteria off, after reading its review page to the end.

    The page, README.md in the trial's folder, must be the one that 'review --write' writes today.
    The entry in trial.yaml holds the digest of the criteria, the target, the look-back and all
    mappings. When one of them changes, the sign-off is stale, and cards and pages say so.

    \b
    Example:
      trial-cds sign NCT00000000 --role "principal investigator" --name "Dr A. Bee"
    """
    from cds.content.check import check_content, is_sound
    from cds.content.fault import ContentFaults
    from cds.content.signing import refuse_drafts
    from cds.content.signing import sign as write
    from cds.content.trial_head import SignOff

    if not role.strip() or not by.strip():
        stop("a sign-off needs a role and a name.")
    settings = settings_of_site()
    content = load(settings, [trial])
    (loaded,) = content.folders
    faults = check_content(content_folders(settings), trial=trial)
    stale = f"trials/{trial}/trial.yaml"
    wrong = [f for f in faults if not is_sound([f]) and not (f.file == stale and _is_stale(f.says))]
    if wrong:
        stop(f"{wrong[0]} ({len(wrong)} fault(s) in all; 'trial-cds check --trial {trial}')")
    try:
        refuse_drafts(loaded)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    _refuse_other_page(trial)
    what = f"{trial} version {loaded.trial.version}, {len(loaded.trial.criteria)} criteria"
    if not yes:
        asked = f"Did {by.strip()} read the review page of {what} to its end?"
        click.confirm(asked, abort=True, err=True)
    when = (day or today(settings)).isoformat()
    entry = SignOff(role.strip(), by.strip(), when, loaded.trial.digest)
    if entry in loaded.sign_off:
        stop("this sign-off stands there already.")
    try:
        path = write(loaded, content.terminology, entry)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    except OSError as problem:
        stop(
            f"{loaded.folder} cannot be written: {(problem.strerror or 'unknown reason').lower()}."
        )
    _page_anew(trial)
    click.echo(f"{what}: signed by {entry.by} ({entry.role}) on {when}; {path.name} says so.")


def _refuse_other_page(trial: str) -> None:
    """Stop where the page that people read is not the one of what would be signed."""
    path, page = _page(trial)
    try:
        shown = path.read_text("utf-8")
    except FileNotFoundError:
        wrong = "is not there"
    except (OSError, UnicodeDecodeError):
        wrong = "cannot be read"
    else:
        if shown == page:
            return
        wrong = "is not the one of today's criteria"
    stop(
        f"the review page {path} {wrong}; write it with 'trial-cds review {trial} --write', "
        "read it to its end, then sign."
    )


def _page_anew(trial: str) -> None:
    """The review page beside the criteria shows who signed."""
    path, page = _page(trial)
    path.write_text(page, "utf-8")


def _page(trial: str) -> tuple[Path, str]:
    """Where the review page of a trial stands, and what it must say today."""
    from cds.content.review import review_pages

    settings = settings_of_site()
    content = load(settings, [trial])
    ((path, page),) = review_pages(content_folders(settings), content.terminology, content.folders)
    return path, page


def _is_stale(says: str) -> bool:
    return says.startswith("Criteria not yet reviewed")
