"""Clinical promises as data: the YAML cases beside each trial, and running them.

A case states the facts that matter and what criteria come to. Everything that a case does not
state was read completely and is empty; the target diagnosis is added where a case is about
another criterion.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault
from cds.content.given import GivenReader
from cds.content.strict_yaml import Items, Table, Value, read_yaml
from cds.core.criterion import Overall, Status
from cds.core.when import Evaluation
from cds.engine.evaluate import determine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from cds.content.trials import TrialFolder
    from cds.core.criterion import Determination, Trial
    from cds.core.facts import Facts

_CASE_KEYS = frozenset({"name", "given", "expect", "clears_on", "gaps", "as_of"})
_STATUSES = {status.value for status in Status}
_OVERALLS = {overall.value for overall in Overall}


@dataclass(frozen=True, slots=True)
class Case:
    """One promise: on `as_of`, from `facts`, criteria come to `expect`.

    `clears_on` maps a criterion id (or 'trial') to an ISO date or 'never'; `gaps` maps a criterion
    id to a gap word that must be among its gaps.
    """

    name: str
    file: str
    line: int
    as_of: date
    facts: Facts
    expect: Mapping[str, str]
    clears_on: Mapping[str, str]
    gaps: Mapping[str, str]


def load_cases(loaded: TrialFolder) -> list[Case]:
    """Every case of a trial, in the order of its files.

    Raises:
        ContentFaults: every fault of every case file, at once.
    """
    cases: list[Case] = []
    faults: list[Fault] = []
    for path in sorted((loaded.folder / "cases").glob("*.yaml")):
        name = f"trials/{loaded.folder.name}/cases/{path.name}"
        try:
            cases += _cases(read_yaml(path, name), name, loaded, faults)
        except ContentFaults as problem:
            faults += problem.faults
    if faults:
        raise ContentFaults(faults)
    return cases


def run_case(case: Case, trial: Trial) -> list[str]:
    """What is not as promised, in one sentence each; empty when the case holds."""
    determination = determine(trial, case.facts, Evaluation.of(case.as_of, UTC))
    return [
        *_wrong_statuses(case, determination),
        *_wrong_dates(case, determination),
        *_wrong_gaps(case, determination),
    ]


def _wrong_statuses(case: Case, determination: Determination) -> Iterator[str]:
    decided = {d.criterion.id: d for d in determination.decisions}
    for key, expected in case.expect.items():
        if key == "overall":
            if determination.overall.value != expected:
                yield f"overall is {determination.overall.value}, not {expected}"
            continue
        decision = decided.get(key)
        got = "not evaluated" if decision is None else decision.status.value
        if got != expected:
            why = "" if decision is None else f": {decision.reason}"
            yield f"{key} is {got}, not {expected}{why}"


def _wrong_dates(case: Case, determination: Determination) -> Iterator[str]:
    dates = {d.criterion.id: d.clears_on for d in determination.decisions}
    dates["trial"] = determination.clears_on
    for key, expected in case.clears_on.items():
        day = dates.get(key)
        got = "never" if day is None else day.isoformat()
        if got != expected:
            yield f"{key} clears on {got}, not {expected}"


def _wrong_gaps(case: Case, determination: Determination) -> Iterator[str]:
    gaps = {d.criterion.id: {m.gap.value for m in d.gaps} for d in determination.decisions}
    for key, expected in case.gaps.items():
        if expected not in gaps.get(key, set()):
            yield f"{key} has the gaps {sorted(gaps.get(key, set()))}, not {expected}"


def _cases(
    value: Value, file: str, loaded: TrialFolder, faults: list[Fault]
) -> Iterator[Case]:
    rows = value.get("cases") if isinstance(value, Table) else None
    if not isinstance(value, Table) or not isinstance(rows, Items):
        faults.append(Fault(file, 1, "A case file holds 'as_of' and 'cases'.", "See CONTRIBUTING."))
        return
    for row, line in zip(rows, rows.lines, strict=True):
        if isinstance(row, Table):
            case = _case(row, file, loaded, faults, default_day=value.get("as_of"))
            if case is not None:
                yield case
        else:
            faults.append(Fault(file, line, "A case is a set of keys.", "Begin with 'name:'."))


def _case(
    row: Table, file: str, loaded: TrialFolder, faults: list[Fault], *, default_day: Value
) -> Case | None:
    for key in row:
        if key not in _CASE_KEYS:
            faults.append(Fault(file, row.line_of(key), f"A case has no '{key}'.", ""))
    try:
        as_of = date.fromisoformat(str(row.get("as_of", default_day)))
    except ValueError:
        faults.append(Fault(file, row.line, "The case has no readable 'as_of'.", "Write 2026-03-01."))
        return None
    known = {criterion.id for criterion in loaded.trial.criteria}
    expect = _texts(row, "expect", file, faults, known | {"overall"}, _STATUSES | _OVERALLS)
    if not expect:
        faults.append(Fault(file, row.line, "The case expects nothing.", "Write 'expect: {I01a: pass}'."))
    target = next(c for c in loaded.trial.criteria if c.id == loaded.trial.target)
    concept = sorted(loaded.concepts[target.id])[0]
    reader = GivenReader(file, as_of, faults)
    given = row.get("given")
    facts = reader.facts(
        given if isinstance(given, Items) else Items(row.line),
        target=None if set(expect) == {target.id} else concept,
    )
    return Case(
        name=str(row.get("name", "")),
        file=file,
        line=row.line,
        as_of=as_of,
        facts=facts,
        expect=expect,
        clears_on=_texts(row, "clears_on", file, faults, known | {"trial"}, None),
        gaps=_texts(row, "gaps", file, faults, known, None),
    )


def _texts(  # noqa: PLR0913 - one small reader for three keys
    row: Table,
    key: str,
    file: str,
    faults: list[Fault],
    names: set[str],
    values: set[str] | None,
) -> dict[str, str]:
    table = row.get(key)
    if table is None:
        return {}
    if not isinstance(table, Table):
        faults.append(Fault(file, row.line_of(key), f"'{key}' must be a set of keys.", ""))
        return {}
    for name, value in table.items():
        if name not in names:
            says = f"'{name}' is no criterion of this trial."
            faults.append(Fault(file, table.line_of(name), says, ""))
        if values is not None and value not in values:
            says = f"'{value}' is no status."
            cure = f"Write one of {', '.join(sorted(values))}."
            faults.append(Fault(file, table.line_of(name), says, cure))
    return {name: str(value) for name, value in table.items()}
