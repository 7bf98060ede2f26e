"""Statuses that a criterion can take and no case promises."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.examples import ASKED, examples, in_yaml, named
from cds.content.fault import Fault
from cds.content.mutants import only_judgement
from cds.core.criterion import Status
from cds.engine.evaluate import decide

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from cds.content.checks.content import Content
    from cds.core.criterion import Criterion


def missing_statuses(content: Content) -> Iterator[Fault]:
    """For every computable criterion, each reachable status without a case, with an example."""
    promised = {
        (loaded.trial.id, key, status)
        for loaded in content.trials
        for case in content.cases[loaded.trial.id]
        for key, status in case.expect.items()
    }
    for loaded, criterion, file, line in content.criteria():
        if only_judgement(criterion.form) or not criterion.reviewed:
            continue
        wanted = {
            status
            for status in Status
            if (loaded.trial.id, criterion.id, status.value) not in promised
        }
        for status, example in _reached(criterion, wanted).items():
            says = f"{criterion.id} can be {status.value}, and no case says when."
            given = named(example, content.terminology)
            cure = f"Add one to {_folder(file)}/cases, for example with given: {given}."
            yield Fault(file, line, says, cure)


def _reached(criterion: Criterion, wanted: set[Status]) -> Mapping[Status, str]:
    """Which of the wanted statuses some example record leads to, and the simplest such record."""
    found: dict[Status, str] = {}
    if not wanted:
        return found
    for rows, facts in examples(criterion):
        status = decide(criterion, facts, ASKED).status
        if status in wanted and status not in found:
            found[status] = in_yaml(rows)
            if found.keys() == wanted:
                break
    return found


def _folder(file: str) -> str:
    return file.rpartition("/")[0]
