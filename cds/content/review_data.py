"""The data part of a review page: each concept with its codes, folded, and what the lists lack."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cds.content.markdown import anchor, folded, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.core.terminology import Concept, Terminology

_MOST = 40  # codes shown of one set; the mapping file has the rest
_LACKS = re.compile(r"^#.*?Known to lack: (.+)$", re.MULTILINE)


def known_to_lack(folders: Sequence[Path]) -> Mapping[str, str]:
    """What each mapping file says that its lists lack, by file name; later folders override."""
    found: dict[str, str] = {}
    for folder in folders:
        for path in sorted((folder / "mappings").rglob("*")):
            if path.suffix in {".tsv", ".yaml"}:
                says = _LACKS.search(path.read_text("utf-8"))
                if says is not None:
                    found[path.relative_to(folder / "mappings").as_posix()] = says[1].strip()
    return found


def data_section(
    used: Iterable[str], terminology: Terminology, lacks: Mapping[str, str]
) -> Iterator[str]:
    """Every concept that a trial uses, with the codes and names that meet it."""
    yield "## Data used"
    yield (
        "A code marked ✓ was seen in a published source; ? marks one that was not, or whose "
        "membership is not verified. Codes *for review* never rule out by themselves."
    )
    for key in used:
        concept = terminology.concepts[key]
        yield f'### <a id="{anchor(key)}"></a>{plain(concept.label)}'
        yield f"`{key}`, a {concept.domain}. {plain(concept.note)}".rstrip()
        blocks = list(_codes(concept, terminology))
        yield from blocks
        if not blocks:
            yield "No code list: nothing recorded meets it, a human must look."
    if lacks:
        yield "## What the lists lack"
        yield "\n".join(f"- `mappings/{name}`: {plain(says)}" for name, says in lacks.items())


def _codes(concept: Concept, terminology: Terminology) -> Iterator[str]:
    parts = [(part, False) for part in concept.made_of]
    parts += [(part, True) for part in concept.review]
    for part, review in parts:
        name = part.removeprefix("-")
        rows = [
            *_of_lab(name, terminology),
            *_of_members(name, terminology),
            *_of_drugs(name, terminology),
        ]
        if rows:
            role = "left out" if part.startswith("-") else "for review" if review else "counts"
            yield _table(name, role, rows)


def _table(name: str, role: str, rows: Sequence[tuple[str, str, bool, str]]) -> str:
    """One set, folded: (code, meaning, verified, remark) of each member."""
    sure = sum(verified for _, _, verified, _ in rows)
    lines = ["| code | meaning | |", "| --- | --- | --- |"]
    lines += [
        f"| {plain(code)} | {plain(meaning)} | {'✓' if verified else '?'}{remark} |"
        for code, meaning, verified, remark in rows[:_MOST]
    ]
    if len(rows) > _MOST:
        lines.append(f"| … | {len(rows) - _MOST:,} more in the mapping files | |")
    head = f"<code>{name}</code> {role}: {len(rows):,} codes, {sure:,} verified"
    return folded(head, "\n".join(lines))


def _of_lab(name: str, terminology: Terminology) -> Iterator[tuple[str, str, bool, str]]:
    for row in terminology.lists.lab_rows:
        if row.analyte == name:
            remark = " rejected" if row.role == "trap" else " ordered" * (row.role == "primary")
            yield f"LOINC {row.code}", row.name, row.verified.startswith("yes"), remark


def _of_members(name: str, terminology: Terminology) -> Iterator[tuple[str, str, bool, str]]:
    for member in (*terminology.lists.conditions, *terminology.lists.procedures):
        if member.set_key == name:
            upto = f" to {member.upto}" if member.upto else ""
            longer = " and longer" if member.match == "prefix" else ""
            remark = " history" if member.mark.history else ""
            remark += "" if member.mark.decides else " for review"
            code = f"{member.system} {member.code}{upto}{longer}"
            yield code, member.meaning, member.verified.startswith("yes"), remark


def _of_drugs(name: str, terminology: Terminology) -> Iterator[tuple[str, str, bool, str]]:
    """The ingredients of a drug set; products, brands and packs follow from them."""
    for ingredient in terminology.lists.ingredients.values():
        if name in ingredient.sets:
            decides = ingredient.sets[name]
            codes = ", ".join(f"{system} {code}" for system, code in ingredient.codes)
            remark = "" if decides else " for review"
            yield codes or "by name", ingredient.name, decides, remark
