"""What a file of switches would do, before it is put in force."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds.cli.site import load, settings_of_site, stop

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.settings import Settings
    from cds.web.switches import Switches


@click.command()
@click.argument("file", metavar="[FILE]", type=click.Path(path_type=Path), required=False)
def switches(file: Path | None) -> None:
    """Check a file of switches and say what it does; TRIAL_CDS_SWITCHES if left out.

    \b
    Example:
      trial-cds switches new-switches.yaml && mv new-switches.yaml /etc/trial-cds/switches.yaml
    """
    from cds.content.fault import ContentFaults
    from cds.web.switches import load_switches

    settings = settings_of_site()
    path = file or settings.switches
    if path is None:
        stop("name a FILE, or set TRIAL_CDS_SWITCHES; --help shows an example.")
    trials = [head.id for head in load(settings).heads]
    try:
        found = load_switches(path, trials, _issuers(settings))
    except ContentFaults as problem:
        for fault in problem.faults:
            click.echo(str(fault), err=True)
        raise SystemExit(2) from None
    for line in _said(found):
        click.echo(line)


def _issuers(settings: Settings) -> list[str] | None:
    from cds.content.fault import ContentFaults
    from cds.web.clients import load_clients

    if settings.clients is None:
        return None
    try:
        return list(load_clients(settings.clients))
    except ContentFaults as problem:
        stop(f"TRIAL_CDS_CLIENTS: {problem.faults[0]}")


def _said(found: Switches) -> Iterator[str]:
    if found.shadow:
        yield f"In shadow: {', '.join(sorted(found.shadow))}"
    for trial, switch in sorted(found.trials.items()):
        if switch.off:
            yield f"{trial}: off"
            continue
        for word in ("clients", "roles", "departments"):
            some = sorted(getattr(switch, word))
            if some:
                yield f"{trial}: only for {word} {', '.join(some)}"
        for contact in switch.contacts:
            where = f" (for {', '.join(sorted(contact.clients))})" if contact.clients else ""
            yield f"{trial}: study contact {contact.says}{where}"
    if not found.shadow and not found.trials:
        yield "Nothing is switched."
