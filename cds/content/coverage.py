"""How much of a protocol is computed, drafted or left to a human, and who reviewed it.

The ledger accounts for every sentence of the page that a trial was read from: which criteria it
became, or why it is none.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.mutants import only_judgement
from cds.content.source import LIST_NUMBER, PlainText, pieces, read_source, unclaimed
from cds.engine.judgement import Judgement

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from cds.content.source import Source
    from cds.content.trials import TrialFolder
    from cds.core.criterion import Characteristic, Criterion

COMPUTED, PARTLY, HUMAN, DRAFTED = "computed", "in part", "human", "drafted"
STATES = (COMPUTED, PARTLY, HUMAN, DRAFTED)
NO_CRITERION, UNCLAIMED = "no criterion", "unclaimed"
MEANS = {
    COMPUTED: "the record decides",
    PARTLY: "the record decides, a human where it cannot",
    HUMAN: "only a human decides",
    DRAFTED: "a proposal that nobody reviewed; until then a human decides",
    NO_CRITERION: "words that ask nothing, with a reason",
    UNCLAIMED: "nothing says what became of it",
}
_SOURCES = ("source.txt", "source.json")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence of the source and what became of it.

    `claims` are (criterion id, or 'not_criteria'; its state, or the reason); `rest` the words that
    nothing claims; `state` the sentence's own: of STATES, or 'no criterion', or 'unclaimed'.
    """

    line: int
    text: str
    claims: tuple[tuple[str, str], ...]
    rest: str
    state: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """One trial: its criteria by state, who signed, and the sentences where the source is there.

    `proposed` are the drafts whose form the record could decide once somebody reviewed them.
    """

    trial: str
    version: str
    states: Mapping[str, str]
    signed: tuple[str, ...]
    stale: tuple[str, ...]
    sentences: tuple[Sentence, ...] | None
    proposed: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """How many criteria there are of each state."""
        found = Counter(self.states.values())
        return {state: found[state] for state in STATES}

    @property
    def of_sentences(self) -> Mapping[str, int]:
        """How many sentences there are of each state."""
        found = Counter(one.state for one in self.sentences or ())
        return {state: found[state] for state in (*STATES, NO_CRITERION, UNCLAIMED)}

    @property
    def reviewed(self) -> int:
        """The criteria that a person marked as reviewed."""
        return len(self.states) - self.counts[DRAFTED]


def coverage(loaded: TrialFolder, source: Source | None = None) -> Coverage:
    """What became of a trial's protocol; with its source, sentence by sentence."""
    trial = loaded.trial
    states = {criterion.id: state_of(criterion) for criterion in trial.criteria}
    current = [entry for entry in loaded.sign_off if entry.digest == trial.digest]
    stale = [entry for entry in loaded.sign_off if entry.digest != trial.digest]
    return Coverage(
        trial.id,
        trial.version,
        states,
        tuple(f"{entry.by}, {entry.role}, {entry.date}" for entry in current),
        tuple(f"{entry.by}, {entry.role}, {entry.date}" for entry in stale),
        None if source is None else tuple(ledger(loaded, source, states)),
        sum(not c.reviewed and not only_judgement(c.form) for c in trial.criteria),
    )


def saved_source(folder: Path) -> Source | None:
    """The page that is kept in a trial's folder as source.txt or source.json; None without one.

    Raises:
        ContentFaults: the file cannot be read, or has no eligibility section.
    """
    for name in _SOURCES:
        if (folder / name).is_file():
            return read_source(folder / name)
    return None


def state_of(criterion: Criterion) -> str:
    """Who decides a criterion: the record, the record in part, a human, or nobody reviewed it."""
    if not criterion.reviewed:
        return DRAFTED
    if only_judgement(criterion.form):
        return HUMAN
    return PARTLY if any(_judgements(criterion.form)) else COMPUTED


def _judgements(form: Characteristic) -> Iterator[Judgement]:
    if isinstance(form, Judgement):
        yield form
        return
    for part in form.parts():
        yield from _judgements(part)


