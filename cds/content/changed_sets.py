"""Two versions of the mappings: which concepts gained or lost codes, in the field's words."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cds.core.terminology import Terminology

_MOST = 6


def members(terminology: Terminology, key: str) -> Mapping[str, bool]:
    """What meets a concept, as people would name it, and whether it decides."""
    concept = terminology.concepts.get(key)
    if concept is None:
        return {}
    found: dict[str, bool] = {}
    lists = terminology.lists
    for part in (*concept.made_of, *concept.review):
        name, sign = part.removeprefix("-"), "without " if part.startswith("-") else ""
        sure = part in concept.made_of
        for member in (*lists.conditions, *lists.procedures):
            if member.set_key == name:
                upto = f"-{member.upto}" if member.upto else ""
                said = f"{sign}{member.meaning} ({member.system} {member.code}{upto})"
                found[said] = sure and member.mark.decides
        for ingredient in lists.ingredients.values():
            if name in ingredient.sets:
                found[f"{sign}{ingredient.name}"] = sure and ingredient.sets[name]
        for row in lists.lab_rows:
            if row.analyte == name and row.role != "trap":
                found[f"{sign}LOINC {row.code} {row.name}"] = True
    return found


def changed_sets(old: Terminology, new: Terminology, concepts: Iterable[str]) -> list[str]:
    """One sentence for each of these concepts whose members differ."""
    says: list[str] = []
    for key in sorted(set(concepts)):
        before, after = members(old, key), members(new, key)
        if before == after:
            continue
        come = [name for name in after if name not in before]
        gone = [name for name in before if name not in after]
        other = [name for name in after if name in before and before[name] != after[name]]
        label = new.labels.get(key) or old.labels.get(key) or key
        parts = [f"+ {_some(come)}"] if come else []
        parts += [f"− {_some(gone)}"] if gone else []
        parts += (
            [f"decides now: {_some([n for n in other if after[n]])}"]
            if any(after[n] for n in other)
            else []
        )
        parts += (
            [f"for review now: {_some([n for n in other if not after[n]])}"]
            if any(not after[n] for n in other)
            else []
        )
        says.append(f"{label}: {'; '.join(parts)}")
    return says


def _some(names: Sequence[str]) -> str:
    shown = ", ".join(names[:_MOST])
    return f"{shown} and {len(names) - _MOST} more" if len(names) > _MOST else shown
