"""The CDS Hooks service."""

from __future__ import annotations

import click

import cds
from cds.cli.site import load, settings_of_site, stop, today


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port to listen on.")
def serve(host: str, port: int) -> None:
    """Run the CDS Hooks service.

    \b
    Example:
      TRIAL_CDS_CLIENTS=clients.yaml trial-cds serve --host 0.0.0.0 --port 8080
    """
    from cds.content.fault import ContentFaults
    from cds.fhir.units import make_ready
    from cds.settings import SettingsFault, check_listening
    from cds.store.fault import StoreFault
    from cds.web.counting import share_counts

    share_counts()  # before the application is imported
    from cds.web.app import create_app, keeper_of, store_of
    from cds.web.seen.log import configure, log
    from cds.web.serving import run

    settings = settings_of_site()
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        check_listening(settings, host)
        content = load(settings)
        app = create_app(settings, content, lambda: today(settings), address=address)
        store_of(app).open()
        keeper_of(app).open()
        make_ready()  # before the workers are forked, which then share it
    except (SettingsFault, StoreFault) as problem:
        stop(str(problem))
    except ContentFaults as problem:
        stop(f"TRIAL_CDS_CLIENTS: {problem.faults[0]}")
    configure()
    log.info("serving", version=cds.__version__, address=f"{address}/cds-services")
    run(
        app,
        host=host,
        port=port,
        workers=settings.workers,
        threads=settings.threads,
        patience=settings.deadline_seconds + 10,
    )
