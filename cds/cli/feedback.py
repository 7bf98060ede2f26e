"""What users did with the cards."""

from __future__ import annotations

import csv
import sys
from datetime import UTC, date, datetime, time, timedelta
from typing import TYPE_CHECKING

import click

from cds.cli.site import Day, settings_of_site, stop

if TYPE_CHECKING:
    from collections.abc import Sequence
    from zoneinfo import ZoneInfo

    from cds.store.acceptance import Acceptance


@click.command()
@click.option("--since", type=Day(), help="The first day that counts.")
@click.option("--until", type=Day(), help="The last day that counts.")
@click.option("--format", "as_format", type=click.Choice(["text", "json", "csv"]), default="text")
def feedback(since: date | None, until: date | None, as_format: str) -> None:
    """Report, for each trial, how often its cards were accepted, and why they were overridden.

    \b
    Example:
      trial-cds feedback --since 2026-03-01
    """
    from cds.store.acceptance import acceptance
    from cds.store.database import Store
    from cds.store.fault import StoreFault

    settings = settings_of_site()
    store = Store(settings.database_url)
    zone = settings.timezone
    try:
        found = acceptance(
            store,
            since=None if since is None else _start(since, zone),
            until=None if until is None else _start(until + timedelta(days=1), zone),
        )
    except StoreFault as problem:
        stop(str(problem))
    finally:
        store.close()
    {"text": _text, "json": _json, "csv": _csv}[as_format](found)


def _start(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time.min, zone).astimezone(UTC)


def _text(found: Sequence[Acceptance]) -> None:
    if not found:
        click.echo("No card was shown and no feedback came in this time.")
    for one in found:
        rate = "" if one.rate is None else f", {one.rate:.0%} of what was said"
        click.echo(
            f"{one.trial}: {one.shown} cards shown, {one.answered} answered; "
            f"{one.accepted} accepted{rate}, {one.overridden} overridden"
        )
        for reason, count in one.reasons.items():
            click.echo(f"  {count:>6}  {reason}")


def _json(found: Sequence[Acceptance]) -> None:
    import msgspec

    for one in found:
        click.echo(msgspec.json.encode({**msgspec.structs.asdict(one), "rate": one.rate}))


def _csv(found: Sequence[Acceptance]) -> None:
    rows = csv.writer(sys.stdout)
    rows.writerow(["trial", "shown", "answered", "accepted", "overridden", "reason", "count"])
    for one in found:
        head = [one.trial, one.shown, one.answered, one.accepted, one.overridden]
        for reason, count in one.reasons.items() or [("", "")]:
            rows.writerow([*head, reason, count])
