"""mappings/labs.yaml: what each lab, vital sign and score measures, and the codes for it."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from cds.content.codes import wrong_code
from cds.content.fault import ContentFaults, Fault, did_you_mean
from cds.content.strict_yaml import Items, Table, Value, read_yaml
from cds.core.terminology import Analyte, LabCode, LabRow

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from cds.core.terminology import Concept

SCALES = ("quantity", "ordinal-grade", "presence", "score", "status")
LAB_KEYS = frozenset(
    {"label", "unit", "kinds", "plausible", "molar_mass", "category", "scale", "note", "answers",
     "loinc"}
)  # fmt: skip
LAB_CODE_KEYS = frozenset({"code", "role", "property", "verified", "name"})
ROLES = frozenset({"primary", "accept", "trap"})


def read_labs(
    paths: Sequence[Path], concepts: Mapping[str, Concept], faults: list[Fault]
) -> tuple[dict[str, Analyte], dict[str, LabCode], list[LabRow]]:
    """The analytes, the LOINC codes that are accepted for them, and where every code stands.

    Traps stand only in the last. An analyte of a later file replaces the earlier one of that key
    with all its codes.
    """
    merged = _merged(paths, faults)
    feeds: dict[str, tuple[str, ...]] = {}
    for concept in concepts.values():
        for part in concept.made_of:
            feeds[part] = (*feeds.get(part, ()), concept.key)
    analytes: dict[str, Analyte] = {}
    codes: dict[str, LabCode] = {}
    rows: list[LabRow] = []
    taken: dict[str, str] = {}
    for key, (file, line, table) in merged.items():
        reader = _LabReader(file, faults)
        analyte = reader.analyte(key, line, table)
        analytes[key] = analyte
        for row, prop in reader.codes(key, table):
            rows.append(row)
            if row.role == "trap":
                continue
            if row.code in taken:
                says = f"{row.code} feeds {taken[row.code]} already."
                cure = f"Remove it from {key} or from {taken[row.code]}."
                faults.append(Fault(file, int(row.where.rpartition(":")[2]), says, cure))
            taken[row.code] = key
            codes[row.code] = LabCode(analyte, feeds.get(key, ()), prop)
    return analytes, codes, rows


def _merged(paths: Sequence[Path], faults: list[Fault]) -> dict[str, tuple[str, int, Table]]:
    """Analyte → (file, line, what the last file says of it)."""
    merged: dict[str, tuple[str, int, Table]] = {}
    for path in paths:
        try:
            root = read_yaml(path)
        except ContentFaults as problem:
            faults += problem.faults
            continue
        if not isinstance(root, Table):
            faults.append(Fault(str(path), 1, "The file is no mapping.", "Write 'anc:' and so on."))
            continue
        for key, value in root.items():
            if isinstance(value, Table):
                merged[key] = (str(path), root.line_of(key), value)
            else:
                says, line = f"{key} is no mapping.", root.line_of(key)
                faults.append(Fault(str(path), line, says, "Indent what belongs to it."))
    return merged


class _LabReader:
    """Reads the analytes of one file and notes their faults."""

    def __init__(self, file: str, faults: list[Fault]) -> None:
        self.file = file
        self.faults = faults

    def analyte(self, key: str, line: int, table: Table) -> Analyte:
        for name in table:
            if name not in LAB_KEYS:
                cure = did_you_mean(name, LAB_KEYS) or f"Known: {', '.join(sorted(LAB_KEYS))}."
                self._fault(table.line_of(name), f"{key} has no key {name!r}.", cure)
        label, scale = self._text(table, "label"), self._text(table, "scale")
        if not label:
            self._fault(line, f"{key} has no label.", "Write 'label:' with a few words.")
        if scale not in SCALES:
            says = f"{key} has no scale of {', '.join(SCALES)}."
            cure = did_you_mean(scale, SCALES) or "Write 'scale: quantity', for example."
            self._fault(table.line_of("scale"), says, cure)
        kinds = tuple(item for item in self._items(table, "kinds") if isinstance(item, str))
        if scale == "quantity" and not kinds:
            self._fault(line, f"{key} accepts no unit.", "List UCUM units under 'kinds:'.")
        plausible = [self._number(table, "plausible", v) for v in self._items(table, "plausible")]
        low, high = plausible if len(plausible) == 2 else (None, None)  # noqa: PLR2004 - low, high
        if low is not None and high is not None and low > high:
            says = f"The plausible range of {key} ends before it begins."
            self._fault(table.line_of("plausible"), says, "Write the lower number first.")
        mass = table.get("molar_mass")
        return Analyte(
            key=key,
            label=label,
            unit=self._text(table, "unit"),
            kinds=kinds,
            plausible_min=low,
            plausible_max=high,
            molar_mass=None if mass is None else self._number(table, "molar_mass", mass),
            category=self._text(table, "category") or "laboratory",
            scale=scale,
            answers=self._answers(table),
        )

    def codes(self, key: str, table: Table) -> list[tuple[LabRow, str]]:
        """Every code of an analyte, traps included, with its property."""
        found: list[tuple[LabRow, str]] = []
        items = self._items(table, "loinc")
        for place, item in enumerate(items):
            line = items.lines[place] if isinstance(items, Items) else table.line
            if not isinstance(item, Table):
                self._fault(line, f"{key} lists no code here.", "Write {code: ..., role: ...}.")
                continue
            for name in item:
                if name not in LAB_CODE_KEYS:
                    cure = did_you_mean(name, LAB_CODE_KEYS) or "Remove it."
                    self._fault(item.line_of(name), f"A code has no '{name}'.", cure)
            code, role = self._text(item, "code"), self._text(item, "role")
            if (problem := wrong_code("LOINC", code)) is not None:
                says = f"{code!r} is no code of LOINC: {problem}."
                self._fault(line, says, "Compare it with its source.")
            if role not in ROLES:
                cure = did_you_mean(role, ROLES) or "Use primary, accept or trap."
                self._fault(line, f"{code} has no role.", cure)
            name, verified = self._text(item, "name"), self._text(item, "verified")
            row = LabRow(key, code, name, role, verified, f"mappings/labs.yaml:{line}")
            found.append((row, self._text(item, "property")))
        if all(row.role == "trap" for row, _ in found):
            self._fault(table.line, f"{key} has no code.", "List codes under 'loinc:'.")
        return found

    def _answers(self, table: Table) -> dict[tuple[str, str], Decimal]:
        found: dict[tuple[str, str], Decimal] = {}
        for item in self._items(table, "answers"):
            if not isinstance(item, Table):
                line = table.line_of("answers")
                self._fault(line, "An answer is no mapping.", "Write {system: ..., code: ...}.")
                continue
            value = self._number(item, "value", item.get("value"))
            system, code = self._text(item, "system"), self._text(item, "code")
            if system != "LOINC" and (problem := wrong_code(system, code)) is not None:
                says = f"{code!r} is no code of {system}: {problem}."
                self._fault(item.line, says, "Compare it with its source.")
            if value is not None:
                found[system, code] = value
        return found

    def _text(self, table: Table, key: str) -> str:
        value = table.get(key)
        return value if isinstance(value, str) else ""

    def _items(self, table: Table, key: str) -> Items | list[Value]:
        value = table.get(key)
        return value if isinstance(value, Items) else []

    def _number(self, table: Table, key: str, value: Value) -> Decimal | None:
        try:
            return Decimal(value) if isinstance(value, str) else None
        except InvalidOperation:
            self._fault(table.line_of(key), f"{value!r} is no number.", "Write it as 113.12.")
            return None

    def _fault(self, line: int, says: str, try_this: str) -> None:
        self.faults.append(Fault(self.file, line, says, try_this))
