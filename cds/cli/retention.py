"""Throwing away what is too old."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import click

from cds.cli.site import settings_of_site, stop


@click.command()
def retention() -> None:
    """Throw away what is older than TRIAL_CDS_RETENTION_DAYS.

    The service does so by itself, a little with every few hundred calls; this does all of it now.

    \b
    Example:
      TRIAL_CDS_RETENTION_DAYS=90 trial-cds retention
    """
    from cds.store.calls import throw_away
    from cds.store.database import Store
    from cds.store.fault import StoreFault

    settings = settings_of_site()
    if settings.retention_days == 0:
        stop("TRIAL_CDS_RETENTION_DAYS is 0: everything is kept for ever.")
    oldest = datetime.now(UTC) - timedelta(days=settings.retention_days)
    store = Store(settings.database_url)
    try:
        gone = throw_away(store, oldest)
    except StoreFault as problem:
        stop(str(problem))
    finally:
        store.close()
    click.echo(
        f"Thrown away, older than {oldest:%Y-%m-%d}: {gone.calls} calls with their decision "
        f"records, {gone.feedback} feedback, {gone.mutes} muted cards, {gone.attestations} answers."
    )
