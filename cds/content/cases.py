"""Clinical promises as data: the YAML cases beside each trial, and running them.

A case states the facts that matter and what criteria come to. Everything that a case does not
state was read completely and is empty; the target diagnosis is added where a case is about
another criterion.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date
from typing import TYPE_CHECKING

from cds.content.fault import ContentFaults, Fault, did_you_mean
from cds.content.given import GivenReader
from cds.content.strict_yaml import Items, Table, Value, read_yaml
from cds.core.answer import Gap
from cds.core.criterion import Overall, Status
from cds.core.when import Evaluation
from cds.engine.evaluate import decide, determine

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from cds.content.forms import ConceptInfo
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Criterion, Determination, Trial
    from cds.core.facts import Facts

CASE_KEYS = frozenset({"name", "given", "expect", "clears_on", "gaps", "as_of"})
STATUSES = {status.value for status in Status}
_BEGIN = "Write 'as_of: 2026-03-01', then 'cases:' with a list under it."
OVERALLS = {overall.value for overall in Overall}
GAPS = {gap.value for gap in Gap}


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


def load_cases(
    loaded: TrialFolder, concepts: Mapping[str, ConceptInfo] | None = None
) -> list[Case]:
    """Every case of a trial, in the order of its files.

    With `concepts`, a fact about a concept that does not exist, or in another unit than the
    concept's, is a fault.

    Raises:
        ContentFaults: every fault of every case file, at once.
    """
    cases: list[Case] = []
    faults: list[Fault] = []
    for path in sorted((loaded.folder / "cases").glob("*.yaml")):
        name = f"trials/{loaded.folder.name}/cases/{path.name}"
        try:
            cases += _cases(read_yaml(path, name), name, loaded, concepts or {}, faults)
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


def keeps_promise(case: Case, criterion: Criterion) -> bool:
    """Whether a case says the same of a criterion, or of a changed copy of it.

    Asks about this criterion alone: what the rest of the trial comes to does not matter.
    """
    decision = decide(criterion, case.facts, Evaluation.of(case.as_of, UTC))
    day = decision.clears_on
    found = {
        "expect": decision.status.value,
        "clears_on": "never" if day is None else day.isoformat(),
    }
    promised = {"expect": case.expect, "clears_on": case.clears_on}
    if any(said.get(criterion.id, found[key]) != found[key] for key, said in promised.items()):
        return False
    gap = case.gaps.get(criterion.id)
    return gap is None or gap in {missing.gap.value for missing in decision.gaps}


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
    value: Value,
    file: str,
    loaded: TrialFolder,
    concepts: Mapping[str, ConceptInfo],
    faults: list[Fault],
) -> Iterator[Case]:
    rows = value.get("cases") if isinstance(value, Table) else None
    if not isinstance(value, Table) or not isinstance(rows, Items):
        faults.append(Fault(file, 1, "A case file holds 'as_of' and 'cases'.", _BEGIN))
        return
    for row, line in zip(rows, rows.lines, strict=True):
        if isinstance(row, Table):
            as_of = _day(row, file, value.get("as_of"), faults)
            if as_of is not None:
                yield _case(row, loaded, GivenReader(file, as_of, faults, concepts))
        else:
            faults.append(Fault(file, line, "A case is a set of keys.", "Begin with 'name:'."))


def _day(row: Table, file: str, default: Value, faults: list[Fault]) -> date | None:
    """The day that a case is about: its own, else its file's."""
    try:
        return date.fromisoformat(str(row.get("as_of", default)))
    except ValueError:
        says = "The case has no readable 'as_of'."
        faults.append(Fault(file, row.line, says, "Write 2026-03-01."))
        return None


def _case(row: Table, loaded: TrialFolder, reader: GivenReader) -> Case:
    file, faults = reader.file, reader.faults
    faults += [
        Fault(
            file,
            row.line_of(key),
            f"A case has no '{key}'.",
            did_you_mean(key, CASE_KEYS) or f"Known: {_list(CASE_KEYS)}.",
        )
        for key in row
        if key not in CASE_KEYS
    ]
    name = row.get("name")
    if not isinstance(name, str):
        faults.append(Fault(file, row.line, "The case has no name.", "Begin with 'name: …'."))
    known = {criterion.id for criterion in loaded.trial.criteria}
    expect = _texts(row, "expect", reader, known | {"overall"}, STATUSES | OVERALLS)
    if not expect:
        cure = "Write 'expect: {I01a: pass}'."
        faults.append(Fault(file, row.line, "The case expects nothing.", cure))
    target = next(c for c in loaded.trial.criteria if c.id == loaded.trial.target)
    concept = min(loaded.concepts[target.id], default=None)
    given = row.get("given")
    facts = reader.facts(
        given if isinstance(given, Items) else Items(row.line),
        target=None if set(expect) == {target.id} else concept,
    )
    return Case(
        name=str(name or ""),
        file=file,
        line=row.line,
        as_of=reader.as_of,
        facts=facts,
        expect=expect,
        clears_on=_texts(row, "clears_on", reader, known | {"trial"}, None),
        gaps=_texts(row, "gaps", reader, known, GAPS, "gap"),
    )


def _texts(  # noqa: PLR0913 - each says what is allowed where
    row: Table,
    key: str,
    reader: GivenReader,
    names: set[str],
    values: set[str] | None,
    what: str = "status",
) -> dict[str, str]:
    """The keys and values of one part of a case; `values` None: any text is allowed."""
    table = row.get(key)
    if table is None:
        return {}
    if not isinstance(table, Table):
        says = f"'{key}' must be a set of keys."
        reader.faults.append(Fault(reader.file, row.line_of(key), says, f"Write '{key}: {{…}}'."))
        return {}
    for name, value in table.items():
        line = table.line_of(name)
        if name not in names:
            says = f"'{name}' is no criterion of this trial."
            cure = did_you_mean(name, names) or "The ids stand in inclusion.yaml, exclusion.yaml."
            reader.faults.append(Fault(reader.file, line, says, cure))
        if values is not None and value not in values:
            cure = did_you_mean(str(value), values) or f"Write one of {_list(values)}."
            reader.faults.append(Fault(reader.file, line, f"'{value}' is no {what}.", cure))
    return {name: str(value) for name, value in table.items()}


def _list(words: Iterable[str]) -> str:
    return ", ".join(sorted(words))
