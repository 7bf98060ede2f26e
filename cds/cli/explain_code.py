"""What a code or a drug name means here."""

from __future__ import annotations

import click

from cds.cli.site import load, settings_of_site


@click.command("explain-code")
@click.argument("words", nargs=-1, required=True, metavar="[SYSTEM] CODE | DRUG NAME")
def explain_code(words: tuple[str, ...]) -> None:
    """Say which concepts a code or a drug name meets, and which criteria use them.

    \b
    Example:
      trial-cds explain-code RxNorm 21212
      trial-cds explain-code clarithromycin
    """
    from cds.content import explain

    content = load(settings_of_site())
    criteria: dict[str, list[str]] = {}
    for loaded in content.folders:
        for key, concepts in loaded.concepts.items():
            for concept in sorted(concepts):
                criteria.setdefault(concept, []).append(f"{loaded.trial.id} {key}")
    *before, code = words
    system = " ".join(before)
    if before and explain.is_system(content.terminology, system):
        click.echo(explain.explain_code(content.terminology, system, code, criteria))
    else:
        click.echo(explain.explain_name(content.terminology, " ".join(words), criteria))
