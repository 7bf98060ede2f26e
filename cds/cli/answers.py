"""What people answered about one patient, and taking it back where no page is at hand."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from cds.cli.site import settings_of_site, stop

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.store.attestations import Attestation
    from cds.store.database import Store


@click.command()
@click.option(
    "--fhir",
    "base",
    required=True,
    metavar="BASE",
    help="The fhirServer that the EHR sends; its iss where it sends none.",
)
@click.option("--patient", required=True, metavar="ID", help="The FHIR id of the patient.")
@click.option(
    "--withdraw", nargs=2, metavar="NCT… CRITERION", help="Take the answer to one criterion back."
)
@click.option("--name", metavar="NAME", help="With --withdraw: who takes it back.")
@click.option("--role", metavar="ROLE", help="With --withdraw: as what, such as investigator.")
def answers(
    base: str, patient: str, withdraw: tuple[str, str] | None, name: str | None, role: str | None
) -> None:
    """List what people answered to the questions of trials about one patient, the oldest first.

    A trial that was ruled out gives no card, so that its page may be out of reach: --withdraw
    takes the answer back here. That is added to what was said, under your name.

    \b
    Example:
      trial-cds answers --fhir https://fhir.example.org/r4 --patient 4711
      trial-cds answers --fhir https://fhir.example.org/r4 --patient 4711 \\
        --withdraw NCT05490667 I01b --name "Ada Example" --role investigator
    """
    from cds.store.attestations import attested
    from cds.store.database import Store
    from cds.store.fault import StoreFault
    from cds.web.kept.service import keys_of, namespace

    settings = settings_of_site()
    store = Store(settings.database_url)
    try:
        keys = keys_of(settings)
        # An iss, where the EHR sends no fhirServer, is taken letter by letter.
        spaces = dict.fromkeys((namespace(base, None), base))
        names = [name for one in spaces for name in keys.patients(one, patient)]
        said = attested(store, names)
        if withdraw is not None:
            _withdraw(store, said, withdraw, name, role, names)
            said = attested(store, names)
    except StoreFault as problem:
        stop(f"{problem}.".replace("..", "."))
    finally:
        store.close()
    if not said:
        click.echo("Nobody has answered anything about this patient.")
    for one in said:
        until = "" if one.expires is None else f", until {one.expires}"
        when = one.said.strftime("%Y-%m-%d %H:%M UTC")
        click.echo(
            f"{when}  {one.trial} {one.criterion}: {one.answer}{until}  {one.name} ({one.role})"
        )


def _withdraw(  # noqa: PLR0913 - what was said, and who takes what of it back
    store: Store,
    said: Sequence[Attestation],
    which: tuple[str, str],
    name: str | None,
    role: str | None,
    patient: Sequence[str],
) -> None:
    import os
    from datetime import UTC, datetime

    from cds.store.attestations import WITHDRAWN, Attestation, attest, newest
    from cds.web.attesting.person import ROLES

    if not name or role not in ROLES:
        stop(f"--withdraw needs --name, and as --role one of {', '.join(ROLES)}.")
    last = newest(said).get(which)
    if last is None or last.answer == WITHDRAWN:
        stop(f"--withdraw: nothing that counts was answered to {which[0]} {which[1]}.")
    user = f"command line, user {os.getuid()}"
    gone = Attestation(
        patient[0], *which, last.question, WITHDRAWN, role, name, user, datetime.now(UTC), None
    )
    attest(store, [gone])
