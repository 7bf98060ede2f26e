"""How far a screening can be trusted: completeness, mapping gaps, and who judged what."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from cds.cards.words import counted
from cds.cohort.research import JOINED, REFUSES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.cohort.report.results import Results

LISTED = 60
"""Codes and names that the page lists; unrecognised.parquet holds all."""

_MEDICATIONS = ("MedicationRequest", "MedicationStatement", "MedicationAdministration")


class Unrecognised(NamedTuple):
    """A code or name that stands in no list."""

    kind: str
    system: str
    code: str
    display: str
    entries: int
    patients: int


class UnitGap(NamedTuple):
    """A unit that could not be converted, in results that a trial reads."""

    label: str
    unit: str
    patients: int


class Mapped(NamedTuple):
    """How many entries of a kind were recognised."""

    kind: str
    entries: int
    unrecognised: int

    @property
    def share(self) -> float:
        """The recognised part, 0 to 1."""
        return 1 - self.unrecognised / self.entries if self.entries else 1.0


class Item(NamedTuple):
    """One line of the report card: the question, and what can be said."""

    asks: str
    says: tuple[str, ...]


def unrecognised(results: Results) -> tuple[Unrecognised, ...]:
    """The codes and names that most patients have and no list knows."""
    rows = results.rows(
        "select kind, system, code, display, entries, patients from unrecognised "
        "where kind <> 'Unit' limit ?",
        LISTED,
    )
    return tuple(Unrecognised(*row) for row in rows)


def unrecognised_total(results: Results) -> int:
    """How many codes and names no list knows."""
    count: int = results.one("select count(*) from unrecognised where kind <> 'Unit'")
    return count


def units(results: Results) -> tuple[UnitGap, ...]:
    """Units that could not be converted, by concept."""
    labels = results.catalogue.labels
    rows = results.rows(
        "select system, display, patients from unrecognised where kind = 'Unit' "
        "order by patients desc, system, display"
    )
    return tuple(UnitGap(labels.get(key, key), unit, patients) for key, unit, patients in rows)


def mapped(results: Results) -> tuple[Mapped, ...]:
    """Recognised entries by kind, of those that were read."""
    entries = dict(results.manifest["counts"]["entries"])
    entries["Medication"] = sum(entries.pop(kind, 0) for kind in _MEDICATIONS)
    lost = dict(results.rows("select kind, sum(entries)::bigint from unrecognised group by all"))
    return tuple(
        Mapped(kind, entries[kind], lost.get(kind, 0))
        for kind in ("Condition", "Medication", "Observation", "Procedure")
        if kind in entries
    )


def report_card(results: Results) -> tuple[Item, ...]:
    """The nine things to know before anyone acts on the numbers."""
    return tuple(_items(results))


def _items(results: Results) -> Iterator[Item]:
    manifest, counts = results.manifest, results.manifest["counts"]
    source = manifest["source"]
    read = f"{counted(len(source['files']), 'file')} ({source['form']})"
    yield Item(
        "Who was screened?",
        (
            f"{counted(counts['patients'], 'patient')} in {read}",
            f"deceased, and without a row: {counts['deceased']}",
            f"left out because they have no Patient: {counts['patients_without_patient_resource']}",
            *_research(manifest),
        ),
    )
    yield Item(
        "For which day, by which software and content?",
        (
            f"{manifest['on']} ({manifest['timezone']})",
            f"trial-cds {manifest['software']['version']}, {manifest['software']['digest'][:19]}…",
            f"trials and mappings {manifest['content']['digest'][:19]}…",
        ),
    )
    yield Item(
        "How complete is the export?",
        tuple(
            f"{kind}: {said['state']}{'; ' + said['why'] if said['why'] else ''}"
            for kind, said in manifest["types"].items()
        ),
    )
    yield Item(
        "What could not be read?",
        (
            ", ".join(
                (
                    counted(counts["rejected_lines"], "broken line"),
                    counted(counts.get("rejected_files", 0), "damaged file"),
                    counted(counts["rejected_patients"], "patient"),
                )
            ),
            "rejects.ndjson names each with file and line, where there are any",
            "whom a damaged file or a broken line names has an incomplete record",
        ),
    )
    yield Item(
        "How well is it mapped?",
        tuple(
            f"{row.kind}: {row.share:.1%} of {counted(row.entries, 'entry', 'entries')} recognised"
            for row in mapped(results)
        ),
    )
    unit_gaps = sum(gap.patients for gap in units(results))
    yield Item(
        "Are the units understood?",
        (f"units that could not be converted, once for each patient: {unit_gaps}",),
    )
    yield Item("Who has reviewed the criteria?", tuple(_reviewers(results)))
    yield Item(
        "What did no software decide?",
        tuple(_left_to_humans(results)),
    )
    yield Item(
        "What do the numbers not say?",
        (
            "Nobody here is called eligible: a person enrols, after consent.",
            "A chart may be silent about what was done elsewhere.",
        ),
    )


def _research(manifest: dict[str, Any]) -> Iterator[str]:
    """Who refuses research; an export without the types that say so must not look like consent."""
    said = manifest.get("research", {"types": [], "patients": {}})
    types, patients = said["types"], said["patients"]
    if not types:
        yield "the export holds no Consent, Flag or ResearchSubject: nobody's refusal is known"
        return
    yield (
        f"refusing research: {patients.get(REFUSES, 0)}, on one of the trials already: "
        f"{patients.get(JOINED, 0)}, by {', '.join(types)}; marked, never hidden"
    )


def _reviewers(results: Results) -> Iterator[str]:
    for trial in results.catalogue.trials:
        names = "; ".join(f"{one.by} ({one.role}, {one.date})" for one in trial.signed_off)
        yield f"{trial.id} {trial.version}: {names or 'nobody has signed them off yet'}"


def _left_to_humans(results: Results) -> Iterator[str]:
    rows = dict(
        results.rows(
            "select trial, count(distinct criterion) from criteria where status = 'review' "
            "group by all"
        )
    )
    for trial in results.catalogue.trials:
        count = counted(rows.get(trial.id, 0), "criterion", "criteria")
        yield f"{trial.id}: left to human judgement: {count}"
