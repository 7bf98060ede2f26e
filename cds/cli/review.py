"""The page on which clinicians review a trial."""

from __future__ import annotations

from pathlib import Path

import click

from cds.cli.site import content_folders, load, settings_of_site, stop, today


@click.command()
@click.argument("trials", nargs=-1, metavar="[NCT…]")
@click.option("--write", is_flag=True, help="Write each page to README.md in the trial's folder.")
@click.option("--serve", is_flag=True, help="Show it live in a browser on this machine.")
@click.option("--port", default=8090, show_default=True, help="With --serve: the port.")
@click.option(
    "--source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="With --serve and one trial: the page that it was read from.",
)
@click.option(
    "--patients",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="With --serve: folders with a bundle.json each, in place of the invented patients.",
)
def review(  # noqa: PLR0913 - each is one option
    trials: tuple[str, ...],
    port: int,
    source: Path | None,
    patients: Path | None,
    *,
    write: bool,
    serve: bool,
) -> None:
    """Show the page on which clinicians review a trial's criteria.

    With --serve the page stands beside the protocol's text, follows every saved file, shows whether
    the cases come true, and says what each criterion comes to for a patient.

    \b
    Example:
      trial-cds review NCT05490667 | less
      trial-cds review --write
      trial-cds review NCT05490667 --serve --source page.txt
    """
    from cds.content.fault import ContentFaults
    from cds.content.overlays import overlay_report
    from cds.content.review import review_pages

    settings = settings_of_site()
    for line in overlay_report(content_folders(settings)):
        click.echo(line, err=True)
    if serve:
        _serve(trials, port, source, patients)
        return
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


def _serve(trials: tuple[str, ...], port: int, source: Path | None, patients: Path | None) -> None:
    from cds.content.bundled import bundled_fixtures
    from cds.web.review.app import create_review_app
    from cds.web.review.live import LiveContent
    from cds.web.review.run import run_review

    if source is not None and len(trials) != 1:
        stop("--source belongs to one trial; name it.")
    settings = settings_of_site()
    live = LiveContent(content_folders(settings), trials, source)
    app = create_review_app(
        live,
        patients or bundled_fixtures(),
        lambda: settings.on or today(settings),
        settings.timezone,
    )

    def ready(address: str) -> None:
        where = f"{address}/trials/{trials[0]}" if len(trials) == 1 else address
        click.echo(f"The review page is at {where}; Ctrl-C ends.", err=True)

    try:
        run_review(app, port, ready)
    except OSError as problem:
        stop(f"--port: {problem.strerror or problem}.")
