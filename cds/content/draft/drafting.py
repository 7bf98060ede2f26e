"""A registry's study becomes drafted criteria, with a ledger of every piece of its text."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cds.content.draft.headings import Headings, Level, Scope
from cds.content.draft.meaning import proposals
from cds.content.draft.neighbours import unsettled
from cds.content.draft.plain import Plain, plain
from cds.content.draft.proposal import Form, Proposal, review
from cds.content.draft.reading import reading
from cds.content.draft.segments import Piece, What, pieces
from cds.content.draft.tokens import Word, tokens
from cds.content.fault import ContentFaults, Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.content.draft.lexicon import Lexicon
    from cds.content.draft.study import Study

HUMAN = "A human decides."
_SEVERITY = "its heading asks for a severity, which only a human can tell"
_TRAILING = frozenset({"DOT", "COMMA", "SEMI", "COLON"})


@dataclass(frozen=True, slots=True)
class Drafted:
    """One criterion as it is written: an id, its quote, our reading, its form.

    `also` are further quotes that say the same; `form` is `review:` where a human decides.
    """

    id: str
    section: str
    text: str
    reading: str
    form: Form
    also: tuple[str, ...] = ()

    @property
    def computed(self) -> bool:
        """Whether it has a computable form."""
        return "review" not in self.form


@dataclass(frozen=True, slots=True)
class Entry:
    """What became of one piece of the eligibility text.

    `first` and `last` are offsets into the eligibility text; `became` is `proposed`, `human`,
    `heading` or `list mark`; `why` says what kept a sentence from a form.
    """

    first: int
    last: int
    text: str
    became: str
    criteria: tuple[str, ...] = ()
    why: str = ""


@dataclass(frozen=True, slots=True)
class Draft:
    """A drafted trial: its criteria in order, and the ledger of its text."""

    study: Study
    criteria: tuple[Drafted, ...]
    ledger: tuple[Entry, ...]
    target: str

    def counts(self) -> Counter[str]:
        """How many criteria are proposed, and how many are for a human."""
        return Counter("proposed" if one.computed else "human" for one in self.criteria)


@dataclass(slots=True)
class Sentence:
    """A sentence on its way: its piece, its words, and its proposals so far."""

    piece: Piece
    words: list[Word]
    quote: str
    found: list[Proposal]
    scope: Scope
    why: str = ""


def draft(study: Study, lexicon: Lexicon) -> Draft:
    """Draft the criteria of a study; nothing is left out and nothing is guessed.

    Raises:
        ContentFaults: the eligibility text holds no sentence.
    """
    text = plain(study.eligibility)
    cut = pieces(text)
    sentences = _read(text, cut, lexicon)
    for sentence, why in unsettled(sentences):
        sentence.found, sentence.why = [], why
    labels = lexicon.terminology.labels
    criteria, ledger = _written(text, cut, sentences, labels)
    if not criteria:
        cure = "Look at the page: something must stand below its headings."
        says = "The eligibility section holds no sentence."
        raise ContentFaults([Fault(study.page, 1, says, cure)])
    criteria = _with_header(study, criteria, labels)
    return Draft(study, tuple(criteria), tuple(ledger), _target(study, criteria))


def _read(text: Plain, cut: Sequence[Piece], lexicon: Lexicon) -> list[Sentence]:
    sentences: list[Sentence] = []
    headings = Headings()
    for piece in cut:
        if piece.what is not What.SENTENCE:
            continue
        quote = text.quote(piece.first, piece.last)
        words = tokens(text.text, lexicon, piece.first, piece.last)
        scope = headings.scope(piece, quote)
        sentence = Sentence(piece, words, quote, [], scope)
        if not piece.section:
            sentence.why = "it stands under no heading that says inclusion or exclusion"
        elif not piece.plain:
            sentence.why = "its list is for some patients only, or is not the only one"
        elif scope.level is Level.CLOSED:
            sentence.why = "the heading above it was not understood"
        else:
            body = _unbound(_body(words), excluding=piece.section == "exclusion")
            sentence.found = proposals(
                body,
                lexicon,
                quote,
                excluding=piece.section == "exclusion",
                look_back=scope.look_back,
            )
            if not sentence.found:
                sentence.why = "its words do not all fit the grammar"
            elif scope.level is Level.QUALIFIED:
                sentence.found = [_qualified(one) for one in sentence.found]
        sentences.append(sentence)
    return sentences


def _qualified(proposal: Proposal) -> Proposal:
    """A proposal under "severe or uncontrolled disease": a bare state is then for a human."""
    form = proposal.form or {}
    bare = "finding" in form and form.get("when") == "active"
    return replace(proposal, form=None, why=_SEVERITY) if bare else proposal


def _body(words: Sequence[Word]) -> list[Word]:
    """The words of a sentence without the stops at its end."""
    body = list(words)
    while body and body[-1].terminal in _TRAILING:
        body.pop()
    return body


def _unbound(body: list[Word], *, excluding: bool) -> list[Word]:
    """The words of a sentence without the "and" or "or" that only joins it to the list.

    "Or" between two things that are asked for, and "and" between two that exclude, make one of
    them: nothing is left then, and a human reads both.
    """
    joins = {"and"} if not excluding else {"or", "and/or"}
    binds = {"or", "and/or", "and"} - joins
    for end in (0, -1):
        said = body[end].text.casefold() if body else ""
        if said in binds:
            return []
        if said in joins:
            body.pop(end)
    return body


def _written(
    text: Plain, cut: Sequence[Piece], sentences: Sequence[Sentence], labels: Mapping[str, str]
) -> tuple[list[Drafted], list[Entry]]:
    by_place = {sentence.piece.first: sentence for sentence in sentences}
    numbers: Counter[str] = Counter()
    criteria: list[Drafted] = []
    ledger: list[Entry] = []
    for piece in cut:
        where = text.place(piece.first, piece.last)
        quote = text.quote(piece.first, piece.last)
        sentence = by_place.get(piece.first)
        if sentence is None or piece.what is not What.SENTENCE:
            ledger.append(Entry(*where, quote, piece.what.value))
        elif sentence.scope.heading and not sentence.found:
            ledger.append(Entry(*where, quote, "heading"))
        else:
            section = piece.section or "inclusion"
            numbers[section] += 1
            number = f"{section[0].upper()}{numbers[section]:02}"
            made = list(_criteria(text, sentence, number, section, labels))
            criteria += made
            became = "proposed" if any(one.computed for one in made) else "human"
            ids = tuple(one.id for one in made)
            ledger.append(Entry(*where, quote, became, ids, _why(sentence)))
    return criteria, ledger


def _why(sentence: Sentence) -> str:
    """What kept a sentence, or some of its parts, from a form."""
    return sentence.why or "; ".join(dict.fromkeys(p.why for p in sentence.found if p.why))


def _criteria(
    text: Plain, sentence: Sentence, number: str, section: str, labels: Mapping[str, str]
) -> Iterator[Drafted]:
    """The criteria of one sentence, each with its part of the words."""
    if not sentence.found:
        yield Drafted(number, section, sentence.quote, HUMAN, review(sentence.quote))
        return
    for letter, (proposal, quote) in zip(_letters(), _quoted(text, sentence), strict=False):
        key = number + letter if len(sentence.found) > 1 else number
        form = proposal.form or review(quote)
        says = HUMAN if "review" in form else reading(form, labels)
        yield Drafted(key, section, quote, says, form)


def _quoted(text: Plain, sentence: Sentence) -> Iterator[tuple[Proposal, str]]:
    """Each proposal with its words; together they are the sentence."""
    starts = sorted({proposal.first for proposal in sentence.found})
    for proposal in sentence.found:
        at = starts.index(proposal.first)
        first = sentence.piece.first if at == 0 else sentence.words[starts[at]].first
        last = (
            sentence.piece.last if at + 1 == len(starts) else sentence.words[starts[at + 1]].first
        )
        yield proposal, text.quote(first, last)


def _letters() -> Iterator[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    yield from letters
    yield from (one + two for one in letters for two in letters)


def _with_header(study: Study, criteria: list[Drafted], labels: Mapping[str, str]) -> list[Drafted]:
    """The criteria, with what the registry's header asks for and the text does not say."""
    found = list(criteria)
    last = max((int(n[0]) for one in found if one.section == "inclusion"
                for n in [re.findall(r"\d+", one.id)]), default=0)  # fmt: skip
    for field, form in _header(study):
        place = next((at for at, one in enumerate(found) if _says(one, form)), None)
        if place is not None:
            one = found[place]
            if field not in one.also:
                found[place] = replace(one, also=(*one.also, field))
            continue
        last += 1
        end = max((at for at, one in enumerate(found) if one.section == "inclusion"), default=-1)
        says = reading(form, labels) if "review" not in form else HUMAN
        found.insert(end + 1, Drafted(f"I{last:02}", "inclusion", field, says, form))
    return found


