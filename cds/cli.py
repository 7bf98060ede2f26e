"""The command line: evaluate, serve, demo, screen, report, check, review, explain-code.

Imports of the web, FHIR and YAML layers are made inside the commands: `evaluate` on one bundle
must not pay for a web server.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click

import cds

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cds.assess import Content
    from cds.cohort.order import Order
    from cds.core.when import Evaluation
    from cds.fhir.record import Record
    from cds.fhir.server import FhirServers
    from cds.settings import Settings

_Command = TypeVar("_Command", bound="Callable[..., None]")


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


def _types(context: click.Context, option: click.Parameter, text: str | None) -> tuple[str, ...]:
    """Resource types, separated by commas."""
    from cds.fhir.retrieved import KINDS

    types = tuple(part.strip() for part in (text or "").split(",") if part.strip())
    for name in types:
        if name not in KINDS.values():
            message = f"'{name}' is no type that criteria read; write {', '.join(KINDS.values())}."
            raise click.BadParameter(message, context, option)
    return types


def _stop(says: str) -> NoReturn:
    """End with exit status 2 and one clear sentence on standard error."""
    click.echo(f"trial-cds: {says}", err=True)
    raise SystemExit(2)


class _Commands(click.Group):
    """Commands whose errors are one sentence on standard error and exit status 2."""

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


def _sign_in_options(command: _Command) -> _Command:
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


@main.command()
@click.argument("bundle", metavar="[BUNDLE.json]", required=False)
@click.option("--on", type=_Day(), help="The planned day of enrolment; today if left out.")
@click.option("--trial", "trials", multiple=True, metavar="NCT…", help="Only this trial (repeat).")
@click.option("--format", "as_format", type=click.Choice(["text", "json"]), default="text")
@click.option("--fhir", "base", metavar="BASE", help="Read the chart from this FHIR server.")
@click.option("--patient", metavar="ID", help="With --fhir: the FHIR id of the patient.")
@_sign_in_options
def evaluate(  # noqa: PLR0913 - each is one option
    bundle: str | None,
    on: date | None,
    trials: tuple[str, ...],
    as_format: str,
    base: str | None,
    patient: str | None,
    **sign_in: Any,  # noqa: ANN401 - what _sign_in_options adds
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

    settings = _settings()
    if bundle is not None and base is None and patient is None and not any(sign_in.values()):
        data = _read(bundle)
        content, asked = _content(settings, trials), _asked(settings, on)
        record = _bundled(bundle, data)
    elif bundle is None and base is not None and patient is not None:
        content, asked = _content(settings, trials), _asked(settings, on)
        record = _remote(settings, base, patient, sign_in, content, asked)
    else:
        _stop("evaluate needs a BUNDLE.json, or --fhir with --patient; --help shows an example.")
    assessment = assess(record, content, asked)
    if as_format == "json":
        import json

        from cds.core.assessment import assessment_json

        click.echo(json.dumps(assessment_json(assessment), indent=2, ensure_ascii=False))
    else:
        from cds.cards.text import assessment_text

        click.echo(assessment_text(assessment, content.labels))


def _bundled(name: str, data: bytes) -> Record:
    from cds.fhir.record import UnusableInput, record_from_bundle

    try:
        return record_from_bundle(data)
    except UnusableInput as problem:
        _stop(f"{'standard input' if name == '-' else name}: {problem}")


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
        token = _token(servers, settings, base, **sign_in)
        return chart_of(servers, base, token, patient, content, asked)
    except RemoteFault as problem:
        _stop(f"the FHIR server: {problem}")


def _token(  # noqa: PLR0913 - each is one option
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
        words = _read(str(token_file)).split()
        if len(words) != 1 or not words[0].isascii() or client_id or key_file:
            _stop("--token-file needs a file that holds the token alone, and no other sign-in.")
        return words[0].decode()
    if (client_id is None) != (key_file is None):
        _stop("signing in needs both --client-id and --key-file; --help shows an example.")
    if client_id is None or key_file is None:
        return None
    try:
        client = read_client(client_id, _read(str(key_file)), key_id)
    except SignInFault as problem:
        _stop(f"{key_file}: {problem}")
    token = signed_in(servers, settings, base, client, int(time.time()))
    lacking = missing_scopes(token)
    if lacking:
        click.echo(f"trial-cds: the token does not cover {', '.join(lacking)}.", err=True)
    return token.access_token


@main.command(name="fhir-check")
@click.argument("base", metavar="BASE")
@click.option("--patient", metavar="ID", help="Try every search for this patient, too.")
@_sign_in_options
def fhir_check(
    base: str,
    patient: str | None,
    **sign_in: Any,  # noqa: ANN401 - what _sign_in_options adds
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

    settings = _settings()
    try:
        servers = servers_for(settings, base)
        token = _token(servers, settings, base, **sign_in)
    except RemoteFault as problem:
        _stop(f"the FHIR server: {problem}")
    with servers.connect(base, token, Deadline.after(PATIENCE)) as connection:
        aliases = [one.alias for one in settings.fhir_allow if one.alias is not None]
        findings = check_server(connection, base, aliases, patient)
    click.echo(table(findings))
    if not may_be_used(findings):
        raise SystemExit(1)


@main.command()
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
    from cds.web.app import create_app, store_of
    from cds.web.serving import run

    settings = _settings()
    address = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
    try:
        check_listening(settings, host)
        content = _content(settings)
        app = create_app(settings, content, lambda: _today(settings), address=address)
        store_of(app).open()
        make_ready()  # before the workers are forked, which then share it
    except (SettingsFault, StoreFault) as problem:
        _stop(str(problem))
    except ContentFaults as problem:
        _stop(f"TRIAL_CDS_CLIENTS: {problem.faults[0]}")
    click.echo(f"trial-cds {cds.__version__} answers at {address}/cds-services", err=True)
    run(
        app,
        host=host,
        port=port,
        workers=settings.workers,
        threads=settings.threads,
        patience=settings.deadline_seconds + 10,
    )


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


@main.command()
@click.option("--terminology", "base", required=True, metavar="BASE", help="A FHIR R4 server.")
@click.option(
    "--out",
    required=True,
    type=click.Path(file_okay=False, path_type=Path),
    metavar="FOLDER",
    help="The content folder to write.",
)
@click.option("--set", "sets", multiple=True, metavar="SET", help="Only this set (repeat).")
@click.option(
    "--codes",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="SNOMED CT codes seen at the site, one a line, for a server without $expand.",
)
@_sign_in_options
def widen(
    base: str,
    out: Path,
    sets: tuple[str, ...],
    codes: Path | None,
    **sign_in: Any,  # noqa: ANN401 - what _sign_in_options adds
) -> None:
    """Ask a terminology server which SNOMED CT codes lie below the listed ones.

    They are written to a content folder of their own; nothing counts until TRIAL_CDS_CONTENT names
    it after the others. Ends with status 1 if some listed codes could not be widened.

    \b
    Example:
      trial-cds widen --terminology https://terminology.example.org/r4 --out widened/
      trial-cds widen --terminology https://terminology.example.org/r4 --out dvt/ --set dvt
    """
    from cds.content import widening
    from cds.fhir.outbound import Deadline
    from cds.fhir.terminology_server import TerminologyFault, ask_below
    from cds.web.remote import PATIENCE, RemoteFault, servers_for

    settings = _settings()
    content = _content(settings)
    terminology = content.terminology
    try:
        apart = widening.set_apart(content.trials)
        chosen, along = widening.chosen_sets(terminology, sets, apart)
        seen = None
        if codes is not None:
            text = _read(str(codes)).decode("utf-8", "replace")
            seen = widening.seen_codes(text, str(codes))
        widening.refuse_existing(out)
        servers = servers_for(settings, base)
        token = _token(servers, settings, base, **sign_in)
        asked = widening.ancestors(terminology, chosen)
        answers = ask_below(
            lambda: servers.connect(base, token, Deadline.after(PATIENCE)),
            sorted({one.code for one in asked}),
            seen,
        )
        below = {code: found.codes for code, found in answers.below.items()}
        added, refused = widening.additions(terminology, asked, below)
        versions = {code: found.version for code, found in answers.below.items()}
        source = f"{answers.operation} of {base}"
        widening.write_overlay(out, added, source, versions, _today(settings))
    except RemoteFault as problem:
        _stop(f"--terminology: {problem}")
    except TerminologyFault as problem:
        _stop(f"--terminology {base}: {problem}.")
    except widening.WideningFault as problem:
        _stop(str(problem))
    if along:
        click.echo(f"Widened along, because criteria set them apart: {', '.join(along)}")
    for line in widening.summary(added):
        click.echo(line)
    for code in refused:
        click.echo(f"Left out: the server lists '{code}', which is no SNOMED CT code.", err=True)
    for code, why in answers.lost.items():
        click.echo(f"Not widened: {code}: {why}.", err=True)
    click.echo(f"{len(added)} row(s) in {out}" if added else "Nothing to add; no file is written.")
    if answers.lost:
        raise SystemExit(1)


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
@click.argument("source", metavar="SOURCE")
@click.option("--on", type=_Day(), required=True, help="The planned day of enrolment.")
@click.option("--out", required=True, metavar="DIR", help="The folder for the results.")
@click.option("--trial", "trials", multiple=True, metavar="NCT…", help="Only this trial (repeat).")
@click.option(
    "--complete",
    callback=_types,
    metavar="TYPE,…",
    help="Types that the export was asked for, though it has no file of them.",
)
@click.option(
    "--not-kept", callback=_types, metavar="TYPE,…", help="Types that the site does not keep."
)
@click.option("--strict", is_flag=True, help="Stop at the first broken line.")
@click.option("--since", metavar="PREVIOUS", help="Say what changed since the results in PREVIOUS.")
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    default=lambda: len(os.sched_getaffinity(0)),
    show_default="all cores",
    help="How many processes evaluate.",
)
@click.option(
    "--spark",
    "master",
    metavar="MASTER",
    help="Evaluate with Apache Spark there (trial-cds[spark]); SOURCE and DIR are paths it reads.",
)
def screen(  # noqa: PLR0913 - one argument for each option
    source: str,
    on: date,
    out: str,
    trials: tuple[str, ...],
    complete: tuple[str, ...],
    not_kept: tuple[str, ...],
    *,
    strict: bool,
    since: str | None,
    workers: int,
    master: str | None,
) -> None:
    """Screen a cohort: a folder of FHIR Bulk Data NDJSON, of Parquet, or of patient Bundles.

    Interrupted, the same command goes on where it stopped.

    \b
    Example:
      trial-cds screen export/ --on 2026-03-01 --out screened/
      trial-cds screen export/ --on 2026-03-01 --out screened/ --complete MedicationStatement
      trial-cds screen export/ --on 2026-03-08 --out week-10/ --since screened/
    """
    from cds.cohort.catalogue import catalogue_of
    from cds.cohort.fault import CohortFault
    from cds.cohort.order import Order
    from cds.cohort.progress import progress_on
    from cds.cohort.screen import screen as run_screen
    from cds.cohort.summary import summary

    settings = _settings()
    content = _content(settings, trials)
    order = Order(
        source,
        out,
        on,
        settings.timezone.key,
        tuple(str(folder.resolve()) for folder in _content_folders(settings)),
        catalogue_of(content),
        trials,
        complete,
        not_kept,
        strict,
        since,
        workers,
    )
    if master is not None:
        _screen_with_spark(master, order, content)
        return
    try:
        with progress_on(sys.stderr) as progress:
            finished = run_screen(order, progress)
    except CohortFault as problem:
        _stop(str(problem))
    except KeyboardInterrupt:
        click.echo("trial-cds: stopped; the same command goes on where it stopped.", err=True)
        raise SystemExit(130) from None
    click.echo(summary(finished, out))
    if since is not None:
        from cds.cohort.report.changes import print_changes

        print_changes(Path(out), sys.stdout)


@main.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path))
@click.option("--html", metavar="FILE", help="Where the page goes; DIR/report.html if left out.")
def report(folder: Path, html: str | None) -> None:
    """Show what a screening found: tables here, and one HTML page with charts.

    \b
    Example:
      trial-cds report screened/
    """
    from cds.cohort.fault import CohortFault
    from cds.cohort.report.page import report_page
    from cds.cohort.report.results import open_results
    from cds.cohort.report.terminal import print_report

    target = Path(html) if html else folder / "report.html"
    try:
        with open_results(folder) as results:
            page = report_page(results)
            print_report(results, sys.stdout)
    except CohortFault as problem:
        _stop(str(problem))
    try:
        target.write_text(page, "utf-8")
    except OSError as problem:
        why = (problem.strerror or "unknown reason").lower()
        _stop(f"--html: {target} cannot be written: {why}.")
    click.echo(f"Page: {target}")


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


def _screen_with_spark(master: str, order: Order, content: Content) -> None:
    from cds.cohort.fault import CohortFault

    try:
        from pyspark.sql import SparkSession

        from cds.cohort.spark.screen import screen_with_spark
    except ImportError as problem:
        _stop(f"--spark needs the package {problem.name}; install trial-cds[spark].")
    if order.strict or order.since is not None:
        _stop("--strict and --since work on one machine; leave them out with --spark.")
    if master.startswith("local"):  # its executors are on this machine, and need this Python
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    session = SparkSession.builder.master(master).appName("trial-cds screen").getOrCreate()
    try:
        manifest = screen_with_spark(session, order, content)
    except CohortFault as problem:
        _stop(str(problem))
    finally:
        session.stop()
    counts = manifest["counts"]
    click.echo(
        f"{counts['patients']} patients: {counts['evaluated']} evaluated, {counts['deceased']} "
        f"deceased, {counts['rejected_patients']} not readable. Rows: {order.out}"
    )


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
