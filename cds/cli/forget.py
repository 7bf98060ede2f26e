"""Throwing away what is kept about a patient."""

from __future__ import annotations

import click

from cds.cli.site import settings_of_site, stop


@click.command()
@click.argument("patient", metavar="PATIENT_ID")
@click.option(
    "--fhir",
    "base",
    default="",
    metavar="BASE",
    help="The fhirServer that the EHR sends; its iss where it sends none.",
)
def forget(patient: str, base: str) -> None:
    """Throw away every decision record, kept chart, feedback, mute and answer about a patient.

    PATIENT_ID is the FHIR id. Patients are kept by an HMAC of base and id, so that the base must be
    the one that the EHR sends. Older site keys are tried too, as long as their file has them.

    \b
    Example:
      trial-cds forget 4711 --fhir https://fhir.example.org/r4
    """
    from cds.store.calls import forget_patient
    from cds.store.database import Store
    from cds.store.fault import StoreFault
    from cds.web.kept.service import keys_of, namespace

    settings = settings_of_site()
    store = Store(settings.database_url)
    try:
        keys = keys_of(settings)
        bases = {namespace(base or None, None), base}  # an iss is taken letter by letter
        gone = forget_patient(
            store, [name for one in bases for name in keys.patients(one, patient)]
        )
    except StoreFault as problem:
        stop(str(problem))
    finally:
        store.close()
    click.echo(
        f"Thrown away: {gone.calls} calls with their decision records, {gone.feedback} feedback, "
        f"{gone.mutes} muted cards, {gone.attestations} answers."
    )
    if not any((gone.calls, gone.feedback, gone.mutes, gone.attestations)):
        click.echo("Nothing was kept of this patient under this --fhir.", err=True)