def _header(study: Study) -> Iterator[tuple[str, Form]]:
    """The words and the form of each bound that the header gives."""
    if study.low is not None:
        yield study.low.words, {"age": "completed years", "at_least": int(study.low.value)}
    if study.high is not None:
        yield study.high.words, {"age": "completed years", "at_most": int(study.high.value)}
    for words in study.other_ages:
        yield words, review(f"Is the patient's age within the registry's limit of {words}?")
    if study.sex is not None and study.sex.value != "any":
        yield study.sex.words, {"sex": study.sex.value}


def _says(one: Drafted, form: Form) -> bool:
    """Whether a criterion of the text asks for this already."""
    if one.section != "inclusion":
        return False
    return all(one.form.get(key) == value for key, value in form.items())


def _target(study: Study, criteria: Sequence[Drafted]) -> str:
    """The criterion of the diagnosis; a person names another in trial.yaml where it is not.

    The first recorded finding that is asked for; else what shares most words with the registry's
    conditions and title; else the first one.
    """
    wanted = [one for one in criteria if one.section == "inclusion"] or list(criteria)
    for one in wanted:
        if "finding" in one.form:
            return one.id
    about = _long_words(" ".join((*study.conditions, study.title)))
    human = [one for one in wanted if not one.computed] or wanted
    return max(human, key=lambda one: len(about & _long_words(one.text))).id


def _long_words(text: str) -> set[str]:
    return {word for word in re.findall(r"[^\W\d_]+", text.casefold()) if len(word) > _SHORT_WORD}


_SHORT_WORD = 4
