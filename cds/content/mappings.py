"""Mapping files → `Terminology`: read strictly, every fault of every file reported at once.

Each content folder holds a folder `mappings/`. Later folders extend earlier ones: a row with the
same key in the file of the same name replaces the earlier row.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cds.content.codes import wrong_code
from cds.content.fault import ContentFaults, Fault, did_you_mean
from cds.content.labs import read_labs
from cds.content.tables import TableFile, read_table
from cds.core.facts import Mark
from cds.core.terminology import Concept, Ingredient, Lists, Member, Terminology

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_CODES = ("set", "system", "code", "match", "mark", "verified", "meaning", "note")
PRODUCTS = ("rxcui", "ingredients", "route", "flush", "name", "source", "tty")
HEADERS: Mapping[str, tuple[str, ...]] = {
    "systems.tsv": ("uri", "name"),
    "concepts.tsv": ("concept", "label", "domain", "made_of", "review", "note"),
    "conditions.tsv": _CODES,
    "procedures.tsv": _CODES,
    "major_surgery_icd10pcs.tsv": ("code", "meaning"),
    "drugs.tsv": (
        "set", "ingredient", "membership", "rxcui", "atc",
        "class_verified", "verified", "named_in", "class_source", "note",
    ),
    "synonyms.tsv": ("kind", "key", "name", "source"),
    "other_drugs.tsv": ("name", "kind"),
    "dose_forms.tsv": ("system", "code", "meaning", "route"),
}  # fmt: skip
DOMAIN_WORDS = ("lab", "vital", "score", "finding", "medication", "procedure")
MATCHES = frozenset({"exact", "descendants", "prefix", "range", "pattern"})
MARKS = frozenset({"decides", "review", "history", "seventh"})
MEMBERSHIPS = ("decides", "review")
NAME_KINDS = ("condition", "procedure", "drug")
OTHER_DRUG_KINDS = ("name", "brand", "alone")
ROUTES = ("local", "systemic")
_LAB_FILE = "labs.yaml"
_PRODUCT_FOLDER = "drug_products/"
_FILES = (*HEADERS, _LAB_FILE, "units.tsv", "unit_factors.tsv")
"""The files of a folder mappings/ that somebody reads; beside them, tables of drug products."""
_UNSPECIFIED = ", unspecified"


@dataclass(slots=True)
class _Files:
    """The raw mapping files of all folders, in order, and the digest of what they hold."""

    tables: dict[str, list[TableFile]] = field(default_factory=dict)
    products: list[TableFile] = field(default_factory=list)
    labs: list[Path] = field(default_factory=list)
    digest: str = ""


def load_terminology(folders: Sequence[Path]) -> Terminology:
    """The terminology of the content folders, later ones overriding earlier ones.

    Raises:
        ContentFaults: every fault of every file, at once.
    """
    faults: list[Fault] = []
    files = _read(folders, faults)
    lists = _lists(files, faults)
    if not faults:
        _check_sets(files, lists, faults)
        _check_systems(files, set(lists.systems.values()), faults)
    if faults:
        raise ContentFaults(faults)
    return Terminology(lists)


def _read(folders: Sequence[Path], faults: list[Fault]) -> _Files:
    files = _Files()
    digests: list[str] = []
    for folder in folders:
        root = folder / "mappings"
        for path in sorted(root.rglob("*")):
            if not path.is_file() or path.name.startswith("."):
                continue
            data = path.read_bytes()
            name = path.relative_to(root).as_posix()
            if not (is_read(name) or is_remark(name)):
                faults.append(_not_read(path, name))
            digests.append(f"{name}\t{hashlib.sha256(data).hexdigest()}")
            _sort_in(files, path, name, data, faults)
    for name in HEADERS:
        if name not in files.tables:
            where = str(folders[0] / "mappings" / name) if folders else name
            cure = "Put the bundled content folder first, or add the file."
            faults.append(Fault(where, 1, "No content folder holds this file.", cure))
    files.digest = hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
    return files


def _sort_in(files: _Files, path: Path, name: str, data: bytes, faults: list[Fault]) -> None:
    if name == _LAB_FILE:
        files.labs.append(path)
    elif name in HEADERS:
        table = read_table(path, name, HEADERS[name], data, faults)
        if table is not None:
            files.tables.setdefault(name, []).append(table)
    elif _is_product_table(name):
        table = read_table(path, name, PRODUCTS, data, faults)
        if table is not None:
            files.products.append(table)


def is_read(name: str) -> bool:
    """Whether a file below mappings/ is one of those that are read."""
    return name in _FILES or _is_product_table(name)


def is_remark(name: str) -> bool:
    """Whether a file below mappings/ is for people: a README, terms of use, an editor's copy."""
    last = name.rpartition("/")[2]
    return last.endswith((".md", "~")) or last in {"LICENSE", "NOTICE"}


