"""Lists of findings, procedures and classes of drugs: from trees to forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.draft.nodes import (
    Node,
    extent,
    part,
    parts,
    terminals,
    tokens_in,
    window,
    word,
)
from cds.content.draft.proposal import Form, Impossible, Proposal, Unclear, review

if TYPE_CHECKING:
    from collections.abc import Sequence

    from lark import Token

    from cds.content.draft.lexicon import Lexicon
    from cds.content.draft.tokens import Word

# Findings that are still there while they are active: within a time they also count by that.
_LASTING = frozenset({"gi_perforation", "abdominal_fistula", "abdominal_abscess"})
# Words so wide that nobody can say which ones are meant.
_WIDE = frozenset({"mental_disorder"})
_GROUPS = frozenset({"antineoplastic_systemic", "antibacterial_systemic"})
"""Classes that are named by an adjective, which needs its noun: "systemic anticancer therapy"."""
_ADJECTIVES = frozenset(
    {"antineoplastic_systemic", "qt_prolonging", "antiepileptic", "antihypertensive",
     "antibacterial_systemic", "thrombolytic"}
)  # fmt: skip
_OF_DRUGS = frozenset(
    {"therapy", "treatment", "treatments", "drug", "drugs", "medication", "medications", "agent",
     "agents", "therapies"}
)  # fmt: skip
NOUNS = {
    "FINDING_NAME": frozenset({"event", "events"}),
    "PROCEDURE_NAME": frozenset({"treatment", "procedures", "treatments", "surgery"}),
    "DRUG_CLASS": _OF_DRUGS,
}


_CLOTS = frozenset({"stroke", "tia", "dvt", "pulmonary_embolism", "myocardial_infarction"})


@dataclass(frozen=True, slots=True)
class Times:
    """What the words before and behind a list of things say about when."""

    ever: bool
    now: bool
    within: str | None
    known: bool
    needs: bool
    used: bool
    operated: bool
    food: bool


class Things:
    """Reads lists of findings, procedures and drugs; `question` is what a human is asked."""

    def __init__(self, words: Sequence[Word], lexicon: Lexicon, question: str) -> None:
        self.words = words
        self.lexicon = lexicon
        self.question = question

    def read(self, node: Node) -> list[Proposal]:
        """One proposal for each finding, procedure or class of drugs of a list."""
        clots = part(node, "clots")
        if clots is not None:
            return self._clots(node, clots)
        times = self.times(node)
        things = parts(node, "thing")
        self._check_scope(things, times)
        first, last = extent(node)
        behind = parts(node, "examples")
        if behind and len(things) > 1:
            raise Unclear
        forms: list[Form | None] = [
            form for thing in things for form in self._thing(thing, things, times, behind)
        ]
        if times.food:
            forms.append(None)
        return [Proposal(form, first, last) for form in forms]

    def times(self, node: Node) -> Times:
        """When the things of a list count."""
        leads = [one for lead in parts(node, "lead") for one in parts(lead)]
        trails = [one for trail in parts(node, "trail") for one in parts(trail)]
        said = {str(one.data) for one in (*leads, *trails)}
        windows = [one for one in trails if one.data == "window"]
        known = [one for one in leads if one.data == "ever" and self.says(one) == "known"]
        past = [one for one in leads if one.data == "ever" and one not in known]
        if len(windows) > 1:
            raise Unclear
        times = Times(
            ever=bool(past) or "in_past" in said,
            now="now" in said or "right_now" in said,
            within=window(windows[0], self.words) if windows else None,
            known=bool(known),
            needs=bool({"needs", "graded"} & said),
            used="use" in said or "of_drugs" in said or "with_food" in said,
            operated="had_procedure" in said,
            food="with_food" in said,
        )
        if times.now and (past or "in_past" in said or times.within):
            raise Unclear
        return times

    def _check_scope(self, things: Sequence[Node], times: Times) -> None:
        """Whether words that limit one thing can be meant for the next one too."""
        if len(things) > 1 and times.needs:
            raise Unclear
        if any(parts(thing, "grade") for thing in things[:-1]):
            raise Unclear
        first = terminals(things[0], *NOUNS)[0].type
        if first == "FINDING_NAME" and (times.used or times.operated):
            raise Unclear

    def says(self, node: Node) -> str:
        """The words of a node, in small letters."""
        first, last = extent(node)
        return " ".join(word.text.casefold() for word in self.words[first:last])

    def _thing(
        self, node: Node, things: Sequence[Node], times: Times, behind: Sequence[Node]
    ) -> list[Form | None]:
        named = terminals(node, *NOUNS)[0]
        keys = word(named, self.words).keys
        shared = things[-1] if node is not things[-1] else None
        self.check_words(node, named.type, keys, behind, shared)
        if named.type == "FINDING_NAME":
            wide = bool(_WIDE & set(keys))
            return [None if wide else self._finding(node, keys, word(named, self.words), times)]
        if times.needs or parts(node, "grade") or (times.known and not times.within):
            raise Unclear
        if named.type == "PROCEDURE_NAME":
            return [_procedure(keys[0], times)]
        if times.operated:
            raise Unclear
        return [_medication(key, times) for key in keys]

    def check_words(
        self,
        node: Node,
        terminal: str,
        keys: Sequence[str],
        behind: Sequence[Node] = (),
        shared: Node | None = None,
    ) -> None:
        """Nouns that fit, abbreviations that agree, examples that belong.

        `behind` are examples that stand behind a time; `shared` is the last of several things,
        whose noun the others share ("thrombolytic or anticoagulant therapy").
        """
        nouns = {self.says(noun) for noun in parts(node, "noun")}
        if not nouns <= NOUNS[terminal]:
            raise Unclear
        gloss = [word(t, self.words) for one in parts(node, "gloss") for t in tokens_in(one)]
        if any(one.keys and set(one.keys) != set(keys) for one in gloss):
            raise Unclear
        examples = [*parts(node, "examples"), *behind]
        listed = [*parts(node, "drugs")]
        listed += [one for found in examples for one in parts(found, "drugs", "parts")]
        named = any(one in self.says(node).split() for one in (*_OF_DRUGS, "inhibitors", "tkis"))
        if terminal == "DRUG_CLASS" and not named and not nouns and _ADJECTIVES & set(keys):
            self._needs_noun(node, keys, shared)
        for token in (token for one in listed for token in tokens_in(one)):
            self._check_example(token, terminal, keys)

    def _check_example(self, token: Token, terminal: str, keys: Sequence[str]) -> None:
        """Whether an example is one of the things that it is given for."""
        if token.type in {"COMMA", "LPAR", "RPAR", "DOT"}:
            return
        of_drugs = token.type in {"DRUG_CLASS", "DRUG_NAME"}
        if of_drugs != (terminal == "DRUG_CLASS"):
            raise Unclear
        if token.type == "DRUG_NAME":
            if not self.lexicon.belongs(str(token), keys):
                raise Unclear
        elif not set(word(token, self.words).keys) <= set(keys):
            raise Unclear

    def _needs_noun(self, node: Node, keys: Sequence[str], shared: Node | None) -> None:
        """An adjective alone ("thrombolytic") names drugs only in the plural."""
        if shared is not None and {self.says(one) for one in parts(shared, "noun")} & _OF_DRUGS:
            return
        token = terminals(node, "DRUG_CLASS")[0]
        if not str(token).endswith("s") or _GROUPS & set(keys):
            raise Impossible

    def _finding(self, node: Node, keys: Sequence[str], named: Word, times: Times) -> Form:
        graded = bool(parts(node, "grade")) or times.needs
        said: str | list[str] = keys[0] if len(keys) == 1 else list(keys)
        if times.within:
            form = self._recent(keys, named, times.within)
        elif times.ever and not times.now:
            form = {"finding": said, "when": "ever"}
        else:
            form = {"finding": said, "when": "active"}
        return {"all_of": [form, review(self.question)]} if graded else form

    def _recent(self, keys: Sequence[str], named: Word, within: str) -> Form:
        if set(keys) <= _LASTING:
            active: Form = {"finding": keys[0], "when": "active", "resolved": "no"}
            return {"any_of": [{"finding": keys[0], "within": within}, active]}
        if not named.event:
            raise Unclear
        return {"finding": keys[0], "within": within}

    def _clots(self, node: Node, clots: Node) -> list[Proposal]:
        """Thrombotic events within a time: each that is named, and any other."""
        windows = parts(clots, "window")
        if len(windows) != 1:
            raise Unclear
        within = window(windows[0], self.words)
        forms: list[Form] = []
        for thing in parts(clots, "thing"):
            named = [t for t in tokens_in(thing) if t.type == "FINDING_NAME"]
            keys = list(dict.fromkeys(k for t in named for k in word(t, self.words).keys))
            part_of = [t for t in tokens_in(thing) if t.type == "NARROWER"]
            if not keys or not set(keys) <= _CLOTS or parts(thing, "grade", "noun", "drugs"):
                raise Unclear
            if any(not set(word(t, self.words).keys) <= set(keys) for t in part_of):
                raise Unclear
            forms += [{"finding": key, "within": within} for key in keys]
        forms.append({"finding": "other_thrombosis", "within": within})
        first, last = extent(node)
        return [Proposal(form, first, last) for form in forms]


def _procedure(key: str, times: Times) -> Form:
    if times.now:
        raise Unclear
    if times.within:
        return {"procedure": key, "within": times.within}
    if not times.ever:
        raise Impossible
    if key == "organ_transplant":
        status: Form = {"finding": "transplanted_organ_status", "when": "ever"}
        return {"any_of": [{"procedure": key, "when": "ever"}, status]}
    return {"procedure": key, "when": "ever"}


def _medication(key: str, times: Times) -> Form:
    if times.within:
        return {"medication": key, "washout": times.within}
    if times.ever and not times.now:
        return {"medication": key, "when": "ever"}
    if times.now and not times.ever:
        return {"medication": key, "when": "current"}
    raise Impossible
