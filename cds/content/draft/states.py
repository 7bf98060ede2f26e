"""Pregnancy, infections, classes of heart failure, diagnoses, times since: trees to forms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.draft.nodes import Node, extent, part, parts, span, terminals, tokens_in, word
from cds.content.draft.proposal import QUESTION, Form, Proposal, Unclear, review
from cds.content.draft.things import NOUNS, Things, Times

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cds.content.draft.lexicon import Lexicon
    from cds.content.draft.tokens import Word

# What a trial may be about. Any other finding in a list of inclusions was meant otherwise.
_DIAGNOSES = frozenset(
    {"desmoid_tumor", "rhabdomyosarcoma", "heart_failure", "hypertension", "liver_cirrhosis",
     "inflammatory_bowel_disease", "graft_versus_host_disease", "interstitial_lung_disease",
     "liver_metastasis", "chronic_hepatitis", "vasculitis", "thrombophilia"}
)  # fmt: skip
_GROWTH = frozenset({"growth_factor_long_acting", "growth_factor_short_acting"})


class States:
    """Reads the states of one sentence."""

    def __init__(self, words: Sequence[Word], lexicon: Lexicon, sentence: str) -> None:
        self.words = words
        self.question = f'{QUESTION}: "{sentence}"'
        self.listed = Things(words, lexicon, self.question)

    def things(self, node: Node) -> list[Proposal]:
        """One proposal for each finding, procedure or class of drugs of a list."""
        return self.listed.read(node)

    def times(self, node: Node) -> Times:
        """When the things of a list count."""
        return self.listed.times(node)

    def gap(self, node: Node) -> list[Proposal]:
        """So much time since a treatment, as an inclusion asks for it."""
        forms: list[Form] = []
        for one in parts(node, "gap_part"):
            after = span(parts(one, "span")[0], self.words)
            for thing in parts(one, "thing"):
                named = terminals(thing, *NOUNS)[0]
                keys = word(named, self.words).keys
                if named.type not in _HEADS or parts(thing, "grade"):
                    raise Unclear
                self.listed.check_words(thing, named.type, keys)
                forms += [{_HEADS[named.type]: key, "at_least_after": after} for key in keys]
        label = part(node, "gap_label")
        tokens = tokens_in(label) if label is not None else ()
        headed = {key for token in tokens for key in word(token, self.words).keys}
        said = {str(key) for form in forms for key in list(form.values())[:1]}
        if headed and headed != said:
            raise Unclear
        if label is not None and not headed and not said <= _GROWTH:
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
        elif terminals(known, "GT") and self.listed.says(known).startswith(
            (">", "greater", "more")
        ):
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
        if not set(named.keys) <= _DIAGNOSES or any(
            one.keys and one.keys != named.keys for one in gloss
        ):
            raise Unclear
        forms: list[Form] = [{"finding": named.keys[0], "when": "active"}]
        if parts(node, "about", "with_window"):
            forms.append(review(self.question))
        return forms


def hiv(*, tested: bool) -> Form:
    """An infection recorded, or a test positive, at any time.

    `tested`: the text speaks of the test, which then must have been done.
    """
    test: Form = {"lab": "hiv_test", "is": "positive", "look_back": "ever", "any_result": "yes"}
    if tested:
        recent: Form = {"lab": "hiv_test", "is": "positive"}
        return {"any_of": [{"finding": "hiv_infection", "when": "ever"}, test, recent]}
    return {"any_of": [{"finding": "hiv_infection", "when": "ever"}, {**test, "none": "no"}]}


def dialysis() -> Form:
    """Renal failure on dialysis: dependent on it, or on it these four weeks."""
    done: Form = {"procedure": "dialysis", "within": "28 days", "older": "review"}
    return {"any_of": [{"finding": "renal_failure_on_dialysis", "when": "active"}, done]}


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
