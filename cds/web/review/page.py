"""What the page of one trial shows: protocol sentences, criteria, cases, and one patient."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cds.content.cases import keeps_promise, run_case
from cds.content.coverage import coverage
from cds.content.in_words import in_words, windows
from cds.content.markdown import anchor
from cds.core.criterion import Kind
from cds.engine.evaluate import decide, determine

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.content.cases import Case
    from cds.content.coverage import Coverage
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Criterion, Decision, Determination
    from cds.core.facts import Facts
    from cds.core.when import Evaluation
    from cds.web.review.live import Snapshot

SHAPES = {"pass": "✓", "fail": "✗", "unknown": "?", "review": "☐"}
_EMPHASIS = re.compile(r"\*([^*]+)\*")


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a form in words, and how deep it is indented; `question` marks a human's."""

    depth: int
    text: str
    question: bool


@dataclass(frozen=True, slots=True)
class CaseRow:
    """One promise about one criterion, and whether it is kept."""

    name: str
    promised: str
    kept: bool
    at: str


@dataclass(frozen=True, slots=True)
class Block:
    """One criterion; `proposal` is what a draft would come to once it is reviewed."""

    anchor: str
    criterion: Criterion
    state: str
    lines: tuple[Line, ...]
    windows: tuple[str, ...]
    cases: tuple[CaseRow, ...]
    decision: Decision | None
    proposal: Decision | None
    at: str

    @property
    def broken(self) -> int:
        """How many of its cases do not come true."""
        return sum(not case.kept for case in self.cases)

    def like(self, shown: str) -> bool:
        """Whether a filter of the page keeps it: a status, 'drafted', 'cases', or 'all'."""
        if shown == "cases":
            return self.broken > 0
        says = "" if self.decision is None else self.decision.status.value
        return shown in {"all", says, self.state}


@dataclass(frozen=True, slots=True)
class Piece:
    """A sentence of the protocol with the criteria that it became, by id."""

    text: str
    ids: tuple[str, ...]
    anchors: tuple[str, ...]
    state: str
    reason: str
    heading: bool


@dataclass(frozen=True, slots=True)
class Page:
    """Everything that the page of a trial shows."""

    loaded: TrialFolder
    coverage: Coverage
    whole_text: bool
    pieces: tuple[Piece, ...]
    blocks: tuple[Block, ...]
    whole: tuple[CaseRow, ...]
    determination: Determination | None

    @property
    def broken(self) -> int:
        """How many promises of cases do not come true."""
        return sum(b.broken for b in self.blocks) + sum(not one.kept for one in self.whole)

    @property
    def promises(self) -> int:
        """How many promises the cases make."""
        return sum(len(block.cases) for block in self.blocks) + len(self.whole)

    @property
    def answers(self) -> Mapping[str, str]:
        """What each criterion comes to for the patient, by id; empty texts without one."""
        return {
            block.criterion.id: "" if block.decision is None else block.decision.status.value
            for block in self.blocks
        }

    def any(self, shown: str) -> bool:
        """Whether a filter keeps any criterion."""
        return any(block.like(shown) for block in self.blocks)

    def count(self, status: str) -> int:
        """How many criteria come to this for the patient."""
        return sum(
            block.decision is not None and block.decision.status.value == status
            for block in self.blocks
        )


def page_of(
    loaded: TrialFolder, snapshot: Snapshot, facts: Facts | None, asked: Evaluation
) -> Page:
    """The page of a trial, with a patient's answers where there is one."""
    trial, source = loaded.trial, snapshot.sources.get(loaded.trial.id)
    covered = coverage(loaded, source)
    cases = snapshot.cases[trial.id]
    labels = snapshot.content.labels
    blocks = tuple(
        _block(criterion, loaded, covered.states, labels, cases, facts, asked)
        for criterion in trial.criteria
    )
    pieces = _of_source(covered) if covered.sentences is not None else _of_quotes(loaded, covered)
    return Page(
        loaded,
        covered,
        covered.sentences is not None,
        tuple(pieces),
        blocks,
        tuple(_whole(loaded, cases)),
        None if facts is None or facts.patient.deceased else determine(trial, facts, asked),
    )


def _block(  # noqa: PLR0913 - what stands beside each other on the page
    criterion: Criterion,
    loaded: TrialFolder,
    states: Mapping[str, str],
    labels: Mapping[str, str],
    cases: Sequence[Case],
    facts: Facts | None,
    asked: Evaluation,
) -> Block:
    file, line = loaded.lines[criterion.id]
    return Block(
        anchor(criterion.id),
        criterion,
        states[criterion.id],
        tuple(_line(text) for text in in_words(criterion.form, labels)),
        tuple(windows(criterion.form)),
        tuple(_cases(criterion, cases)),
        None if facts is None else decide(criterion, facts, asked),
        None
        if facts is None or criterion.reviewed
        else decide(_as_reviewed(criterion), facts, asked),
        f"{file.rpartition('/')[2]}:{line}",
    )


def _as_reviewed(criterion: Criterion) -> Criterion:
    return msgspec.structs.replace(criterion, reviewed=True)


def _line(text: str) -> Line:
    words = text.strip().removeprefix("- ")
    asks = _EMPHASIS.search(words)
    plain = _EMPHASIS.sub(r"\1", words)
    return Line((len(text) - len(text.lstrip())) // 2, plain, asks is not None)


def _cases(criterion: Criterion, cases: Sequence[Case]) -> Iterator[CaseRow]:
    for case in cases:
        if criterion.id in case.expect:
            kept = keeps_promise(case, criterion)
            at = f"{case.file.rpartition('/')[2]}:{case.line}"
            yield CaseRow(case.name, case.expect[criterion.id], kept, at)


def _whole(loaded: TrialFolder, cases: Sequence[Case]) -> Iterator[CaseRow]:
    for case in cases:
        if "overall" in case.expect:
            at = f"{case.file.rpartition('/')[2]}:{case.line}"
            kept = not run_case(case, loaded.trial)
            yield CaseRow(case.name, case.expect["overall"], kept, at)


def _of_source(covered: Coverage) -> Iterator[Piece]:
    for sentence in covered.sentences or ():
        ids = tuple(who for who, _ in sentence.claims if who != "not_criteria")
        reasons = [what for who, what in sentence.claims if who == "not_criteria"]
        heading = not ids and any("eading" in reason for reason in reasons)
        yield Piece(
            sentence.text,
            ids,
            tuple(map(anchor, ids)),
            sentence.state,
            sentence.rest or "; ".join(reasons),
            heading,
        )


def _of_quotes(loaded: TrialFolder, covered: Coverage) -> Iterator[Piece]:
    """Where the page itself is not kept: the quotes, each once, in the order of the criteria."""
    for kind in Kind:
        yield Piece(f"{kind.value.capitalize()} criteria", (), (), "no criterion", "", heading=True)
        quotes: dict[str, list[str]] = {}
        for criterion in loaded.trial.criteria:
            if criterion.kind is kind:
                quotes.setdefault(criterion.text, []).append(criterion.id)
        for quote, ids in quotes.items():
            states = {covered.states[key] for key in ids}
            state = states.pop() if len(states) == 1 else "in part"
            yield Piece(quote, tuple(ids), tuple(map(anchor, ids)), state, "", heading=False)
