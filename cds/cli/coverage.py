"""How much of each protocol is computed, drafted or left to a human."""

from __future__ import annotations

from pathlib import Path

import click

from cds.cli.site import content_folders, load, settings_of_site, stop


@click.command()
@click.argument("trials", nargs=-1, metavar="[NCT…]")
@click.option(
    "--source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The page that the one trial was read from; otherwise source.txt or .json beside it.",
)
@click.option("--ledger", is_flag=True, help="Show what became of every sentence of the page.")
@click.option("--format", "as_format", type=click.Choice(["text", "json"]), default="text")
def coverage(trials: tuple[str, ...], source: Path | None, as_format: str, *, ledger: bool) -> None:
    """Say how much of each protocol is computed, reviewed, drafted, or left to a human.

    With the page that a trial was read from, a ledger accounts for every sentence of it. Ends with
    status 1 where a sentence is not accounted for.

    \b
    Example:
      trial-cds coverage
      trial-cds coverage NCT00000000 --source page.txt --ledger
    """
    from cds.content import coverage as covered
    from cds.content.fault import ContentFaults
    from cds.content.overlays import overlay_report
    from cds.content.source import read_source

    settings = settings_of_site()
    loaded = load(settings, trials).folders
    if source is not None and len(loaded) != 1:
        stop(f"--source belongs to one trial, not to {len(loaded)}; name it.")
    found = []
    try:
        for folder in loaded:
            page = read_source(source) if source else covered.saved_source(folder.folder)
            found.append(covered.coverage(folder, page))
    except ContentFaults as problem:
        stop(str(problem.faults[0]))
    if ledger and all(one.sentences is None for one in found):
        stop("there is no page to account for; give --source FILE, or save it as source.txt.")
    for line in overlay_report(content_folders(settings)):
        click.echo(line, err=True)
    if as_format == "json":
        import json

        click.echo(json.dumps(covered.as_json(found), indent=2, ensure_ascii=False))
    else:
        click.echo(covered.as_text(found, sentences=ledger))
    if any(one.of_sentences[covered.UNCLAIMED] for one in found):
        raise SystemExit(1)
