"""The command line. Each command is a module of its own, imported when it is called.

`evaluate` on one bundle must not pay for a web server, nor `--help` for anything: commands import
the web, FHIR and YAML layers inside their bodies.
"""

from __future__ import annotations

import sys
from importlib import import_module
from typing import Any, NoReturn

import click

import cds
from cds.cli.site import stop

# In the order of `trial-cds --help`. The module of `fhir-check` is cds.cli.fhir_check.
COMMANDS = (
    "evaluate",
    "serve",
    "demo",
    "fhir-check",
    "screen",
    "report",
    "shadow",
    "switches",
    "draft",
    "check",
    "review",
    "coverage",
    "diff",
    "sign",
    "refresh",
    "explain-code",
    "widen",
    "decision",
    "replay",
    "feedback",
    "answers",
    "forget",
    "retention",
)


class _Commands(click.Group):
    """Commands whose errors are one sentence on standard error and exit status 2."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - as click calls it
        """The names, most used first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, imported now; None for a name that is none."""
        if cmd_name not in COMMANDS:
            return None
        name = cmd_name.replace("-", "_")
        command: click.Command = getattr(import_module(f"cds.cli.{name}"), name)
        return command

    def main(self, *args: Any, **extra: Any) -> NoReturn:  # noqa: ANN401 - as click declares it
        """Run, and end the process."""
        try:
            status = super().main(*args, **extra | {"standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as problem:
            click.echo(problem.format_message())
            status = 2
        except click.ClickException as problem:
            context = getattr(problem, "ctx", None)
            where = f" ({context.command_path})" if context else ""
            stop(f"{problem.format_message().rstrip('.')}{where}; --help shows an example.")
        except click.Abort:
            status = 130
        except ModuleNotFoundError as problem:
            package = (problem.name or "").partition(".")[0]
            if package in {"", "cds"}:
                raise  # a fault of ours
            stop(f"this command needs the package {package}, which this installation leaves out.")
        sys.exit(status)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(cds.__version__, prog_name="trial-cds")
def main() -> None:
    """Clinical decision support for trial eligibility.

    \b
    Example:
      trial-cds evaluate patient.json --on 2026-03-01
      trial-cds demo
    """
