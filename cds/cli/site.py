"""What several commands need: the settings, the content, the day, sign-in, and how to stop."""

from __future__ import annotations

import os
import re
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn, TypeVar

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.assess import Content
    from cds.core.when import Evaluation
    from cds.fhir.server import FhirServers
    from cds.settings import Settings

_DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_Command = TypeVar("_Command", bound="Callable[..., None]")


class Day(click.ParamType[date]):
    """An ISO calendar date."""

    name = "YYYY-MM-DD"

    def convert(
        self, value: str | date, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        """Read the date or refuse it with one sentence."""
        if isinstance(value, date):
            return value
        try:
            # Python also reads 20260301 and weeks.
            return date.fromisoformat(value if _DAY.fullmatch(value) else "")
        except ValueError:
            self.fail(f"{value!r} is no calendar date; write it as 2026-03-01.", param, ctx)


def stop(says: str) -> NoReturn:
    """End with exit status 2 and one clear sentence on standard error."""
    click.echo(f"trial-cds: {says}", err=True)
    raise SystemExit(2)


def sign_in_options(command: _Command) -> _Command:
    """How a command gets into a FHIR server that wants a token."""
    file = click.Path(exists=True, dir_okay=False, path_type=Path)
    for option in (
        click.option("--key-id", metavar="KID", help="The key's id, where its file has none."),
        click.option("--key-file", type=file, metavar="FILE", help="Private key, PEM or JWK."),
        click.option("--client-id", metavar="ID", help="Sign in as this backend service."),
        click.option("--token-file", type=file, metavar="FILE", help="A file with a bearer token."),
    ):
        command = option(command)
    return command


def token_of(  # noqa: PLR0913 - each is one option
    servers: FhirServers,
    settings: Settings,
    base: str,
    *,
    token_file: Path | None,
    client_id: str | None,
    key_file: Path | None,
    key_id: str | None,
) -> str | None:
    """The bearer token that the options lead to; None without any.

    Raises:
        RemoteFault: the server did not give one.
    """
    from cds.fhir.backend import SignInFault, missing_scopes, read_client
    from cds.web.remote import signed_in

    if token_file is not None:
        words = read(str(token_file)).split()
        if len(words) != 1 or not words[0].isascii() or client_id or key_file:
            stop("--token-file needs a file that holds the token alone, and no other sign-in.")
        return words[0].decode()
    if (client_id is None) != (key_file is None):
        stop("signing in needs both --client-id and --key-file; --help shows an example.")
    if client_id is None or key_file is None:
        return None
    try:
        client = read_client(client_id, read(str(key_file)), key_id)
    except SignInFault as problem:
        stop(f"{key_file}: {problem}")
    token = signed_in(servers, settings, base, client, int(time.time()))
    lacking = missing_scopes(token)
    if lacking:
        click.echo(f"trial-cds: the token does not cover {', '.join(lacking)}.", err=True)
    return token.access_token


def today(settings: Settings) -> date:
    """The calendar day at the site, now."""
    return datetime.now(settings.timezone).date()


def read(name: str) -> bytes:
    """The bytes of a file, or of standard input for `-`; stops with one sentence otherwise."""
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as problem:
        stop(f"{name} cannot be read: {(problem.strerror or 'unknown reason').lower()}.")


def settings_of_site() -> Settings:
    """The settings of the environment; stops with one sentence where one is wrong."""
    from cds.settings import SettingsFault, load_settings

    try:
        return load_settings(os.environ)
    except SettingsFault as problem:
        stop(str(problem))


def content_folders(settings: Settings) -> list[Path]:
    """The folders that trials and mappings come from: the site's, else those of the product."""
    from cds.content.bundled import bundled_content

    return [Path(folder) for folder in settings.content] or [bundled_content()]


def load(settings: Settings, trials: Sequence[str] = ()) -> Content:
    """The content, all trials or those named; stops with one sentence where it has a fault."""
    from cds.assess import load_content
    from cds.content.fault import ContentFaults

    try:
        content = load_content(content_folders(settings), only=trials, compiled=settings.compiled)
    except ContentFaults as problem:
        count = len(problem.faults)
        stop(f"{problem.faults[0]} ({count} fault(s) in all; 'trial-cds check' lists them)")
    known = {head.id for head in content.heads}
    for trial in trials:
        if trial not in known:
            have = ", ".join(sorted({head.id for head in load(settings).heads}))
            stop(f"--trial: no trial is called '{trial}'; there are {have}.")
    return content


def evaluation_on(settings: Settings, on: date | None) -> Evaluation:
    """The day that `--on`, else the settings, else the calendar says, in the site's time zone."""
    from cds.core.when import Evaluation

    day = on or settings.on or today(settings)
    return Evaluation.of(day, settings.timezone)