def _is_product_table(name: str) -> bool:
    return name.startswith(_PRODUCT_FOLDER) and name.endswith(".tsv")


def _not_read(path: Path, name: str) -> Fault:
    """A file that nobody reads, such as a misspelt one: its rows would silently be missing."""
    known = list(_FILES)
    if did_you_mean(name.partition("/")[0] + "/", [_PRODUCT_FOLDER]):
        known.append(f"{_PRODUCT_FOLDER}{path.stem}.tsv")
    there = f"{', '.join(_FILES)} and {_PRODUCT_FOLDER}*.tsv"
    cure = did_you_mean(name, known) or f"Move it out of mappings/; read are {there}."
    return Fault(str(path), 1, f"No mapping file is called '{name}'; it would be ignored.", cure)


def _rows(
    files: _Files, name: str, key: Callable[[list[str]], object], faults: list[Fault]
) -> Iterator[tuple[str, str, list[str]]]:
    """The rows of a table as (where, file:line for faults, cells), overridden ones left out."""
    merged: dict[object, tuple[str, str, list[str]]] = {}
    for table in files.tables.get(name, ()):
        seen: dict[object, int] = {}
        for line, cells in table.rows(faults):
            this = key(cells)
            if this in seen:
                says = f"The row repeats line {seen[this]}."
                faults.append(Fault(table.shown, line, says, "Remove one of them."))
            seen[this] = line
            merged[this] = (f"mappings/{name}:{line}", f"{table.shown}\t{line}", cells)
    yield from merged.values()


def _fault(at: str, says: str, try_this: str) -> Fault:
    file, line = at.split("\t")
    return Fault(file, int(line), says, try_this)


def _lists(files: _Files, faults: list[Fault]) -> Lists:
    concepts = _concepts(files, faults)
    analytes, labs, lab_rows = read_labs(files.labs, concepts, faults)
    synonyms = _synonyms(files, faults)
    conditions = _members(files, "conditions.tsv", faults)
    procedures = _members(files, "procedures.tsv", faults) + _major_surgery(files, faults)
    forms, routes = _forms(files, faults)
    products, brands = _products(files, faults)
    return Lists(
        systems={c[0]: c[1] for _, _, c in _rows(files, "systems.tsv", lambda c: c[0], faults)},
        concepts=concepts,
        analytes=analytes,
        labs={"LOINC": labs},
        lab_rows=lab_rows,
        conditions=conditions,
        procedures=procedures,
        ingredients=_ingredients(files, synonyms["drug"], faults),
        products=products,
        brands=brands,
        condition_names=_names(conditions) + synonyms["condition"],
        procedure_names=_names(procedures) + synonyms["procedure"],
        other_drugs=_other_drugs(files, faults),
        forms=forms,
        routes=routes,
        digest=files.digest,
    )


def _concepts(files: _Files, faults: list[Fault]) -> dict[str, Concept]:
    found: dict[str, Concept] = {}
    for _, at, cells in _rows(files, "concepts.tsv", lambda c: c[0], faults):
        key, label, domain, made_of, review, note = cells
        if domain not in DOMAIN_WORDS:
            cure = did_you_mean(domain, DOMAIN_WORDS) or f"Use one of {', '.join(DOMAIN_WORDS)}."
            faults.append(_fault(at, f"No domain is called {domain!r}.", cure))
        if not label:
            faults.append(_fault(at, f"The concept {key!r} has no label.", "Write a few words."))
        sets, companions = tuple(made_of.split()), tuple(review.split())
        found[key] = Concept(key, label, domain, sets, companions, note)
    return found


