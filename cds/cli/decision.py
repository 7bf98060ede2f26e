"""What was decided in one hook call."""

from __future__ import annotations

import click

from cds.cli.site import settings_of_site, stop


@click.command()
@click.argument("name", metavar="ID")
@click.option("--format", "as_format", type=click.Choice(["text", "json"]), default="text")
def decision(name: str, as_format: str) -> None:
    """Say what was decided, with which versions, and why there was a card or none.

    ID is the hookInstance of the call, the id in the answer's header Trial-CDS-Decision, or one of
    the call's determinations. With --format json, one record a line.

    \b
    Example:
      trial-cds decision d1577c69-dfbe-44ad-ba6d-3e05e953b2ea
    """
    from cds.store.calls import find_calls
    from cds.store.database import Store
    from cds.store.fault import StoreFault
    from cds.web.kept.telling import in_words

    store = Store(settings_of_site().database_url)
    call, _, trial = name.partition(".")
    try:
        found = find_calls(store, call, trial=trial or None)
    except StoreFault as problem:
        stop(str(problem))
    finally:
        store.close()
    if not found:
        stop(
            f"no call '{name}' is in the store: it was not answered with 200 here, or was too old "
            "and thrown away (TRIAL_CDS_RETENTION_DAYS), or this is another store."
        )
    for one in found:
        if as_format == "text":
            click.echo("\n".join(in_words(one)))
        else:
            for line in (one.record, *(decided.record for decided in one.decided)):
                click.echo(line)
