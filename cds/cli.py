"""The command line: evaluate, serve, demo, check, review, explain-code.

Imports of the web, FHIR and YAML layers are made inside the commands: `evaluate` on one bundle
must not pay for a web server.
"""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

import cds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.assess import Content
    from cds.core.when import Evaluation
    from cds.settings import Settings


class _Day(click.ParamType[date]):
    """An ISO calendar date."""

    name = "YYYY-MM-DD"

    def convert(
        self, value: str | date, param: click.Parameter | None, ctx: click.Context | None
    ) -> date:
        """Read the date or refuse it with one sentence."""
        if isinstance(value, date):
            return value
        try:
            return date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is no calendar date; write it as 2026-03-01.", param, ctx)


def _stop(says: str) -> NoReturn:
    """End with exit status 2 and one clear sentence on standard error."""
    click.echo(f"trial-cds: {says}", err=True)
    raise SystemExit(2)


class _Commands(click.Group):
    """Commands whose errors are one sentence on standard error and exit status 2."""

    def main(self, *args: Any, **extra: Any) -> NoReturn:
        """Run, and end the process."""
        try:
            status = super().main(*args, **extra | {"standalone_mode": False})
        except click.exceptions.NoArgsIsHelpError as problem:
            click.echo(problem.format_message())
            status = 2
        except click.ClickException as problem:
            context = getattr(problem, "ctx", None)
            where = f" ({context.command_path})" if context else ""
            _stop(f"{problem.format_message().rstrip('.')}{where}; --help shows an example.")
        except click.Abort:
            status = 130
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


@main.command()
@click.argument("bundle", metavar="BUNDLE.json")
@click.option("--on", type=_Day(), help="The planned day of enrolment; today if left out.")
@click.option("--trial", "trials", multiple=True, metavar="NCT…", help="Only this trial (repeat).")
@click.option("--format", "as_format", type=click.Choice(["text", "json"]), default="text")
def evaluate(bundle: str, on: date | None, trials: tuple[str, ...], as_format: str) -> None:
    """Say what every trial comes to for the patient in a FHIR R4 Bundle ('-' reads standard input).

    \b
    Example:
      trial-cds evaluate patient.json --on 2026-03-01 --format json
    """
    from cds.assess import assess
    from cds.fhir.record import UnusableInput, record_from_bundle

    data = _read(bundle)
    settings = _settings()
    content = _content(settings, trials)
    try:
        record = record_from_bundle(data)
    except UnusableInput as problem:
        _stop(f"{'standard input' if bundle == '-' else bundle}: {problem}")
    assessment = assess(record, content, _asked(settings, on))
    if as_format == "json":
        import json

        from cds.core.assessment import assessment_json

        click.echo(json.dumps(assessment_json(assessment), indent=2, ensure_ascii=False))
    else:
        from cds.cards.text import assessment_text

        click.echo(assessment_text(assessment, content.labels))


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to listen on.")
@click.option("--port", default=8080, show_default=True, help="The port to listen on.")
def serve(host: str, port: int) -> None:
    """Run the CDS Hooks service.

    \b
    Example:
      TRIAL_CDS_CLIENTS=clients.yaml trial-cds serve --host 0.0.0.0 --port 8080
    """
    from cds.settings import SettingsFault, check_listening
    from cds.web.app import create_app
    from cds.web.serving import run

    settings = _settings()
    try:
        check_listening(settings, host)
    except SettingsFault as problem:
        _stop(str(problem))
    app = create_app(settings, _content(settings), lambda: _today(settings))
    click.echo(
        f"trial-cds {cds.__version__} answers at http://{host}:{port}/cds-services", err=True
    )
    run(app, host=host, port=port, workers=settings.workers, threads=settings.threads)


@main.command()
@click.option(
    "--content",
    "folders",
    multiple=True,
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="A folder with mappings/ and trials/; repeat, later ones override earlier ones.",
)
@click.option("--trial", metavar="NCT…", help="Only this trial.")
@click.option(
    "--source",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The registry page or protocol that the trial was read from (needs one trial).",
)
def check(folders: tuple[Path, ...], trial: str | None, source: Path | None) -> None:
    """List what is wrong in trial and mapping files, and how to put it right.

    Ends with status 1 if there is a fault; notices do not count.

    \b
    Example:
      trial-cds check
      trial-cds check --content our-content --trial NCT00000000 --source page.txt
    """
    from cds.content.check import check_content, check_report, is_sound

    chosen = list(folders) or _content_folders(_settings())
    faults = check_content(chosen, source=source, trial=trial)
    click.echo(check_report(faults, trial or "all trials"))
    if not is_sound(faults):
        raise SystemExit(1)


