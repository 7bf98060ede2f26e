"""Cases that the check still asks for, drafted: each says what the form does, for a person.

The expected statuses come from the form itself. They prove nothing until somebody has read each
sentence and agrees that the protocol means it so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.cases import load_cases
from cds.content.examples import AS_OF, ASKED, examples, facts_with, in_yaml, named, promised
from cds.content.mutants import only_judgement, survivors
from cds.core.criterion import Status
from cds.engine.evaluate import decide

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from cds.content.examples import Promise
    from cds.content.forms import ConceptInfo
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Criterion
    from cds.core.terminology import Terminology

_ROUNDS = 12
_HEAD = f"""\
# Drafted from the forms themselves. Read each one: does the protocol mean it so? Where it does not,
# correct the criterion and the case; where it does, give the case a sentence of your own.
as_of: {AS_OF.isoformat()}
cases:
"""


def write_cases(
    loaded: TrialFolder, concepts: Mapping[str, ConceptInfo], terminology: Terminology
) -> tuple[Path | None, int]:
    """Write what the reviewed criteria of a trial still lack to a new file of its cases.

    Returns the file, None where nothing is lacking, and the number of cases in it.

    Raises:
        ContentFaults: a case file of the trial cannot be read.
    """
    path = _free(loaded.folder / "cases")
    found: dict[tuple[str, str], Promise] = {}
    for _ in range(_ROUNDS):
        wanted = _wanted(loaded, concepts, found)
        if not wanted:
            break
        found |= wanted
        path.parent.mkdir(exist_ok=True)
        cases = [
            _case(key, named(record, terminology), found[key, record]) for key, record in found
        ]
        path.write_text(_HEAD + "".join(cases), "utf-8")
    return (path if found else None), len(found)


def _free(folder: Path) -> Path:
    """A file name that is not taken yet."""
    number = 1
    while (path := folder / f"drafted-{number}.yaml").exists():
        number += 1
    return path


def _wanted(
    loaded: TrialFolder,
    concepts: Mapping[str, ConceptInfo],
    found: Mapping[tuple[str, str], Promise],
) -> dict[tuple[str, str], Promise]:
    """(criterion, record) → promise of the cases that are lacking now."""
    cases = load_cases(loaded, concepts)
    reviewed = [
        one for one in loaded.trial.criteria if one.reviewed and not only_judgement(one.form)
    ]
    wanted: dict[tuple[str, str], Promise] = {}
    for one in reviewed:
        there = {case.expect.get(one.id) for case in cases}
        lacking = {status for status in Status if status.value not in there}
        wanted |= _reaching(one, lacking)
    if not wanted:
        by_id = {one.id: one for one in reviewed}
        for mutant, record in survivors(loaded.trial, cases):
            if record is not None and mutant.criterion.id in by_id:
                one = by_id[mutant.criterion.id]
                wanted[one.id, record] = promised(one, facts_with(one, record))
    return {key: promise for key, promise in wanted.items() if key not in found}


def _reaching(criterion: Criterion, lacking: set[Status]) -> dict[tuple[str, str], Promise]:
    """The simplest record for each of the statuses that can be reached."""
    found: dict[tuple[str, str], Promise] = {}
    for rows, facts in examples(criterion) if lacking else ():
        status = decide(criterion, facts, ASKED).status
        if status in lacking:
            lacking = lacking - {status}
            found[criterion.id, in_yaml(rows)] = promised(criterion, facts)
    return found


def _case(key: str, record: str, promise: Promise) -> str:
    status, clears = promise
    words = record.strip("[]").replace("{", "").replace("}", "") or "nothing recorded"
    name = f"{key} is {status} with {words}".replace('"', "'")
    lines = [f'  - name: "{name}"', f"    given: {record}", f"    expect: {{{key}: {status}}}"]
    if clears:
        lines.append(f"    clears_on: {{{key}: {clears}}}")
    return "\n" + "\n".join(lines) + "\n"
