"""A site's RxNorm release: its concepts and which ingredients each product holds.

RXNCONSO.RRF names concepts (columns RXCUI, SAB, TTY, STR, SUPPRESS are used), RXNREL.RRF relates
them. A row of RXNREL says what its second concept is to its first: `A|…|B|…|has_ingredient` means
that B has the ingredient A. Each relation stands there in both directions; either is enough.
"""

from __future__ import annotations

import io
import zipfile
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_CONSO, _REL = "RXNCONSO.RRF", "RXNREL.RRF"
_CONSO_WIDTH, _REL_WIDTH = 18, 16
_RXCUI, _SAB, _TTY, _STR, _SUPPRESS = 0, 11, 12, 14, 16
_FIRST, _SECOND, _RELA, _REL_SAB, _REL_SUPPRESS = 0, 4, 7, 10, 14
_OURS = "RXNORM"
_OWN_CELL = f"|{_OURS}|"
# What a concept is made of: relation → whether it points from the whole to its part.
_PARTS = {
    "has_ingredient": True, "ingredient_of": False,
    "has_ingredients": True, "ingredients_of": False,
    "has_precise_ingredient": True, "precise_ingredient_of": False,
    "consists_of": True, "constitutes": False,
    "contains": True, "contained_in": False,
    "has_part": True, "part_of": False,
    "tradename_of": True, "has_tradename": False,
    "form_of": True, "has_form": False,
}  # fmt: skip
_TYPES = frozenset(
    {
        "IN", "PIN", "MIN", "BN", "SCD", "SBD", "SCDC", "SBDC", "SCDF", "SBDF", "SCDG", "SBDG",
        "SCDGP", "SCDFP", "SBDFP", "GPCK", "BPCK",
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Named:
    """A concept of the release: its name, and its term type."""

    name: str
    tty: str


@dataclass(slots=True)
class Release:
    """The current concepts of a release by RxCUI, those it calls obsolete, and their parts."""

    concepts: dict[str, Named] = field(default_factory=dict)
    obsolete: set[str] = field(default_factory=set)
    parts: dict[str, set[str]] = field(default_factory=dict)
    _found: dict[str, frozenset[str]] = field(default_factory=dict)

    def ingredients(self, rxcui: str) -> frozenset[str]:
        """The RxCUIs of everything that a concept is made of and that is made of nothing more.

        Precise ingredients (salts) are among them beside the ingredient itself.
        """
        known = self._found.get(rxcui)
        if known is not None:
            return known
        self._found[rxcui] = frozenset()  # a circle in the release ends here
        own = self.concepts[rxcui]
        found = {rxcui} if own.tty in {"IN", "PIN"} else set()
        for part in self.parts.get(rxcui, ()):
            inner = self.concepts.get(part)
            # A brand may stand for several products; the product's own parts say what is in it.
            if inner is not None and (inner.tty != "BN" or own.tty == "BN"):
                found |= self.ingredients(part)
        self._found[rxcui] = frozenset(found)
        return self._found[rxcui]


def read_release(source: Path) -> Release:
    """Read a release: its folder, one of its files, or the zip as downloaded.

    Raises:
        ContentFaults: a file is missing or has other columns than RxNorm's.
    """
    release = Release()
    with _opened(source) as files:
        for cells in _rows(files, source, _CONSO, _CONSO_WIDTH):
            if cells[_SAB] == _OURS and cells[_TTY] in _TYPES:
                if cells[_SUPPRESS] == "N":
                    release.concepts[cells[_RXCUI]] = Named(cells[_STR], cells[_TTY])
                else:
                    release.obsolete.add(cells[_RXCUI])
        for cells in _rows(files, source, _REL, _REL_WIDTH):
            downward = _PARTS.get(cells[_RELA]) if cells[_REL_SAB] == _OURS else None
            if downward is None or cells[_REL_SUPPRESS] not in {"", "N"}:
                continue
            whole, part = cells[_SECOND], cells[_FIRST]
            if not downward:
                whole, part = part, whole
            if whole in release.concepts and part in release.concepts:
                release.parts.setdefault(whole, set()).add(part)
    if not release.concepts:
        says = f"No concept of RxNorm's own (SAB {_OURS}) stands in it."
        raise ContentFaults([Fault(f"{source.name}/{_CONSO}", 1, says, "Take the full release.")])
    return release


@contextmanager
def _opened(source: Path) -> Iterator[Mapping[str, io.TextIOBase]]:
    """The two files of a release, open as text."""
    if source.is_file() and zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as packed:
            names = {name.rpartition("/")[2].upper(): name for name in sorted(packed.namelist())}
            yield {
                wanted: io.TextIOWrapper(packed.open(names[wanted]), "utf-8")
                for wanted in (_CONSO, _REL)
                if wanted in names
            }
        return
    folder = source if source.is_dir() else source.parent
    found = {
        wanted: next((p for p in (folder / wanted, folder / "rrf" / wanted) if p.is_file()), None)
        for wanted in (_CONSO, _REL)
    }
    files = {name: path.open(encoding="utf-8") for name, path in found.items() if path is not None}
    try:
        yield files
    finally:
        for file in files.values():
            file.close()


def _rows(
    files: Mapping[str, io.TextIOBase], source: Path, name: str, width: int
) -> Iterator[list[str]]:
    """The rows of a file; each ends with a bar, so the last cell is empty."""
    if name not in files:
        cure = "Name the folder with RXNCONSO.RRF and RXNREL.RRF, or the zip as downloaded."
        raise ContentFaults([Fault(f"{source.name}/{name}", 1, "There is no such file.", cure)])
    try:
        for number, line in enumerate(files[name], start=1):
            if number > 1 and _OWN_CELL not in line:
                continue  # most rows are of other sources; the first shows whether it is RxNorm's
            cells = line.rstrip("\r\n").split("|")
            if len(cells) != width + 1 or cells[width]:
                says = f"The row has {len(cells) - 1} columns, RxNorm's {name} has {width}."
                cure = "Take the files of the release as they are."
                raise ContentFaults([Fault(f"{source.name}/{name}", number, says, cure)])
            yield cells
    except UnicodeDecodeError:
        cure = "Take the files of the release as they are."
        raise ContentFaults([Fault(f"{source.name}/{name}", 1, "It is not UTF-8.", cure)]) from None
