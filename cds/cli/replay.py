"""Making a recorded determination again."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds.cli.site import load, read, settings_of_site, stop

if TYPE_CHECKING:
    from cds.settings import Settings
    from cds.web.kept.inputs import Input
    from cds.web.kept.record import DecisionRecord


@click.command()
@click.argument("record", metavar="RECORD")
@click.option("--input", "chart", metavar="FILE", help="The hook request, or a FHIR Bundle.")
@click.option("--format", "as_format", type=click.Choice(["text", "json"]), default="text")
def replay(record: str, chart: str | None, as_format: str) -> None:
    """Make a recorded determination again and compare it, byte for byte.

    RECORD is a file of decision records, or an id in the store as 'trial-cds decision' takes it.
    The chart comes from --input, else from the store where TRIAL_CDS_KEEP_INPUTS kept it. The
    exit status is 0 where every determination is the same, 1 where one is not; other software,
    content or input is named.

    \b
    Example:
      trial-cds replay 019a1b2c-3d4e-7f60-8123-456789abcdef.NCT05490667
      trial-cds replay record.json --input request.json
    """
    from cds.web.kept.replay import ReplayFault, replay

    settings = settings_of_site()
    records = _records(settings, record)
    content = load(settings)
    same = True
    for one in records:
        try:
            done = replay(one, _chart(settings, one, chart), content)
        except ReplayFault as problem:
            stop(f"{one.determination}: {problem}.")
        same = same and done.same
        if as_format == "json":
            import msgspec

            click.echo(msgspec.json.encode(done))
        else:
            verdict = "the same, byte for byte" if done.same else "not the same"
            click.echo(f"{one.determination}: {verdict} ({one.overall} on {one.on})")
            for difference in done.differences:
                click.echo(f"  {difference}")
    raise SystemExit(0 if same else 1)


def _records(settings: Settings, name: str) -> list[DecisionRecord]:
    from cds.store.calls import find_calls
    from cds.store.database import Store
    from cds.store.fault import StoreFault
    from cds.web.kept.replay import ReplayFault, read_records

    try:
        if name == "-" or Path(name).is_file():
            return read_records(read(name))
        store = Store(settings.database_url)
        call, _, trial = name.partition(".")
        found = find_calls(store, call, trial=trial or None)
        store.close()
        lines = "\n".join(decided.record for one in found for decided in one.decided)
        if not lines:
            stop(f"{name} is neither a file nor the id of a determination in the store.")
        return read_records(lines.encode())
    except StoreFault as problem:
        stop(str(problem))
    except ReplayFault as problem:
        stop(f"{name}: {problem}.")


def _chart(settings: Settings, record: DecisionRecord, file: str | None) -> Input | bytes:
    """The chart of a record: from the file, else what the store kept of its call."""
    from cds.store.calls import find_calls
    from cds.store.database import Store
    from cds.store.fault import StoreFault
    from cds.web.kept.replay import ReplayFault, read_input, read_kept
    from cds.web.kept.service import keys_of

    if file is not None:
        try:
            return read_input(read(file), record)
        except ReplayFault as problem:
            stop(f"{file}: {problem}.")
    call = record.determination.partition(".")[0]
    store = Store(settings.database_url)
    try:
        sealed = next((one.sealed for one in find_calls(store, call) if one.sealed), None)
        opened = None if sealed is None else keys_of(settings).unseal(sealed, call)
    except StoreFault as problem:
        stop(str(problem))
    finally:
        store.close()
    if opened is None:
        why = "was not kept" if sealed is None else "was kept under a site key that is gone"
        message = f"its chart {why}; give it with --input (the hook request, or a Bundle)"
        raise ReplayFault(message)
    return read_kept(opened)
