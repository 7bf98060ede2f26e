"""The CDS Hooks service."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

import cds
from cds.cli.site import content_folders, load, settings_of_site, stop, today

if TYPE_CHECKING:
    from flask import Flask

    from cds.assess import Content
    from cds.settings import Settings


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(1, 65_535),
    default=8080,
    show_default=True,
    help="The port to listen on.",
)
@click.option("--watch", is_flag=True, help="Take content files over whenever they are saved.")
def serve(host: str, port: int, *, watch: bool) -> None:
    """Run the CDS Hooks service.

    SIGHUP, or with --watch each saved file, makes it read its content again: what is sound takes
    over without a call being dropped, what is not is refused with a line of the log.

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
    from cds.web.reloading import tell_on_change
    from cds.web.seen.log import configure, log
    from cds.web.serving import check_bindable, run

    settings = settings_of_site()
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        check_listening(settings, host)
        check_bindable(host, port)
    except SettingsFault as problem:
        stop(str(problem))
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        stop(f"{address} cannot be listened at ({why}); choose another --host or --port.")
    try:
        app = _app(settings, load(settings), address)
        make_ready()  # before the workers are forked, which then share it
    except (SettingsFault, StoreFault) as problem:
        stop(str(problem))
    except ContentFaults as problem:
        stop(f"TRIAL_CDS_CLIENTS: {problem.faults[0]}")
    configure()
    serving = {"version": cds.__version__, "address": f"{address}/cds-services"}
    if watch:
        tell_on_change(content_folders(settings))
    run(
        app,
        host=host,
        port=port,
        workers=settings.workers,
        threads=settings.threads,
        patience=settings.deadline_seconds + 10,
        renew=lambda: _renewed(settings, address),
        ready=lambda: log.info("serving", **serving),
    )


def _app(settings: Settings, content: Content, address: str) -> Flask:
    """The application, with its store open, and all that a first call would wait for."""
    from cds.web.app import create_app, keeper_of, store_of

    content.terminology.make_ready()
    app = create_app(settings, content, lambda: today(settings), address=address)
    store_of(app).open()
    keeper_of(app).open()
    return app


def _renewed(settings: Settings, address: str) -> Flask | None:
    """The application with the content of now; None, and a line of the log, if it is faulty."""
    from cds.assess import load_content
    from cds.content.fault import ContentFaults
    from cds.settings import SettingsFault
    from cds.store.fault import StoreFault
    from cds.web.seen.log import log

    try:
        content = load_content(content_folders(settings), compiled=settings.compiled)
        app = _app(settings, content, address)
    except ContentFaults as problem:
        log.error("content refused", fault=_line(problem.faults[0]), faults=len(problem.faults))
    except (SettingsFault, StoreFault, OSError) as problem:
        log.error("content refused", fault=_line(problem), faults=1)
    else:
        log.info("content taken over", digest=content.digest, trials=len(content.heads))
        return app
    return None


def _line(fault: object) -> str:
    """A fault on one line that is not too long for the log."""
    return " ".join(str(fault).split())[:400]
