"""The service with invented patients."""

from __future__ import annotations

import click

from cds.cli.site import load, settings_of_site, stop


@click.command()
@click.option("--port", default=8080, show_default=True, help="The port to try first.")
def demo(port: int) -> None:
    """Run the service, a FHIR endpoint with invented patients, and charts that fire the hook.

    \b
    Example:
      trial-cds demo --port 8080
    """
    from cds.web.demo import run_demo

    settings = settings_of_site()
    try:
        run_demo(settings, load(settings), port=port, say=click.echo)
    except OSError as problem:
        stop(f"--port {port}: {problem}.")