def ledger(loaded: TrialFolder, source: Source, states: Mapping[str, str]) -> Iterator[Sentence]:
    """Every sentence of the eligibility section, in order, with what claims it."""
    text = PlainText(source.text)
    claims: list[tuple[int, int, str, str]] = []
    for criterion in loaded.trial.criteria:
        for quote in (criterion.text, *criterion.also):
            claims += [(*at, criterion.id, states[criterion.id]) for at in text.places(quote)]
    for item in loaded.not_criteria:
        places = [] if LIST_NUMBER.fullmatch(item.text) else text.places(item.text)
        claims += [(*at, "not_criteria", item.reason) for at in places]
    rests = list(unclaimed(source, [(first, last) for first, last, _, _ in claims]))
    for offset, words in pieces(source.text, source.first, source.last):
        end = _end(source.text, offset, words)
        here = [claim for claim in claims if claim[0] < end and claim[1] > offset]
        rest = " … ".join(said for at, said in rests if offset <= at < end)
        said = tuple(dict.fromkeys((who, what) for _, _, who, what in here))
        yield Sentence(source.line_at(offset), words, said, rest, _state(said, rest))


def _end(text: str, offset: int, words: str) -> int:
    """Where a sentence that begins at an offset ends: its words, with the white space between."""
    at = offset
    for word in words.split():
        at = text.index(word, at) + len(word)
    return at


def _state(claims: Iterable[tuple[str, str]], rest: str) -> str:
    if rest:
        return UNCLAIMED
    states = {what for who, what in claims if who != "not_criteria"}
    if not states:
        return NO_CRITERION
    if DRAFTED in states:
        return DRAFTED
    return states.pop() if len(states) == 1 else PARTLY


def as_json(found: Sequence[Coverage]) -> list[dict[str, object]]:
    """Plain data for other programs."""
    return [
        {
            "trial": one.trial,
            "version": one.version,
            "criteria": dict(one.counts),
            "proposed": one.proposed,
            "states": dict(one.states),
            "signed": list(one.signed),
            "stale_signatures": list(one.stale),
            "sentences": None
            if one.sentences is None
            else [
                {
                    "line": sentence.line,
                    "text": sentence.text,
                    "state": sentence.state,
                    "claims": [{"by": who, "is": what} for who, what in sentence.claims],
                    "unclaimed": sentence.rest,
                }
                for sentence in one.sentences
            ],
        }
        for one in found
    ]


def as_text(found: Sequence[Coverage], *, sentences: bool = False) -> str:
    """A table of the trials, and the ledger of each on demand."""
    head = ("trial", "version", "criteria", *STATES, "signed")
    rows = [
        (
            one.trial,
            one.version,
            str(len(one.states)),
            *(_share(count, len(one.states)) for count in one.counts.values()),
            "; ".join(one.signed) or ("stale" if one.stale else "nobody"),
        )
        for one in found
    ]
    widths = [max(len(row[n]) for row in (head, *rows)) for n in range(len(head))]
    lines = [
        "  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip()
        for row in (head, *rows)
    ]
    lines += ["", *(f"{state}: {MEANS[state]}" for state in STATES)]
    for one in found:
        if drafts := one.counts[DRAFTED]:
            lines += ["", f"{one.trial}: {one.proposed} of {drafts} drafts have a proposed form."]
        if one.sentences is not None:
            lines += ["", _of_sentences(one)]
            if sentences:
                lines += [_line(sentence) for sentence in one.sentences]
    return "\n".join(lines)


def _of_sentences(one: Coverage) -> str:
    counts = ", ".join(f"{count} {state}" for state, count in one.of_sentences.items() if count)
    total = len(one.sentences or ())
    left = one.of_sentences[UNCLAIMED]
    says = f"{left} not accounted for" if left else "every one accounted for"
    return f"{one.trial}: {total} sentences of the page: {counts}; {says}."


def _line(sentence: Sentence) -> str:
    by = "; ".join(f"{who}: {what}" for who, what in sentence.claims) or "nothing"
    rest = f"\n        not accounted for: {sentence.rest}" if sentence.rest else ""
    return f"  {sentence.line:>4}  {sentence.text}\n        → {by}{rest}"


def _share(count: int, total: int) -> str:
    return f"{count} ({100 * count / total:.0f} %)" if total else "0"
