"""SNOMED CT sets widened by what lies below their codes, as a content folder of its own.

The bundled files list single codes. A row with `match` descendants says that its set is meant to
hold the codes below it too; which those are, a terminology server knows. What it says is written
to a folder that `TRIAL_CDS_CONTENT` names after the bundled one: its rows are added to theirs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.codes import wrong_code
from cds.engine.finding import Finding
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from datetime import date
    from pathlib import Path

    from cds.core.criterion import Characteristic, Trial
    from cds.core.lists import Member
    from cds.core.terminology import Terminology

_SNOMED = "SNOMED CT"
_HEADER = ("set", "system", "code", "match", "mark", "verified", "meaning", "note")
TABLES = ("conditions.tsv", "procedures.tsv")


class WideningFault(Exception):  # noqa: N818 - names what happened
    """The sets cannot be widened as asked; the text is one sentence."""


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A listed code whose descendants belong to its set. `mark` is the word of its row."""

    table: str
    set_key: str
    code: str
    mark: str


@dataclass(frozen=True, slots=True)
class Added:
    """A code that joins a set; `below` is the listed code under which it was found."""

    table: str
    set_key: str
    code: str
    mark: str
    meaning: str
    below: str


Apart = tuple[frozenset[str], frozenset[str]]
"""Concepts that a criterion asks for, and the concepts that it excepts from them."""


def set_apart(trials: Iterable[Trial]) -> list[Apart]:
    """Every exception that a criterion makes: what it asks for, and what does not count."""
    return [
        (frozenset(leaf.concepts), leaf.excluding)
        for trial in trials
        for criterion in trial.criteria
        for leaf in _leaves(criterion.form)
        if isinstance(leaf, Finding | ProcedureDone) and leaf.excluding
    ]


def chosen_sets(
    terminology: Terminology, names: Sequence[str], apart: Sequence[Apart] = ()
) -> tuple[frozenset[str], list[str]]:
    """The sets to widen, and those that were not named but must come along.

    Without names it is every set that can be widened. What a concept subtracts from a named set,
    holds under review beside it, or a criterion excepts from it (`apart`) is widened too: or else
    the named set would claim codes that are meant to be left out.

    Raises:
        WideningFault: a name is no set with such rows.
    """
    able = {one.set_key for one in ancestors(terminology)}
    for name in names:
        if name not in able:
            message = (
                f"'{name}' is no set that can be widened; there are {', '.join(sorted(able))}."
            )
            raise WideningFault(message)
    chosen = set(names) or set(able)
    while more := (_along(terminology, chosen, apart) & able) - chosen:
        chosen |= more
    return frozenset(chosen), sorted(chosen - set(names)) if names else []


def _along(terminology: Terminology, chosen: set[str], apart: Sequence[Apart]) -> set[str]:
    """The sets that concepts and criteria set apart from the chosen ones."""
    made = {
        concept.key: {part.removeprefix("-") for part in (*concept.made_of, *concept.review)}
        for concept in terminology.concepts.values()
    }
    found = {
        part.removeprefix("-")
        for concept in terminology.concepts.values()
        if chosen & made[concept.key]
        for part in (*concept.made_of, *concept.review)
        if part.startswith("-") or part in concept.review
    }
    for asked, excepted in apart:
        if any(chosen & made[concept] for concept in asked):
            found |= {part for concept in excepted for part in made[concept]}
    return found


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    parts = list(form.parts())
    if not parts:
        yield form
    for part in parts:
        yield from _leaves(part)


def ancestors(terminology: Terminology, sets: frozenset[str] | None = None) -> tuple[Ancestor, ...]:
    """The rows whose descendants belong to their sets."""
    return tuple(
        Ancestor(table, member.set_key, member.code, _mark(member))
        for table, members in _members(terminology)
        for member in members
        if member.match == "descendants"
        and member.system == _SNOMED
        and (sets is None or member.set_key in sets)
    )