def _members(files: _Files, name: str, faults: list[Fault]) -> list[Member]:
    found: list[Member] = []
    for where, at, cells in _rows(files, name, lambda c: (c[0], c[1], c[2]), faults):
        key, system, code, match, marked, verified, meaning, note = cells
        marks = set(marked.split())
        if match not in MATCHES:
            cure = did_you_mean(match, MATCHES) or f"Use one of {', '.join(sorted(MATCHES))}."
            faults.append(_fault(at, f"No match is called {match!r}.", cure))
        if not marks or not marks <= MARKS:
            near = next(filter(None, (did_you_mean(one, MARKS) for one in marks - MARKS)), "")
            cure = near or f"Use words of {', '.join(sorted(MARKS))}."
            faults.append(_fault(at, f"The mark {marked!r} is not understood.", cure))
        if verified.startswith("no") and "review" not in marks:
            says = f"{code} is not verified but decides."
            faults.append(_fault(at, says, "Mark it review, or verify it and say where."))
        first, _, upto = code.partition("-") if match == "range" else (code, "", "")
        for one in filter(None, (first, upto)):
            if (problem := wrong_code(system, one)) is not None:
                says = f"{one!r} is no code of {system}: {problem}."
                faults.append(_fault(at, says, "Compare it with its source."))
        mark = Mark(decides="review" not in marks, history="history" in marks)
        found.append(
            Member(
                key, system, first, meaning, match, mark, verified, where, note, upto,
                seventh="seventh" in marks,
            )
        )  # fmt: skip
    return found


def _major_surgery(files: _Files, faults: list[Fault]) -> list[Member]:
    """The codes of the one set that is too long for procedures.tsv."""
    mark = Mark()
    name = "major_surgery_icd10pcs.tsv"
    return [
        Member("major_surgery", "ICD-10-PCS", cells[0], cells[1], "exact", mark, "yes(VSAC)", where)
        for where, _, cells in _rows(files, name, lambda c: c[0], faults)
    ]


def _names(members: Sequence[Member]) -> list[tuple[str, str]]:
    """(set, name) from the codes' meanings, without SNOMED's tag and ICD's ", unspecified"."""
    found: dict[tuple[str, str], None] = {}
    for member in members:
        if member.match in {"range", "pattern"} or member.system == "ICD-10-PCS":
            continue
        name = member.meaning
        if member.system == "SNOMED CT" and name.endswith(")"):
            name = name[: name.rindex("(")].strip()
        found[member.set_key, name] = None
        if name.endswith(_UNSPECIFIED):
            found[member.set_key, name.removesuffix(_UNSPECIFIED)] = None
    return list(found)


def _synonyms(files: _Files, faults: list[Fault]) -> dict[str, list[tuple[str, str]]]:
    found: dict[str, list[tuple[str, str]]] = {"condition": [], "procedure": [], "drug": []}
    for _, at, cells in _rows(files, "synonyms.tsv", tuple, faults):
        kind, key, name, _ = cells
        if kind in found:
            found[kind].append((key, name))
        else:
            says = f"No kind of name is called {kind!r}."
            cure = did_you_mean(kind, NAME_KINDS) or "Use condition, procedure or drug."
            faults.append(_fault(at, says, cure))
    return found


def _ingredients(
    files: _Files, synonyms: Sequence[tuple[str, str]], faults: list[Fault]
) -> dict[str, Ingredient]:
    sets: dict[str, dict[str, bool]] = {}
    where: dict[str, dict[str, str]] = {}
    codes: dict[str, dict[tuple[str, str], None]] = {}
    names: dict[str, list[str]] = {}
    for place, at, cells in _rows(files, "drugs.tsv", lambda c: (c[0], c[1]), faults):
        key, name, membership, rxcui, atc, class_verified, _, _, source, _ = cells
        if membership not in MEMBERSHIPS:
            says = f"No membership is called {membership!r}."
            cure = did_you_mean(membership, MEMBERSHIPS) or "Use decides or review."
            faults.append(_fault(at, says, cure))
        if class_verified.startswith("no") and membership != "review":
            says = f"{name} in {key} is not verified but decides."
            faults.append(_fault(at, says, "Mark it review, or verify it and say where."))
        pairs = [("RxNorm", rxcui)] if rxcui else []
        pairs += [("ATC", code) for code in atc.split()]
        for system, code in pairs:
            if (problem := wrong_code(system, code)) is not None:
                says = f"{code!r} is no code of {system}: {problem}."
                faults.append(_fault(at, says, "Compare it with its source."))
        sets.setdefault(name, {})[key] = membership == "decides"
        where.setdefault(name, {})[key] = f"{place} {class_verified}, {source}"
        codes.setdefault(name, {}).update(dict.fromkeys(pairs))
    for ingredient, name in synonyms:
        names.setdefault(ingredient, []).append(name)
    return {
        name: Ingredient(name, held, tuple(codes[name]), (name, *names.get(name, ())), where[name])
        for name, held in sets.items()
    }