@main.command()
@click.argument("trials", nargs=-1, metavar="[NCT…]")
@click.option("--write", is_flag=True, help="Write each page to README.md in the trial's folder.")
def review(trials: tuple[str, ...], *, write: bool) -> None:
    """Show the page on which clinicians review a trial's criteria.

    \b
    Example:
      trial-cds review NCT05490667 | less
      trial-cds review --write
    """
    from cds.content.fault import ContentFaults
    from cds.content.review import review_pages

    settings = _settings()
    content = _content(settings, trials)
    try:
        pages = review_pages(_content_folders(settings), content.terminology, content.folders)
    except ContentFaults as problem:
        _stop(str(problem.faults[0]))
    for path, page in pages:
        if write:
            path.write_text(page, "utf-8")
            click.echo(f"{path.parent.name}/{path.name} written", err=True)
        else:
            click.echo(page, nl=False)


@main.command("explain-code")
@click.argument("words", nargs=-1, required=True, metavar="[SYSTEM] CODE | DRUG NAME")
def explain_code(words: tuple[str, ...]) -> None:
    """Say which concepts a code or a drug name meets, and which criteria use them.

    \b
    Example:
      trial-cds explain-code RxNorm 21212
      trial-cds explain-code clarithromycin
    """
    from cds.content import explain

    content = _content(_settings())
    criteria: dict[str, list[str]] = {}
    for loaded in content.folders:
        for key, concepts in loaded.concepts.items():
            for concept in sorted(concepts):
                criteria.setdefault(concept, []).append(f"{loaded.trial.id} {key}")
    system, *rest = words
    names = {name.lower() for name in content.terminology.lists.systems.values()}
    names |= {uri.lower() for uri in content.terminology.lists.systems}
    if len(rest) == 1 and system.lower() in names:
        click.echo(explain.explain_code(content.terminology, system, rest[0], criteria))
    else:
        click.echo(explain.explain_name(content.terminology, " ".join(words), criteria))


@main.command()
@click.option("--port", default=8080, show_default=True, help="The port to try first.")
def demo(port: int) -> None:
    """Run the service, a FHIR endpoint with invented patients, and charts that fire the hook.

    \b
    Example:
      trial-cds demo --port 8080
    """
    from cds.web.demo import run_demo

    settings = _settings()
    try:
        run_demo(settings, _content(settings), port=port, say=click.echo)
    except OSError as problem:
        _stop(f"--port {port}: {problem}.")


def _today(settings: Settings) -> date:
    return datetime.now(settings.timezone).date()


def _read(name: str) -> bytes:
    if name == "-":
        return sys.stdin.buffer.read()
    try:
        return Path(name).read_bytes()
    except OSError as problem:
        _stop(f"{name} cannot be read: {(problem.strerror or 'unknown reason').lower()}.")


def _settings() -> Settings:
    from cds.settings import SettingsFault, load_settings

    try:
        return load_settings(os.environ)
    except SettingsFault as problem:
        _stop(str(problem))


def _content_folders(settings: Settings) -> list[Path]:
    from cds.content.bundled import bundled_content

    return [Path(folder) for folder in settings.content] or [bundled_content()]


def _content(settings: Settings, trials: Sequence[str] = ()) -> Content:
    from cds.assess import load_content
    from cds.content.fault import ContentFaults

    try:
        content = load_content(_content_folders(settings), only=trials)
    except ContentFaults as problem:
        count = len(problem.faults)
        _stop(f"{problem.faults[0]} ({count} fault(s) in all; 'trial-cds check' lists them)")
    known = {trial.id for trial in content.trials}
    for trial in trials:
        if trial not in known:
            have = ", ".join(sorted({t.id for t in _content(settings).trials}))
            _stop(f"--trial: no trial is called '{trial}'; there are {have}.")
    return content


def _asked(settings: Settings, on: date | None) -> Evaluation:
    from cds.core.when import Evaluation

    day = on or settings.on or _today(settings)
    return Evaluation.of(day, settings.timezone)


if __name__ == "__main__":
    main()
