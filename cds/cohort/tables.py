"""The rows that a screening writes, gathered column by column."""

from __future__ import annotations

from collections import Counter
from itertools import accumulate, chain, repeat
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from cds.core.criterion import Status

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from cds.core.criterion import Determination

_TEXT = pa.string()
_DAY = pa.date32()

DETERMINATIONS = {
    "patient": _TEXT,
    "trial": _TEXT,
    "overall": _TEXT,
    "fail": _TEXT,
    "unknown": _TEXT,
    "review": _TEXT,
    "clears_on": _DAY,
    "target": _TEXT,
    "version": _TEXT,
}
"""Column → type. `fail`, `unknown`, `review`: criterion ids; `target`: the target's status."""

_EVIDENCE: dict[str, Callable[[Any], str | None]] = {
    "reference": attrgetter("reference"),
    "display": attrgetter("display"),
    "date": attrgetter("date"),
}
_GAP: dict[str, Callable[[Any], str | None]] = {
    "concept": attrgetter("concept"),
    "gap": attrgetter("gap._value_"),
}
UNRECOGNISED = ("kind", "system", "code", "display")
POSSIBLE = ("patient", "trial", "reference", "display", "code")


_ID = attrgetter("criterion.id")
_KIND = attrgetter("criterion.kind._value_")
_STATUS = attrgetter("status._value_")
# Reading the attribute is several times as fast as Enum's `value`, and there are many rows.
_TOLD = list(DETERMINATIONS.values())[1:]


class Rows:
    """Determinations of some patients, and the names that nobody recognised."""

    def __init__(self) -> None:
        self._patients: list[str] = []
        self._determinations: list[Determination] = []
        self.possible: list[tuple[str, ...]] = []
        self.unrecognised: Counter[tuple[str, str, str, str]] = Counter()
        self.unrecognised_patients: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, patient: str, determinations: Sequence[Determination]) -> None:
        """Add what was found for one patient."""
        for determination in determinations:
            self._patients.append(patient)
            self._determinations.append(determination)

    def add_unrecognised(self, found: Mapping[tuple[str, str, str, str], int]) -> None:
        """Add one patient's entries that no list knows, by kind, system, code and display."""
        for key, count in found.items():
            self.unrecognised[key] += count
            self.unrecognised_patients[key] += 1

    def determinations(self) -> pa.Table:
        """One row for each patient and trial."""
        # Many patients share one determination: it says that nothing concerns them.
        known: dict[int, tuple[object, ...]] = {}
        for one in self._determinations:
            if id(one) not in known:
                known[id(one)] = _row(one)
        rows = [known[id(one)] for one in self._determinations]
        columns = list(zip(*rows, strict=True)) or [()] * len(_TOLD)
        told = [pa.array(values, kind) for values, kind in zip(columns, _TOLD, strict=True)]
        return pa.table([pa.array(self._patients, _TEXT), *told], names=list(DETERMINATIONS))

    def criteria(self) -> pa.Table:
        """One row for each patient, trial and criterion."""
        found = self._determinations
        each = [len(one.decisions) for one in found]
        decisions = list(chain.from_iterable(one.decisions for one in found))
        columns = {
            "patient": _repeated(self._patients, each),
            "trial": _repeated([one.trial.id for one in found], each),
            "criterion": pa.array(list(map(_ID, decisions)), _TEXT),
            "kind": pa.array(list(map(_KIND, decisions)), _TEXT),
            "status": pa.array(list(map(_STATUS, decisions)), _TEXT),
            "reason": pa.array([one.reason for one in decisions], _TEXT),
            "clears_on": pa.array([one.clears_on for one in decisions], _DAY),
            "evidence": _lists([one.evidence for one in decisions], _EVIDENCE),
            "gaps": _lists([one.gaps for one in decisions], _GAP),
        }
        return pa.table(columns)

    def possible_targets(self) -> pa.Table:
        """One row for each diagnosis that leaves open whether it is a trial's target."""
        columns = enumerate(POSSIBLE)
        return pa.table(
            {
                name: pa.array([row[index] for row in self.possible], _TEXT)
                for index, name in columns
            }
        )

    def names(self) -> pa.Table:
        """One row for each code or name that no list knows, with how many entries and patients."""
        keys = sorted(self.unrecognised)
        columns = {
            name: pa.array([key[index] for key in keys], _TEXT)
            for index, name in enumerate(UNRECOGNISED)
        }
        entries = pa.array([self.unrecognised[key] for key in keys], pa.int64())
        patients = pa.array([self.unrecognised_patients[key] for key in keys], pa.int64())
        return pa.table({**columns, "entries": entries, "patients": patients})


def _row(one: Determination) -> tuple[object, ...]:
    """What stands in a determination's row behind the patient."""
    return (
        one.trial.id,
        one.overall.value,
        _ids(one, Status.FAIL),
        _ids(one, Status.UNKNOWN),
        _ids(one, Status.REVIEW),
        one.clears_on,
        one.target.status.value,
        one.trial.version,
    )


def _repeated(values: list[str], times: list[int]) -> pa.Array:
    """Each value as often as is said."""
    return pa.array(list(chain.from_iterable(map(repeat, values, times))), _TEXT)


def _lists(rows: list[Any], fields: Mapping[str, Callable[[Any], str | None]]) -> pa.Array:
    """A column of lists of records."""
    records = list(chain.from_iterable(rows))
    parts = [pa.array(list(map(read, records)), _TEXT) for read in fields.values()]
    offsets = pa.array(list(accumulate(map(len, rows), initial=0)), pa.int32())
    return pa.ListArray.from_arrays(offsets, pa.StructArray.from_arrays(parts, list(fields)))


def _ids(determination: Determination, status: Status) -> str:
    """The criteria of one status, sorted."""
    found = [one.criterion.id for one in determination.decisions if one.status is status]
    return " ".join(sorted(found)) if found else ""


def write_arrow(table: pa.Table, target: Path) -> None:
    """Write a table as it lies in memory, packed a little: a quarter of the work of Parquet."""
    packed = pa.ipc.IpcWriteOptions(compression="lz4")
    with pa.OSFile(str(target), "wb") as file:  # noqa: SIM117 - the sink ends before its file
        with pa.ipc.new_file(file, table.schema, options=packed) as sink:
            sink.write_table(table)


def read_arrow(path: Path) -> pa.Table:
    """Read what `write_arrow` wrote."""
    with pa.OSFile(str(path)) as file:
        return pa.ipc.open_file(file).read_all()