def _other_drugs(files: _Files, faults: list[Fault]) -> list[tuple[str, str]]:
    """(name, kind) of the drugs that belong to no set of ours."""
    found: list[tuple[str, str]] = []
    for _, at, cells in _rows(files, "other_drugs.tsv", lambda c: c[0].casefold(), faults):
        name, kind = cells
        if kind not in OTHER_DRUG_KINDS:
            says = f"No kind of drug is called {kind!r}."
            cure = did_you_mean(kind, OTHER_DRUG_KINDS) or "Use name, brand or alone."
            faults.append(_fault(at, says, cure))
        found.append((name, kind))
    return found


def _products(files: _Files, faults: list[Fault]) -> tuple[dict[str, str], list[tuple[str, str]]]:
    """Product code → the unsplit rest of its row, and the brand names (name, code)."""
    width = len(PRODUCTS) - 1
    found: dict[str, str] = {}
    brands: list[tuple[str, str]] = []
    for table in files.products:
        for line, row in enumerate(table.lines, table.first):
            code, _, rest = row.partition("\t")
            if not code.isdecimal() or rest.count("\t") != width - 1:
                if row and not row.startswith("#"):
                    says = "The row is no RxNorm code with its columns."
                    cure = f"Write {', '.join(PRODUCTS)}, separated by tabs."
                    faults.append(Fault(table.shown, line, says, cure))
                continue
            found[code] = rest
            if row.endswith("\tBN"):
                brands.append((rest.split("\t")[3], code))
    return found, brands


def _forms(
    files: _Files, faults: list[Fault]
) -> tuple[list[tuple[str, bool]], dict[tuple[str, str], bool]]:
    phrases: list[tuple[str, bool]] = []
    routes: dict[tuple[str, str], bool] = {}
    for _, at, cells in _rows(files, "dose_forms.tsv", lambda c: (c[0], c[1]), faults):
        system, code, _, route = cells
        if route not in ROUTES:
            cure = did_you_mean(route, ROUTES) or "Use local or systemic."
            faults.append(_fault(at, f"No route is called {route!r}.", cure))
        elif system == "text":
            phrases.append((code, route == "local"))
        else:
            if (problem := wrong_code(system, code)) is not None:
                says = f"{code!r} is no code of {system}: {problem}."
                faults.append(_fault(at, says, "Compare it with its source."))
            routes[system, code.upper()] = route == "local"
    return phrases, routes


def _check_sets(files: _Files, lists: Lists, faults: list[Fault]) -> None:
    """Concepts are made of sets that exist, and names belong to sets that exist."""
    drugs = {key for ingredient in lists.ingredients.values() for key in ingredient.sets}
    listed = {member.set_key for member in (*lists.conditions, *lists.procedures)}
    known = drugs | listed | set(lists.analytes)
    for _, at, cells in _rows(files, "concepts.tsv", lambda c: c[0], faults):
        for part in (*cells[3].split(), *cells[4].split()):
            if part.removeprefix("-") not in known:
                says = f"{cells[0]} is made of {part!r}, a set without any member."
                near = did_you_mean(part.removeprefix("-"), known)
                faults.append(_fault(at, says, near or "Add rows to the set."))
    for _, at, cells in _rows(files, "synonyms.tsv", tuple, faults):
        held: Mapping[str, object] | set[str] = lists.ingredients
        if cells[0] != "drug":
            held = listed
        if cells[1] not in held:
            says = f"{cells[2]!r} is a name for {cells[1]!r}, which no file holds."
            near = did_you_mean(cells[1], held)
            faults.append(_fault(at, says, near or "Use the key of a set or of an ingredient."))
    for code, rest in lists.products.items():
        for name in rest[: rest.index("\t")].split(" + "):
            if name not in lists.ingredients:
                says = f"Product {code} holds {name!r}, which drugs.tsv does not."
                place = files.products[0].shown
                near = did_you_mean(name, lists.ingredients)
                faults.append(Fault(place, 1, says, near or "Add the ingredient to drugs.tsv."))


def _check_systems(files: _Files, systems: set[str], faults: list[Fault]) -> None:
    """A code of a system that nobody knows would never meet anything."""
    for name in ("conditions.tsv", "procedures.tsv"):
        for _, at, cells in _rows(files, name, lambda c: (c[0], c[1], c[2]), faults):
            if cells[1] not in systems:
                says = f"No code system is called {cells[1]!r}."
                near = did_you_mean(cells[1], systems)
                faults.append(_fault(at, says, near or "Add it to systems.tsv with its address."))
