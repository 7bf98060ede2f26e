"""The drug tables made anew from a site's RxNorm release, and what that changes, in words.

Written is an overlay: a content folder whose rows replace ours of the same code. What a release no
longer holds stays known, because charts keep old codes for years.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.mappings import HEADERS, PRODUCTS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.content.rxnorm import Release
    from cds.core.terminology import Terminology

_FILES = {
    "branded.tsv": {"SBD"},
    "brands.tsv": {"BN"},
    "clinical.tsv": {"SCD"},
    "packs.tsv": {"GPCK", "BPCK"},
}
_REST = "groups.tsv"
_FLUSH = ("flush", "lock")
_MOST = 10


@dataclass(frozen=True, slots=True)
class Row:
    """One product: `ingredients` are those of ours, joined by ' + '."""

    rxcui: str
    ingredients: str
    route: str
    flush: str
    name: str
    tty: str


@dataclass(frozen=True, slots=True)
class Refreshed:
    """The rows of a release, and how they differ from what was known.

    `gone` are products that the release no longer holds; `recoded` maps an ingredient to its old
    and new RxCUI ('' where none was known); `unmatched` are ingredients of ours not in the release.
    """

    rows: Sequence[Row]
    new: Sequence[Row]
    gone: Sequence[Row]
    changed: Sequence[tuple[Row, Row]]
    recoded: Mapping[str, tuple[str, str]]
    unmatched: Sequence[str]


def refreshed(release: Release, terminology: Terminology) -> Refreshed:
    """Every product of the release that holds an ingredient of ours, against what was known."""
    codes, recoded, unmatched = _ours(release, terminology)
    old = dict(_known(terminology))
    rows = list(_rows(release, codes, old, terminology))
    held = {row.rxcui for row in rows}
    gone = [row for row in old.values() if row.rxcui not in held and row.tty in _all_types(release)]
    pairs = [(old[row.rxcui], row) for row in rows if row.rxcui in old]
    return Refreshed(
        rows,
        [row for row in rows if row.rxcui not in old],
        gone,
        [(was, now) for was, now in pairs if (_names(was), was.route) != (_names(now), now.route)],
        recoded,
        unmatched,
    )


def _all_types(release: Release) -> set[str]:
    """The term types that this release holds at all; a part of it must not retire the rest."""
    return {concept.tty for concept in release.concepts.values()}


def _ours(
    release: Release, terminology: Terminology
) -> tuple[dict[str, str], dict[str, tuple[str, str]], list[str]]:
    """RxCUI → name of each ingredient of ours; codes that changed; names the release lacks."""
    by_name = {
        concept.name.casefold(): rxcui
        for rxcui, concept in sorted(release.concepts.items(), key=lambda item: item[1].tty == "IN")
        if concept.tty in {"IN", "PIN"}
    }
    codes: dict[str, str] = {}
    recoded: dict[str, tuple[str, str]] = {}
    unmatched: list[str] = []
    for name, ingredient in sorted(terminology.lists.ingredients.items()):
        own = [code for system, code in ingredient.codes if system == "RxNorm"]
        current = [code for code in own if code in release.concepts]
        named = by_name.get(name.casefold())
        if not current and named is not None:
            recoded[name] = (own[0] if own else "", named)
            current = [named]
        if not current and own:
            unmatched.append(name)
        codes |= dict.fromkeys(current, name)
    return codes, recoded, unmatched


def _known(terminology: Terminology) -> Iterator[tuple[str, Row]]:
    for rxcui, rest in terminology.lists.products.items():
        names, route, flush, name, _, tty = rest.split("\t")
        yield rxcui, Row(rxcui, names, route, flush, name, tty)


def _rows(
    release: Release, codes: Mapping[str, str], old: Mapping[str, Row], terminology: Terminology
) -> Iterator[Row]:
    for rxcui, concept in sorted(release.concepts.items(), key=lambda item: int(item[0])):
        if concept.tty == "IN":
            continue  # ingredients stand in drugs.tsv
        names = sorted({codes[one] for one in release.ingredients(rxcui) if one in codes})
        if not names or rxcui in codes:
            continue
        was = old.get(rxcui)
        same = was is not None and was.name.casefold() == concept.name.casefold()
        local = terminology.route(None, None, concept.name)
        route = {True: "local", False: "systemic", None: ""}[local]
        flush = "flush" if any(word in concept.name.casefold().split() for word in _FLUSH) else ""
        if was is not None and same:
            route, flush = was.route, was.flush  # as it was judged before
        name = " ".join(concept.name.split())
        yield Row(rxcui, " + ".join(names), route, flush, name, concept.tty)


def write_overlay(
    found: Refreshed, terminology: Terminology, folder: Path, release: str
) -> list[Path]:
    """Write the tables into folder/mappings; `release` says which one, for the source column."""
    target = folder / "mappings" / "drug_products"
    target.mkdir(parents=True, exist_ok=True)
    sorted_in: dict[str, list[Row]] = {name: [] for name in (*_FILES, _REST)}
    for row in found.rows:
        name = next((name for name, types in _FILES.items() if row.tty in types), _REST)
        sorted_in[name].append(row)
    written = []
    for name, rows in sorted_in.items():
        if rows:
            lines = ["\t".join(PRODUCTS), *(_line(row, release) for row in rows)]
            path = target / name
            path.write_text(f"{_NOTE.format(release=release)}{chr(10).join(lines)}\n", "utf-8")
            written.append(path)
    drugs = list(_drug_rows(found.recoded, terminology, release))
    if drugs:
        path = folder / "mappings" / "drugs.tsv"
        text = "\n".join(["\t".join(HEADERS["drugs.tsv"]), *drugs])
        path.write_text(f"{_NOTE.format(release=release)}{text}\n", "utf-8")
        written.append(path)
    return written


_NOTE = """\
# Made by trial-cds refresh rxnorm from {release}; do not edit, make it anew.
# This product uses publicly available data from the U.S. National Library of Medicine (NLM), National Institutes of Health;
# NLM is not responsible for the product and does not endorse it.
"""  # noqa: E501 - lines of a table's head


def _line(row: Row, release: str) -> str:
    cells = [row.rxcui, row.ingredients, row.route, row.flush, row.name]
    return "\t".join([*cells, f"{release} yes:relation", row.tty])


def _drug_rows(
    recoded: Mapping[str, tuple[str, str]], terminology: Terminology, release: str
) -> Iterator[str]:
    """The rows of drugs.tsv whose RxCUI the release changes or adds."""
    for name, (_, code) in recoded.items():
        ingredient = terminology.lists.ingredients[name]
        atc = " ".join(sorted(c for system, c in ingredient.codes if system == "ATC"))
        for key, decides in ingredient.sets.items():
            sure, _, source = ingredient.where[key].partition(", ")
            sure = sure.partition(" ")[2] or ("yes" if decides else "no")
            membership = "decides" if decides else "review"
            cells = (key, name, membership, code, atc, sure, f"yes({release})", "", source, "")
            yield "\t".join(cells)


def report(
    found: Refreshed, terminology: Terminology, users: Mapping[str, Sequence[str]]
) -> list[str]:
    """What a pharmacist wants to know; `users` are the criteria that use each concept."""
    lines = [f"{len(found.rows):,} products hold an ingredient of ours."]
    lines += _listed("New products", [_new(row) for row in found.new])
    lines += _by_drug(found.new)
    gone = [f"{row.name} (RxNorm {row.rxcui})" for row in found.gone]
    lines += _listed("No longer in the release, still recognised in old charts", gone)
    lines += _listed("Other ingredients or routes", [_changed(*pair) for pair in found.changed])
    codes = [f"{name}: {old or 'none'} → {new}" for name, (old, new) in found.recoded.items()]
    lines += _listed("Ingredients with another RxCUI", codes)
    lines += _listed("Ingredients that the release does not hold", found.unmatched)
    lines += _touched(found, terminology, users)
    return lines


def _listed(heading: str, rows: Sequence[str], most: int = _MOST) -> list[str]:
    if not rows:
        return [f"{heading}: none."]
    more = [f"  and {len(rows) - most:,} more"] if len(rows) > most else []
    return [f"{heading}: {len(rows):,}", *(f"  {row}" for row in rows[:most]), *more]


def _new(row: Row) -> str:
    route = f", {row.route}" if row.route else ""
    return f"{row.name} (RxNorm {row.rxcui}): {row.ingredients}{route}"


def _by_drug(rows: Iterable[Row]) -> list[str]:
    counts = Counter(name for row in rows for name in _names(row))
    if not counts:
        return []
    said = ", ".join(f"{name} {count:,}" for name, count in counts.most_common(_MOST))
    return [f"  by ingredient: {said}" + (" …" if len(counts) > _MOST else "")]


def _changed(was: Row, now: Row) -> str:
    says = []
    if _names(was) != _names(now):
        says.append(f"{was.ingredients} → {now.ingredients}")
    if was.route != now.route:
        says.append(f"route {was.route or 'not stated'} → {now.route or 'not stated'}")
    return f"{now.name} (RxNorm {now.rxcui}): {'; '.join(says)}"


def _touched(
    found: Refreshed, terminology: Terminology, users: Mapping[str, Sequence[str]]
) -> list[str]:
    """The classes whose products changed, and the criteria that ask for them."""
    counts: Counter[str] = Counter()
    for row in (*found.new, *(pair[1] for pair in found.changed)):
        counts.update(_concepts(_names(row), terminology))
    for was, now in found.changed:
        counts.update(_concepts(_names(was) - _names(now), terminology))
    counts.update(_concepts(found.recoded, terminology))
    rows = [
        f"{terminology.labels[key]}: {count:,}; asked by {', '.join(users[key])}"
        for key, count in counts.most_common()
        if users.get(key)
    ]
    return _listed("Classes touched that a criterion asks for", rows, most=len(rows))


def _names(row: Row) -> set[str]:
    return set(row.ingredients.split(" + "))


def _concepts(names: Iterable[str], terminology: Terminology) -> set[str]:
    sets = {
        key
        for name in names
        if name in terminology.lists.ingredients
        for key in terminology.lists.ingredients[name].sets
    }
    return {
        key
        for key, concept in terminology.concepts.items()
        if sets & {*concept.made_of, *concept.review}
    }
