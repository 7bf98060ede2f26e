"""The rows that a screening writes, gathered column by column."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import pyarrow as pa

from cds.core.criterion import Status

if TYPE_CHECKING:
    from cds.core.assessment import Assessment
    from cds.core.criterion import Decision, Determination

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

CRITERIA = {
    "patient": _TEXT,
    "trial": _TEXT,
    "criterion": _TEXT,
    "kind": _TEXT,
    "status": _TEXT,
    "reason": _TEXT,
    "clears_on": _DAY,
}
"""Column → type of what is one value; `evidence` and `gaps` are lists beside them."""

_EVIDENCE = ("reference", "display", "date")
_GAP = ("concept", "gap")
UNRECOGNISED = ("kind", "system", "code", "display")
POSSIBLE = ("patient", "trial", "reference", "display", "code")


class _Lists:
    """A column of lists of records, gathered flat."""

    def __init__(self, names: tuple[str, ...]) -> None:
        self.offsets = [0]
        self.columns: dict[str, list[str | None]] = {name: [] for name in names}

    def end_row(self) -> None:
        """The records added since the last call are one row's list."""
        self.offsets.append(len(next(iter(self.columns.values()))))

    def array(self) -> pa.Array:
        """The column."""
        parts = [pa.array(values, _TEXT) for values in self.columns.values()]
        records = pa.StructArray.from_arrays(parts, list(self.columns))
        return pa.ListArray.from_arrays(pa.array(self.offsets, pa.int32()), records)


class Rows:
    """Determinations and criteria of some patients, and the names that nobody recognised."""

    def __init__(self) -> None:
        self._determinations: dict[str, list[object]] = {name: [] for name in DETERMINATIONS}
        self._criteria: dict[str, list[object]] = {name: [] for name in CRITERIA}
        self._evidence = _Lists(_EVIDENCE)
        self._gaps = _Lists(_GAP)
        self.possible: list[tuple[str, ...]] = []
        self.unrecognised: Counter[tuple[str, str, str, str]] = Counter()
        self.unrecognised_patients: Counter[tuple[str, str, str, str]] = Counter()

    def add(self, assessment: Assessment) -> None:
        """Add what was found for one patient."""
        for determination in assessment.determinations:
            self._add_determination(assessment.patient, determination)

    def add_unrecognised(self, found: Counter[tuple[str, str, str, str]]) -> None:
        """Add one patient's entries that no list knows, by kind, system, code and display."""
        self.unrecognised.update(found)
        self.unrecognised_patients.update(found.keys())

    def _add_determination(self, patient: str, determination: Determination) -> None:
        trial = determination.trial
        row = (
            patient,
            trial.id,
            determination.overall.value,
            _ids(determination, Status.FAIL),
            _ids(determination, Status.UNKNOWN),
            _ids(determination, Status.REVIEW),
            determination.clears_on,
            determination.target.status.value,
            trial.version,
        )
        for values, value in zip(self._determinations.values(), row, strict=True):
            values.append(value)
        for decision in determination.decisions:
            self._add_decision(patient, trial.id, decision)

    def _add_decision(self, patient: str, trial: str, decision: Decision) -> None:
        criteria = self._criteria
        criteria["patient"].append(patient)
        criteria["trial"].append(trial)
        criteria["criterion"].append(decision.criterion.id)
        criteria["kind"].append(decision.criterion.kind.value)
        criteria["status"].append(decision.status.value)
        criteria["reason"].append(decision.reason)
        criteria["clears_on"].append(decision.clears_on)
        evidence, gaps = self._evidence.columns, self._gaps.columns
        for one in decision.evidence:
            evidence["reference"].append(one.reference)
            evidence["display"].append(one.display)
            evidence["date"].append(one.date)
        for missing in decision.gaps:
            gaps["concept"].append(missing.concept)
            gaps["gap"].append(missing.gap.value)
        self._evidence.end_row()
        self._gaps.end_row()

    def determinations(self) -> pa.Table:
        """One row for each patient and trial."""
        return _table(self._determinations, DETERMINATIONS)

    def criteria(self) -> pa.Table:
        """One row for each patient, trial and criterion."""
        table = _table(self._criteria, CRITERIA)
        table = table.append_column("evidence", self._evidence.array())
        return table.append_column("gaps", self._gaps.array())

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


def _ids(determination: Determination, status: Status) -> str:
    found = determination.with_status(status)
    return " ".join(sorted(decision.criterion.id for decision in found))


def _table(columns: dict[str, list[object]], kinds: dict[str, pa.DataType]) -> pa.Table:
    return pa.table({name: pa.array(columns[name], kind) for name, kind in kinds.items()})
