"""What a code or a name means to the criteria, in words for a pharmacist or a terminologist."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cds.content.codes import wrong_code
from cds.content.fault import did_you_mean
from cds.core.phrases import words

_SHAPES = ("ICD-10-CM", "LOINC", "SNOMED CT", "ATC")
# What may be a code: D48.1, 751-8, 21212, 0QS604Z. A name of a drug that looks so is found first.
_CODE = re.compile(r"[A-Za-z]{0,3}\d[\w.\-/]*")

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cds.core.facts import Mark
    from cds.core.terminology import Drug, Terminology


def explain_code(
    terminology: Terminology,
    system: str,
    code: str,
    criteria_by_concept: Mapping[str, Sequence[str]],
) -> str:
    """Which concepts a code meets, where that comes from, and which criteria use them.

    `system` is a code system's URI, OID or short name ("RxNorm", "ICD-10-CM").
    """
    short = terminology.system(system) or _short_name(terminology, system)
    if short is None:
        known = sorted(set(terminology.lists.systems.values()))
        cure = did_you_mean(system, known) or f"Known are {', '.join(known)}."
        return f"No code system is called {system!r}. {cure}"
    uri = next(uri for uri, name in terminology.lists.systems.items() if name == short)
    blocks = [
        _lab(terminology, short, code, criteria_by_concept),
        _coded(terminology, "condition", (short, uri, code), criteria_by_concept),
        _coded(terminology, "procedure", (short, uri, code), criteria_by_concept),
    ]
    drug = terminology.drug_code(uri, code) or terminology.drug_group(uri, code)
    if drug is not None:
        blocks.append(_drug(terminology, drug, f"{short} {code}", criteria_by_concept))
    said = [block for block in blocks if block]
    return "\n".join(said) if said else f"{short} {code} stands in no list."


def explain_name(
    terminology: Terminology, name: str, criteria_by_concept: Mapping[str, Sequence[str]]
) -> str:
    """Which drugs and concepts the names in a text mean, and which criteria use them."""
    blocks: list[str] = []
    drug = terminology.drug_text(name)
    if drug is not None:
        blocks.append(_drug(terminology, drug, repr(name), criteria_by_concept))
    for kind, marks in (
        ("condition", terminology.condition_names(name)),
        ("procedure", terminology.procedure_names(name)),
    ):
        if marks:
            head = f"{name!r} holds a {kind} name: evidence for review, it never decides."
            blocks.append("\n".join([head, *_concepts(terminology, marks, criteria_by_concept)]))
    if blocks:
        return "\n".join(blocks)
    if _CODE.fullmatch(name.rpartition(" ")[2]):
        return f"{name!r} holds no name that any list knows. {_name_a_system(terminology, name)}"
    near = did_you_mean(name.casefold(), _names(terminology))
    return f"{name!r} holds no name that any list knows. {near}".rstrip()


def is_system(terminology: Terminology, system: str) -> bool:
    """Whether this names a code system: its URI, OID or short name, case and punctuation aside."""
    systems = terminology.lists.systems
    return (
        terminology.system(system) is not None
        or system.lower() in {uri.lower() for uri in systems}
        or _short_name(terminology, system) is not None
    )


def _name_a_system(terminology: Terminology, said: str) -> str:
    """What to write in place of a code whose system is not named, or not as we name it."""
    *before, code = said.split()
    known = sorted(set(terminology.lists.systems.values()))
    wanted = "".join(words(" ".join(before)))
    near = [name for name in known if wanted and "".join(words(name)).startswith(wanted)]
    shaped = [name for name in _SHAPES if wrong_code(name, code) is None]
    example = [*near, *shaped, "RxNorm"][0]
    return (
        f"If it is a code, name its system before it, such as '{example} {code}'; "
        f"known are {', '.join(known)}."
    )


def _names(terminology: Terminology) -> set[str]:
    """Every name of a drug, condition or procedure that the lists know, in small letters."""
    lists = terminology.lists
    found = {name for one in lists.ingredients.values() for name in (one.name, *one.names)}
    found |= {name for name, _ in lists.brands}
    found |= {name for _, name in (*lists.condition_names, *lists.procedure_names)}
    return {name.removeprefix("=").casefold() for name in found if not name.startswith("-")}


def _short_name(terminology: Terminology, system: str) -> str | None:
    """The short name that is meant, case and punctuation aside."""
    wanted = "".join(words(system))
    names = terminology.lists.systems.values()
    return next((name for name in names if "".join(words(name)) == wanted), None)


def _lab(
    terminology: Terminology, short: str, code: str, criteria: Mapping[str, Sequence[str]]
) -> str:
    if short != "LOINC":
        return ""
    lines: list[str] = []
    for row in terminology.lists.lab_rows:
        if row.code != code:
            continue
        analyte = terminology.analytes[row.analyte]
        how = "is rejected for" if row.role == "trap" else f"({row.role}) measures"
        lines.append(f"LOINC {code} {row.name!r} {how} {analyte.label}.")
        lines.append(f"  from {row.where}, verified: {row.verified}")
        if row.role != "trap":
            keys = [c.key for c in terminology.concepts.values() if row.analyte in c.made_of]
            lines += [line for key in keys for line in _concept(terminology, key, "", criteria)]
    return "\n".join(lines)


def _coded(
    terminology: Terminology,
    kind: str,
    coding: tuple[str, str, str],
    criteria: Mapping[str, Sequence[str]],
) -> str:
    short, uri, code = coding
    condition = kind == "condition"
    members = (
        terminology.condition_members(short, code)
        if condition
        else terminology.procedure_members(short, code)
    )
    if not members:
        return ""
    coded = terminology.condition(uri, code) if condition else terminology.procedure(uri, code)
    lines = [f"{short} {code} as a {kind}:"]
    for member in members:
        row = f"{member.system} {member.code}" + (f"-{member.upto}" if member.upto else "")
        lines.append(f"  set {member.set_key}: {row} {member.meaning!r} ({member.match})")
        lines.append(f"    from {member.where}, verified: {member.verified}")
    lines += _concepts(terminology, coded.marks, criteria)
    if not coded.marks:
        lines.append("  It meets no concept: its sets are only subtracted, or no criterion asks.")
    return "\n".join(lines)


def _drug(
    terminology: Terminology, drug: Drug, said: str, criteria: Mapping[str, Sequence[str]]
) -> str:
    if not drug.ingredients and not drug.marks:
        return f"{said} is a drug that we know, of no class that a criterion asks for."
    route = {True: "for local use", False: "systemic", None: "route not stated"}[drug.local]
    flush = ", a flush or lock strength" if drug.flush else ""
    names = " + ".join(drug.ingredients) or "a group of drugs, which of them is not said"
    lines = [f"{said} is {names} ({route}{flush})."]
    for name in drug.ingredients:
        ingredient = terminology.lists.ingredients[name]
        lines += [f"  {name} in set {key}, {ingredient.where[key]}" for key in ingredient.sets]
    for key, marks in drug.marks.items():
        by = ", ".join(
            mark.ingredient + ("" if mark.decides else " (review only)") for mark in marks
        )
        lines += _concept(terminology, key, f" by {by}", criteria)
    return "\n".join(lines)


def _concepts(
    terminology: Terminology, marks: Mapping[str, Mark], criteria: Mapping[str, Sequence[str]]
) -> Iterable[str]:
    for key, mark in marks.items():
        how = ", decides" if mark.decides else ", review only"
        history = ", history" if mark.history else ""
        yield from _concept(terminology, key, how + history, criteria)


def _concept(
    terminology: Terminology, key: str, how: str, criteria: Mapping[str, Sequence[str]]
) -> list[str]:
    users = ", ".join(criteria.get(key, ())) or "no criterion"
    return [f"  concept {key} ({terminology.labels[key]}){how}; used by {users}"]
