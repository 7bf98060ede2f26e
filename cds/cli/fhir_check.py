"""What a FHIR server supports of what is asked."""

from __future__ import annotations

from typing import Any

import click

from cds.cli.site import settings_of_site, sign_in_options, stop, token_of


@click.command("fhir-check")
@click.argument("base", metavar="BASE")
@click.option("--patient", metavar="ID", help="Try every search for this patient, too.")
@sign_in_options
def fhir_check(
    base: str,
    patient: str | None,
    **sign_in: Any,  # noqa: ANN401 - what sign_in_options adds
) -> None:
    """List what a FHIR server supports of what is asked, what each gap means, and what to set.

    Ends with status 1 if the server cannot be used as it is.

    \b
    Example:
      trial-cds fhir-check https://fhir.example.org/r4
      trial-cds fhir-check http://127.0.0.1:8090/fhir --patient 4711
    """
    from cds.fhir.check import check_server, may_be_used, table
    from cds.fhir.outbound import Deadline
    from cds.web.remote import PATIENCE, RemoteFault, servers_for

    settings = settings_of_site()
    try:
        servers = servers_for(settings, base)
        token = token_of(servers, settings, base, **sign_in)
    except RemoteFault as problem:
        stop(f"the FHIR server: {problem}")
    with servers.connect(base, token, Deadline.after(PATIENCE)) as connection:
        aliases = [one.alias for one in settings.fhir_allow if one.alias is not None]
        findings = check_server(connection, base, aliases, patient)
    click.echo(table(findings))
    if not may_be_used(findings):
        raise SystemExit(1)
