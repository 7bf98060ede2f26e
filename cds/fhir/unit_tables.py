"""Reading and writing the two unit tables: aliases (`units.tsv`) and factors."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

from cds.fhir.units import Alias, Factor, Units, factors_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.core.terminology import Analyte

ALIASES = "mappings/units.tsv"
FACTORS = "mappings/unit_factors.tsv"
_ALIAS_HEAD = ("text", "ucum", "case", "source")
_FACTOR_HEAD = ("analyte", "unit", "molar_mass", "ucum", "multiply")
_FACTOR_NOTE = """\
# A value in `ucum` times `multiply` is in `unit`. Computed by ucumvert and pint from labs.yaml and
# units.tsv, to twelve digits; a test compares every row. Anew: python tools/unit_factors.py
# Known to lack: units that no alias names and no lab of labs.yaml lists; computed when met.
"""


class UnitTableFault(ValueError):  # noqa: N818 - a fault, as those of other content
    """A unit table that cannot be read: where, what is wrong, and the cure."""

    def __init__(self, file: str, line: int, says: str, try_this: str) -> None:
        """Name the file and the line."""
        super().__init__(f"{file}:{line}: {says} {try_this}")
        self.file = file
        self.line = line
        self.says = says
        self.try_this = try_this


def load_units(folders: Sequence[Path]) -> Units:
    """The units of the content folders; rows of later folders override earlier ones.

    A folder need not hold the files.

    Raises:
        UnitTableFault: a row that cannot be read.
    """
    aliases: list[Alias] = []
    factors: list[Factor] = []
    for folder in folders:
        aliases += read_aliases(folder / ALIASES)
        factors += read_factors(folder / FACTORS)
    return Units(aliases, factors)


def read_aliases(path: Path) -> list[Alias]:
    """The rows of an alias table; none where there is no file."""
    found: list[Alias] = []
    for line, (text, ucum, case, *_) in _rows(path, _ALIAS_HEAD):
        if case not in {"any", "exact"}:
            says = f"The case of '{text}' is neither any nor exact."
            raise UnitTableFault(str(path), line, says, "Write one of the two.")
        found.append(Alias(text, ucum, case == "any"))
    return found


def read_factors(path: Path) -> list[Factor]:
    """The rows of a factor table; none where there is no file."""
    found: list[Factor] = []
    for line, (analyte, unit, molar_mass, ucum, multiply) in _rows(path, _FACTOR_HEAD):
        try:
            molar = Decimal(molar_mass) if molar_mass else None
            found.append(Factor(analyte, unit, molar, ucum, Decimal(multiply)))
        except InvalidOperation:
            says = f"The row of {analyte} and {ucum} holds no number."
            raise UnitTableFault(str(path), line, says, "Make the table anew.") from None
    return found


def _rows(path: Path, head: tuple[str, ...]) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells of every row below the header line, comments aside."""
    if not path.is_file():
        return
    headed = False
    for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
        if line.startswith("#") or not line.strip():
            continue
        cells = line.split("\t")
        if not headed:
            if tuple(cells) != head:
                says = "The columns are not those of this table."
                raise UnitTableFault(str(path), number, says, f"Write: {', '.join(head)}.")
            headed = True
            continue
        if len(cells) != len(head):
            says = f"The row has {len(cells)} columns instead of {len(head)}."
            raise UnitTableFault(str(path), number, says, "Separate them by one tab each.")
        yield number, cells


def usual_units(analytes: Mapping[str, Analyte], aliases: Sequence[Alias]) -> set[str]:
    """The UCUM units worth a row: what aliases stand for, and what analytes list."""
    listed = {ucum for a in analytes.values() for ucum in (a.unit, *a.kinds) if ucum}
    return listed | {alias.ucum for alias in aliases}


def factor_table(factors: Sequence[Factor]) -> str:
    """The text of a factor table."""
    rows = ["\t".join(_FACTOR_HEAD)]
    rows += [
        "\t".join((f.analyte, f.unit, str(f.molar_mass or ""), f.ucum, f"{f.multiply:f}"))
        for f in sorted(factors, key=lambda f: (f.analyte, f.ucum))
    ]
    return _FACTOR_NOTE + "\n".join(rows) + "\n"


def write_factors(folder: Path, analytes: Mapping[str, Analyte]) -> None:
    """Write the factor table of a content folder anew."""
    units = usual_units(analytes, read_aliases(folder / ALIASES))
    (folder / FACTORS).write_text(factor_table(factors_for(analytes, units)), "utf-8")
