"""SNOMED CT descendants from a terminology server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cds.cli.site import load, read, settings_of_site, sign_in_options, stop, today, token_of

if TYPE_CHECKING:
    from cds.fhir.terminology_server import Answers


@click.command()
@click.option("--terminology", "base", required=True, metavar="BASE", help="A FHIR R4 server.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="The content folder to write.",
)
@click.option("--set", "sets", multiple=True, metavar="SET", help="Only this set (repeat).")
@click.option(
    "--codes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="SNOMED CT codes seen at the site, one a line, for a server without $expand.",
)
@sign_in_options
def widen(
    base: str,
    out: Path,
    sets: tuple[str, ...],
    codes: Path | None,
    **sign_in: Any,  # noqa: ANN401 - what sign_in_options adds
) -> None:
    """Ask a terminology server which SNOMED CT codes lie below the listed ones.

    They are written to a content folder of their own; nothing counts until TRIAL_CDS_CONTENT names
    it after the others. Ends with status 1 if some listed codes could not be widened.

    \b
    Example:
      trial-cds widen --terminology https://terminology.example.org/r4 --out widened/
      trial-cds widen --terminology https://terminology.example.org/r4 --out dvt/ --set dvt
    """
    from cds.content import widening
    from cds.fhir.outbound import Deadline
    from cds.fhir.terminology_server import TerminologyFault, ask_below
    from cds.web.remote import PATIENCE, RemoteFault, servers_for

    settings = settings_of_site()
    content = load(settings)
    terminology = content.terminology
    try:
        apart = widening.set_apart(content.trials)
        chosen, along = widening.chosen_sets(terminology, sets, apart)
        seen = None
        if codes is not None:
            text = read(str(codes)).decode("utf-8", "replace")
            seen = widening.seen_codes(text, str(codes))
        widening.refuse_existing(out)
        servers = servers_for(settings, base)
        token = token_of(servers, settings, base, **sign_in)
        asked = widening.ancestors(terminology, chosen)
        answers = ask_below(
            lambda: servers.connect(base, token, Deadline.after(PATIENCE)),
            sorted({one.code for one in asked}),
            seen,
        )
        _refuse_no_answer(base, answers)
        below = {code: found.codes for code, found in answers.below.items()}
        added, refused = widening.additions(terminology, asked, below)
        versions = {code: found.version for code, found in answers.below.items()}
        source = f"{answers.operation} of {base}"
        widening.write_overlay(out, added, source, versions, today(settings))
    except RemoteFault as problem:
        stop(f"--terminology: {problem}")
    except TerminologyFault as problem:
        stop(f"--terminology {base}: {problem}.")
    except widening.WideningFault as problem:
        stop(str(problem))
    if along:
        click.echo(f"Widened along, because criteria set them apart: {', '.join(along)}")
    for line in widening.summary(added):
        click.echo(line)
    for code in refused:
        click.echo(f"Left out: the server lists '{code}', which is no SNOMED CT code.", err=True)
    for code, why in answers.lost.items():
        click.echo(f"Not widened: {code}: {why}.", err=True)
    click.echo(f"{len(added)} row(s) in {out}" if added else "Nothing to add; no file is written.")
    if answers.lost:
        raise SystemExit(1)


def _refuse_no_answer(base: str, answers: Answers) -> None:
    """Stop where nothing was answered; the reasons are alike then, and the first speaks for all."""
    if answers.lost and not answers.below:
        why = next(iter(answers.lost.values()))
        stop(f"--terminology {base}: {why}; none of {len(answers.lost)} codes was widened.")
