"""Findings, procedures, drugs, pregnancy and infections: from trees to forms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cds.content.draft.nodes import (
    Node,
    extent,
    part,
    parts,
    span,
    terminals,
    tokens_in,
    window,
    word,
)
from cds.content.draft.proposal import QUESTION, Form, Proposal, Unclear, review

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.content.draft.lexicon import Lexicon
    from cds.content.draft.tokens import Word

# Findings that are still there while they are active: within a time they also count by that.
_LASTING = frozenset({"gi_perforation", "abdominal_fistula", "abdominal_abscess"})
# Words so wide that a recorded one is always put to a human.
_WIDE = frozenset({"mental_disorder"})
_DISEASES = frozenset({"antineoplastic_systemic", "antibacterial_systemic"})
"""Classes that are named by an adjective, which needs its noun: "systemic anticancer therapy"."""
_ADJECTIVES = frozenset(
    {"antineoplastic_systemic", "qt_prolonging", "antiepileptic", "antihypertensive",
     "antibacterial_systemic", "thrombolytic"}
)  # fmt: skip
_OF_DRUGS = frozenset(
    {"therapy", "treatment", "treatments", "drug", "drugs", "medication", "medications", "agent",
     "agents", "therapies"}
)  # fmt: skip
_NOUNS = {
    "FINDING_NAME": frozenset({"event", "events"}),
    "PROCEDURE_NAME": frozenset({"treatment", "procedures", "treatments", "surgery"}),
    "DRUG_CLASS": _OF_DRUGS,
}


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


class States:
    """Reads the states of one sentence; `question` is what a human is asked about it."""

    def __init__(self, words: Sequence[Word], lexicon: Lexicon, sentence: str) -> None:
        self.words = words
        self.lexicon = lexicon
        self.question = f'{QUESTION}: "{sentence}"'

    def things(self, node: Node) -> list[Proposal]:
        """One proposal for each finding, procedure or class of drugs of a list."""
        times = self.times(node)
        things = parts(node, "thing")
        if len(things) > 1 and (times.needs or any(parts(thing, "grade") for thing in things)):
            raise Unclear
        first, last = extent(node)
        return [
            Proposal(form, first, last) for thing in things for form in self._thing(thing, times)
        ]

    def times(self, node: Node) -> Times:
        """When the things of a list count."""
        leads = [one for lead in parts(node, "lead") for one in parts(lead)]
        trails = [one for trail in parts(node, "trail") for one in parts(trail)]
        said = {str(one.data) for one in (*leads, *trails)}
        windows = [one for one in trails if one.data == "window"]
        known = [one for one in leads if one.data == "ever" and self._says(one) == "known"]
        if len(windows) > 1:
            raise Unclear
        past = [one for one in leads if one.data == "ever" and one not in known]
        times = Times(
            ever=bool(past or known) or "in_past" in said,
            now="now" in said or "right_now" in said,
            within=window(windows[0], self.words) if windows else None,
            known=bool(known),
            needs="needs" in said,
            used="use" in said,
            operated="had_procedure" in said,
        )
        if times.now and (past or "in_past" in said or times.within):
            raise Unclear
        return times

    def _says(self, node: Node) -> str:
        first, last = extent(node)
        return " ".join(word.text.casefold() for word in self.words[first:last])

    def _thing(self, node: Node, times: Times) -> list[Form]:
        named = terminals(node, "FINDING_NAME", "PROCEDURE_NAME", "DRUG_CLASS")[0]
        keys = word(named, self.words).keys
        self._check_words(node, named.type, keys)
        if named.type == "FINDING_NAME":
            if times.used or times.operated or len(keys) != 1:
                raise Unclear
            return [self._finding(node, keys[0], word(named, self.words), times)]
        if times.needs or parts(node, "grade") or times.known:
            raise Unclear
        if named.type == "PROCEDURE_NAME":
            return [_procedure(keys[0], times)]
        if times.operated:
            raise Unclear
        return [_medication(key, times) for key in keys]

    def _check_words(self, node: Node, terminal: str, keys: Sequence[str]) -> None:
        """Nouns that fit, abbreviations that agree, examples that belong."""
        nouns = {self._says(noun) for noun in parts(node, "noun")}
        if not nouns <= _NOUNS[terminal]:
            raise Unclear
        gloss = [word(t, self.words) for one in parts(node, "gloss") for t in tokens_in(one)]
        if any(one.keys and set(one.keys) != set(keys) for one in gloss):
            raise Unclear
        listed = [one for found in parts(node, "examples") for one in parts(found, "drugs")]
        listed += parts(node, "drugs")
        if listed and terminal != "DRUG_CLASS":
            raise Unclear
        named = any(one in self._says(node).split() for one in (*_OF_DRUGS, "inhibitors", "tkis"))
        if terminal == "DRUG_CLASS" and not named and not nouns and _ADJECTIVES & set(keys):
            self._needs_noun(node, keys)
        for drug in (token for one in listed for token in tokens_in(one)):
            if drug.type == "DRUG_CLASS":
                if not set(word(drug, self.words).keys) <= set(keys):
                    raise Unclear
            elif drug.type == "DRUG_NAME" and not self.lexicon.belongs(str(drug), keys):
                raise Unclear

    def _needs_noun(self, node: Node, keys: Sequence[str]) -> None:
        """An adjective alone ("thrombolytic") names drugs only in the plural."""
        token = terminals(node, "DRUG_CLASS")[0]
        plural = str(token).endswith("s")
        if not plural or _DISEASES & set(keys):
            raise Unclear

    def _finding(self, node: Node, key: str, named: Word, times: Times) -> Form:
        graded = bool(parts(node, "grade")) or times.needs or key in _WIDE
        if times.within:
            form = self._recent(key, named, times.within)
        elif times.ever and not times.now:
            form = {"finding": key, "when": "ever"}
        else:
            form = {"finding": key, "when": "active"}
        return {"all_of": [form, review(self.question)]} if graded else form

    def _recent(self, key: str, named: Word, within: str) -> Form:
        if key in _LASTING:
            active: Form = {"finding": key, "when": "active", "resolved": "no"}
            return {"any_of": [{"finding": key, "within": within}, active]}
        if not named.event:
            raise Unclear
        return {"finding": key, "within": within}

    def gap(self, node: Node) -> list[Proposal]:
        """So much time since a treatment, as an inclusion asks for it."""
        after = span(parts(node, "span")[0], self.words)
        things = parts(node, "thing")
        since = parts(node, "since")[0].meta.start_pos
        label = [thing for thing in things if thing.meta.start_pos < since]
        treated = [thing for thing in things if thing.meta.start_pos > since]
        forms: list[Form] = []
        for thing in treated:
            named = terminals(thing, "FINDING_NAME", "PROCEDURE_NAME", "DRUG_CLASS")[0]
            keys = word(named, self.words).keys
            if named.type == "FINDING_NAME" or parts(thing, "grade"):
                raise Unclear
            self._check_words(thing, named.type, keys)
            forms += [{_HEADS[named.type]: key, "at_least_after": after} for key in keys]
        headed = {key for one in label for t in tokens_in(one) for key in word(t, self.words).keys}
        if headed and headed != {key for form in forms for key in list(form.values())[:1]}:
            raise Unclear
        first, last = extent(node)
        return [Proposal(form, first, last) for form in forms]

    def nyha(self, node: Node) -> Form:
        """Heart failure of a class or worse; without a class, or a class alone: a human."""
        findings = [word(token, self.words).keys for token in terminals(node, "FINDING_NAME")]
        if findings != [("heart_failure",)] or parts(node, "grade"):
            raise Unclear
        known = part(node, "class_range", "class_from")
        if known is None:
            raise Unclear
        classes = [
            _ROMAN.index(str(one.data)) for one in parts(known, "one", "two", "three", "four")
        ]
        if known.data == "class_range":
            if len(classes) != 2 or classes[1] != 4 or classes[0] >= 4:  # noqa: PLR2004 - NYHA I-IV
                raise Unclear
        elif terminals(known, "GT") and self._says(known).startswith((">", "greater", "more")):
            raise Unclear
        least = f"{classes[0]} {{class}}"
        return {
            "any_of": [
                {"all_of": [
                    {"finding": "heart_failure", "when": "active"},
                    {"lab": "nyha_class", "at_least": least, "look_back": "ever",
                     "none": "review"},
                ]},
                {"all_of": [
                    {"not": {"finding": "heart_failure", "when": "ever"}},
                    {"lab": "nyha_class", "at_least": "1 {class}", "look_back": "ever",
                     "none": "no"},
                    review(self.question),
                ]},
            ]
        }  # fmt: skip

    def pregnancy(self, node: Node) -> list[Form]:
        """Pregnant, breastfeeding, or both."""
        said = {str(one.data) for one in parts(node)}
        forms: list[Form] = []
        if "preg_word" in said:
            forms.append(_PREGNANT)
        if "lact_word" in said:
            forms.append({"any_of": [*_NURSING, {"all_of": [_NURSED, review(self.question)]}]})
        return forms

    def diagnosis(self, node: Node) -> list[Form]:
        """The finding, and a human for everything else that is said of it."""
        token = terminals(node, "FINDING_NAME")[0]
        named = word(token, self.words)
        gloss = [word(t, self.words) for one in parts(node, "gloss") for t in tokens_in(one)]
        if named.event or any(one.keys and one.keys != named.keys for one in gloss):
            raise Unclear
        forms: list[Form] = [{"finding": named.keys[0], "when": "active"}]
        if parts(node, "about", "with_window"):
            forms.append(review(self.question))
        return forms


def _procedure(key: str, times: Times) -> Form:
    if times.now or (times.used and not times.within and not times.ever):
        raise Unclear
    if times.within:
        return {"procedure": key, "within": times.within}
    if not times.ever:
        raise Unclear
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
    raise Unclear


def hiv() -> Form:
    """An infection recorded, or a test positive, at any time."""
    test: Form = {
        "lab": "hiv_test", "is": "positive", "look_back": "ever", "any_result": "yes", "none": "no",
    }  # fmt: skip
    return {"any_of": [{"finding": "hiv_infection", "when": "ever"}, test]}


def negated(form: Form) -> Form:
    """What an inclusion asks for with "no …"."""
    return {"not": form}


def positive(key: str) -> Form:
    """A test that is positive; a virus also by any measured amount of it."""
    form: Form = {"lab": key, "is": "positive"}
    if key != "hcv_rna":
        return form
    amount: Form = {"lab": key, "above": "0 [IU]/mL"}
    return {"any_of": [form, amount]}


_HEADS = {"PROCEDURE_NAME": "procedure", "DRUG_CLASS": "medication"}
_ROMAN = ("", "one", "two", "three", "four")
_PREGNANT: Form = {
    "all_of": [
        {"not": {"sex": "male", "unrecorded": "no"}},
        {
            "any_of": [
                {
                    "finding": "pregnancy",
                    "when": "active",
                    "within": "10 months",
                    "older": "review",
                    "resolved": "no",
                },
                {
                    "lab": ["pregnancy_status", "pregnancy_test"],
                    "is": "positive",
                    "look_back": "10 months",
                    "none": "no",
                },
            ]
        },
    ]
}
_NURSING: tuple[Form, ...] = (
    {"finding": "lactating", "when": "active", "resolved": "no"},
    {"lab": "lactation_status", "is": "positive", "look_back": "28 days", "none": "no"},
)
_NURSED: Form = {
    "lab": "lactation_status", "is": "positive", "look_back": "ever", "none": "no",
}  # fmt: skip
