"""One patient: a Bundle, or a chart on a FHIR server."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cds.cli.site import (
    Day,
    evaluation_on,
    load,
    read,
    settings_of_site,
    sign_in_options,
    stop,
    token_of,
)

if TYPE_CHECKING:
    from datetime import date

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.core.when import Evaluation
    from cds.fhir.record import Record
    from cds.settings import Settings


@click.command()
@click.argument("bundle", metavar="[BUNDLE.json]", required=False)
@click.option("--on", type=Day(), help="The planned day of enrolment; today if left out.")
@click.option("--trial", "trials", multiple=True, metavar="NCT…", help="Only this trial (repeat).")
@click.option("--format", "as_format", type=click.Choice(["text", "json"]), default="text")
@click.option("--fhir", "base", metavar="BASE", help="Read the chart from this FHIR server.")
@click.option("--patient", metavar="ID", help="With --fhir: the FHIR id of the patient.")
@click.option(
    "--record",
    "records",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Append a decision record of each determination, for 'trial-cds replay'.",
)
@sign_in_options
def evaluate(  # noqa: PLR0913 - each is one option
    bundle: str | None,
    on: date | None,
    trials: tuple[str, ...],
    as_format: str,
    base: str | None,
    patient: str | None,
    records: Path | None,
    **sign_in: Any,  # noqa: ANN401 - what sign_in_options adds
) -> None:
    """Say what every trial comes to for one patient.

    The chart is a FHIR R4 Bundle ('-' reads standard input), or --fhir and --patient say where it
    is. A server that wants a token gets it from --token-file, or the command signs in by itself
    with --client-id and --key-file (SMART Backend Services).

    \b
    Example:
      trial-cds evaluate patient.json --on 2026-03-01 --format json
      trial-cds evaluate --fhir https://fhir.example.org/r4 --patient 4711 --token-file token
    """
    from cds.assess import assess

    settings = settings_of_site()
    if records is not None and bundle is None:
        stop("--record needs a BUNDLE.json, because a replay needs the same bytes again.")
    data = b""
    if bundle is not None and base is None and patient is None and not any(sign_in.values()):
        data = read(bundle)
        content, asked = load(settings, trials), evaluation_on(settings, on)
        record = _bundled(bundle, data)
    elif bundle is None and base is not None and patient is not None:
        content, asked = load(settings, trials), evaluation_on(settings, on)
        record = _remote(settings, base, patient, sign_in, content, asked)
    else:
        stop("evaluate needs a BUNDLE.json, or --fhir with --patient; --help shows an example.")
    assessment = assess(record, content, asked)
    if records is not None:
        _append(records, data, assessment, content, asked, masked=not settings.unmasked_records)
    if as_format == "json":
        import json

        from cds.core.assessment import assessment_json

        click.echo(json.dumps(assessment_json(assessment), indent=2, ensure_ascii=False))
    else:
        from cds.cards.text import assessment_text

        click.echo(assessment_text(assessment, content.labels))


def _append(  # noqa: PLR0913 - what a record is made of
    file: Path,
    data: bytes,
    assessment: Assessment,
    content: Content,
    asked: Evaluation,
    *,
    masked: bool,
) -> None:
    from datetime import UTC, datetime

    import msgspec

    from cds.web.kept.evaluated import records_of

    lines = records_of(data, assessment, content, asked, datetime.now(UTC), masked=masked)
    try:
        with file.open("ab") as there:
            there.write(b"".join(msgspec.json.encode(line) + b"\n" for line in lines))
    except OSError as problem:
        stop(f"--record: {file} cannot be written: {(problem.strerror or 'unknown').lower()}.")


def _bundled(name: str, data: bytes) -> Record:
    from cds.fhir.record import UnusableInput, record_from_bundle

    try:
        return record_from_bundle(data)
    except UnusableInput as problem:
        stop(f"{'standard input' if name == '-' else name}: {problem}")


def _remote(  # noqa: PLR0913 - who asks whom about whom
    settings: Settings,
    base: str,
    patient: str,
    sign_in: dict[str, Any],
    content: Content,
    asked: Evaluation,
) -> Record:
    from cds.web.remote import RemoteFault, chart_of, servers_for

    try:
        servers = servers_for(settings, base)
        token = token_of(servers, settings, base, **sign_in)
        return chart_of(servers, base, token, patient, content, asked)
    except RemoteFault as problem:
        stop(f"the FHIR server: {problem}")
