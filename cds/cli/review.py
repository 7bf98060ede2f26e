"""The page on which clinicians review a trial."""

from __future__ import annotations

import click

from cds.cli.site import content_folders, load, settings_of_site, stop


@click.command()
@click.argument("trials", nargs=-1, metavar="[NCT…]")
@click.option("--write", is_flag=True, help="Write each page to README.md in the trial's folder.")
def review(trials: tuple[str, ...], *, write: bool) -> None:
    """Show the page on which clinicians review a trial's criteria.

    \b
    Example:
      trial-cds review NCT05490667 | less
      trial-cds review --write
    """
    from cds.content.fault import ContentFaults
    from cds.content.review import review_pages

    settings = settings_of_site()
    content = load(settings, trials)
    try:
        pages = review_pages(content_folders(settings), content.terminology, content.folders)
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    for path, page in pages:
        if write:
            path.write_text(page, "utf-8")
            click.echo(f"{path.parent.name}/{path.name} written", err=True)
        else:
            click.echo(page, nl=False)
