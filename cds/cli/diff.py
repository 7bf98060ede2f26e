"""Two versions of a trial compared."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cds.cli.site import Day, content_folders, evaluation_on, settings_of_site, stop

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import date

    from cds.assess import Content
    from cds.content.trials import TrialFolder
    from cds.core.facts import Facts
    from cds.core.when import Evaluation
    from cds.fhir.record import Record

_FOLDER = click.Path(exists=True, file_okay=False, path_type=Path)


@click.command()
@click.argument("old", type=_FOLDER)
@click.argument("new", type=_FOLDER)
@click.option("--trial", "trials", multiple=True, metavar="NCT…", help="Only this trial (repeat).")
@click.option("--on", type=Day(), help="The day that the invented patients are asked about.")
@click.option(
    "--patients",
    type=_FOLDER,
    metavar="DIR",
    help="FHIR Bundles, *.json or */bundle.json, in place of the invented patients.",
)
@click.option("--all", "every", is_flag=True, help="List every answer that changes.")
def diff(  # noqa: PLR0913 - each is one option
    old: Path,
    new: Path,
    trials: tuple[str, ...],
    on: date | None,
    patients: Path | None,
    *,
    every: bool,
) -> None:
    """Say what an amendment changes, in clinical words, and whose answers change with it.

    OLD and NEW are two content folders, or the folders of one trial. Mappings that they do not hold
    themselves are those of the site.

    \b
    Example:
      trial-cds diff before/trials/NCT00000000 our-content/trials/NCT00000000
      trial-cds diff content-2026-02 content-2026-03
    """
    from cds.content.bundled import bundled_fixtures
    from cds.content.changed_sets import changed_sets
    from cds.content.diff import as_text
    from cds.content.diff import diff as compared

    settings = settings_of_site()
    asked = evaluation_on(settings, on)
    site = content_folders(settings)
    invented = patients is None
    people = _people(bundled_fixtures() if patients is None else patients)
    before, after = _content(old, site), _content(new, site)
    one = {folder.trial.id: folder for folder in before.folders}
    other = {folder.trial.id: folder for folder in after.folders}
    _same_names(old, new, one, other)
    names = [name for name in sorted({*one, *other}) if not trials or name in trials]
    if not names:
        stop("--trial: no trial of that name stands in either folder.")
    for name in names:
        if name not in other:
            click.echo(f"{name}: gone; version {one[name].trial.version} was there.")
        elif name not in one:
            click.echo(f"{name}: new, version {other[name].trial.version}.")
        else:
            was, now = one[name], other[name]
            answers = list(_answers(was, now, before, after, asked, people))
            # The invented patients first, then those whose verdict changes.
            differ = sorted(
                (answer for answer in answers if answer[1]),
                key=lambda answer: (answer[0].startswith("case"), "overall" not in answer[1][0]),
            )
            most = len(differ) if every else 20
            who = f"{len(people)} {'invented patients' if invented else 'patient(s)'}"
            who = f"{len(answers) - len(people)} cases and {who}"
            click.echo(as_text(compared(was, now, after.labels), differ, who, most))
            used = {key for keys in now.concepts.values() for key in keys}
            for says in changed_sets(before.terminology, after.terminology, used):
                click.echo(f"Codes: {says}")


def _people(folder: Path) -> dict[str, Record]:
    """The patients of a folder by name: each a Bundle, as NAME.json or NAME/bundle.json."""
    from cds.fhir.record import UnusableInput, record_from_bundle

    found = {path.stem: path for path in folder.glob("*.json")}
    found |= {path.parent.name: path for path in folder.glob("*/bundle.json")}
    if not found:
        stop(
            f"--patients: {folder} holds no patient; put FHIR Bundles there, each as NAME.json or "
            "as NAME/bundle.json."
        )
    people: dict[str, Record] = {}
    for name, path in sorted(found.items()):
        try:
            people[name] = record_from_bundle(path.read_bytes())
        except UnusableInput as problem:
            stop(f"--patients: {path}: {problem}")
        except OSError as problem:
            stop(f"--patients: {path} cannot be read: {(problem.strerror or 'unknown').lower()}.")
    return people


def _content(folder: Path, site: list[Path]) -> Content:
    """The content of a folder, on top of the site's mappings alone."""
    from cds.assess import load_content
    from cds.content.fault import ContentFaults

    root = folder
    only: tuple[str, ...] = ()
    if (folder / "trial.yaml").is_file():
        root, only = folder.resolve().parent.parent, (folder.resolve().name,)
    if not (root / "trials").is_dir() or (only and folder.resolve().parent.name != "trials"):
        stop(f"{folder} is neither a content folder nor a trial's folder below trials/.")
    inside = tuple(path.parent.name for path in (root / "trials").glob("*/trial.yaml"))
    chosen = only or inside
    try:
        return load_content(
            [*(f for f in site if f.resolve() != root.resolve()), root], only=chosen
        )
    except ContentFaults as problem:
        stop(f"{folder}: {problem.faults[0]}")


def _same_names(
    old: Path, new: Path, one: dict[str, TrialFolder], other: dict[str, TrialFolder]
) -> None:
    """Two folders of single trials are of the same trial."""
    single = (old / "trial.yaml").is_file() and (new / "trial.yaml").is_file()
    if single and one.keys() != other.keys():
        stop(f"{', '.join(one)} and {', '.join(other)} are two trials.")


def _answers(  # noqa: PLR0913 - two versions, who is asked about, and when
    was: TrialFolder,
    now: TrialFolder,
    before: Content,
    after: Content,
    asked: Evaluation,
    people: dict[str, Record],
) -> Iterator[tuple[str, list[str]]]:
    """Every case of both versions and every patient, with the answers that differ."""
    from cds.content.cases import load_cases
    from cds.content.fault import ContentFaults
    from cds.content.infos import concept_infos
    from cds.core.when import Evaluation
    from cds.fhir.facts import facts_from

    seen: set[str] = set()
    for folder, content in ((was, before), (now, after)):
        try:
            cases = load_cases(folder, concept_infos(content.terminology))
        except ContentFaults as problem:
            says = f"cases of version {folder.trial.version} left out: {problem.faults[0]}"
            click.echo(f"trial-cds: {says}", err=True)
            continue
        for case in cases:
            if case.name not in seen:
                seen.add(case.name)
                day = Evaluation.of(case.as_of, asked.zone)
                yield f"case '{case.name}'", _said(was, now, case.facts, case.facts, day)
    for name, record in people.items():
        facts = [facts_from(record, c.terminology, asked.zone, c.units) for c in (before, after)]
        yield f"patient {name}", _said(was, now, facts[0], facts[1], asked)


def _said(
    was: TrialFolder, now: TrialFolder, before: Facts, after: Facts, asked: Evaluation
) -> list[str]:
    """What differs for one patient, whose facts may differ with the mappings too."""
    from cds.content.diff import changed_answers, may_differ
    from cds.engine.evaluate import determine

    if before is after and not may_differ(was.trial, now.trial, before, asked):
        return []
    return changed_answers(determine(was.trial, before, asked), determine(now.trial, after, asked))