def additions(
    terminology: Terminology,
    asked: Iterable[Ancestor],
    below: Mapping[str, Sequence[tuple[str, str]]],
) -> tuple[list[Added], list[str]]:
    """The codes that join each set, and the codes that were refused because they cannot be any.

    `below`: listed code → (code, display) at and below it. A code that its set lists already is
    left as it is. One that lies below several listed codes takes the more cautious of their marks.
    """
    listed = {
        (member.set_key, member.code)
        for _, members in _members(terminology)
        for member in members
        if member.system == _SNOMED
    }
    found: dict[tuple[str, str, str], Added] = {}
    refused: dict[str, None] = {}
    for one in asked:
        for code, display in below.get(one.code, ()):
            if (one.set_key, code) in listed:
                continue
            if wrong_code(_SNOMED, code) is not None:
                refused[code] = None
                continue
            new = Added(one.table, one.set_key, code, one.mark, _words(display) or code, one.code)
            key = (one.table, one.set_key, code)
            if key not in found or _CAUTION[new.mark] > _CAUTION[found[key].mark]:
                found[key] = new
    return [found[key] for key in sorted(found)], sorted(refused)


def seen_codes(text: str, name: str) -> list[tuple[str, str]]:
    """(code, display) of a file of SNOMED CT codes seen at the site, one a line.

    The display follows after a tab, or is missing; lines that begin with # are comments.

    Raises:
        WideningFault: a line holds no SNOMED CT code; the text says which and why.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        code, _, display = line.partition("\t")
        code = code.strip()
        if not code or code.startswith("#"):
            continue
        if (problem := wrong_code(_SNOMED, code)) is not None:
            message = f"{name}:{number}: this is no SNOMED CT code ({problem}); write one a line."
            raise WideningFault(message)
        found[code] = display.strip()
    return list(found.items())


def refuse_existing(folder: Path) -> None:
    """See that the folder holds no tables yet: what a site reviewed is not overwritten.

    Raises:
        WideningFault: it does.
    """
    for table in TABLES:
        path = folder / "mappings" / table
        if path.exists():
            message = f"{path} is there already; name a new folder, or move the old one away."
            raise WideningFault(message)


def write_overlay(
    folder: Path, added: Sequence[Added], source: str, versions: Mapping[str, str], on: date
) -> list[Path]:
    """Write the added rows below `folder`, with server, edition and day; gives the files.

    `source`: who was asked, and how. `versions`: listed code → the edition that answered.

    Raises:
        WideningFault: the folder holds such a file already, or cannot be written.
    """
    refuse_existing(folder)
    written: list[Path] = []
    for table in TABLES:
        rows = [one for one in added if one.table == table]
        if not rows:
            continue
        path = folder / "mappings" / table
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(_lines(rows, source, versions, on)), "utf-8")
        except OSError as problem:
            message = f"{path} cannot be written: {(problem.strerror or 'unknown').lower()}."
            raise WideningFault(message) from None
        written.append(path)
    return written


def summary(added: Sequence[Added]) -> list[str]:
    """What was added, one line a set: 'desmoid_tumor: 14 codes below 5 listed ones'."""
    sets: dict[str, list[Added]] = {}
    for one in added:
        sets.setdefault(one.set_key, []).append(one)
    return [
        f"{key}: {len(rows)} code(s) added, below {', '.join(sorted({r.below for r in rows}))}"
        for key, rows in sorted(sets.items())
    ]


def _lines(
    rows: Sequence[Added], source: str, versions: Mapping[str, str], on: date
) -> Iterator[str]:
    yield f"# SNOMED CT codes below listed ones, by {source} on {on.isoformat()}.\n"
    yield "# Written by `trial-cds widen`; its folder goes to the end of TRIAL_CDS_CONTENT.\n"
    yield "\t".join(_HEADER) + "\n"
    for one in rows:
        verified = f"yes({source}, {_words(versions[one.below])}, {on.isoformat()})"
        note = f"below {one.below}"
        cells = (one.set_key, _SNOMED, one.code, "exact", one.mark, verified, one.meaning, note)
        yield "\t".join(cells) + "\n"


def _members(terminology: Terminology) -> Iterator[tuple[str, Sequence[Member]]]:
    lists = terminology.lists
    yield from zip(TABLES, (lists.conditions, lists.procedures), strict=True)


_CAUTION = {"decides": 0, "history": 1, "review": 2, "review history": 3}


def _mark(member: Member) -> str:
    """The word of a member's row."""
    if member.mark.decides:
        return "history" if member.mark.history else "decides"
    return "review history" if member.mark.history else "review"


def _words(text: str) -> str:
    """A server's text as one cell; a closing bracket that nothing opened would be no tag."""
    line = " ".join(text.split())
    return line if "(" in line else line.replace(")", "")
