"""The schema of inclusion.yaml and exclusion.yaml, made from the closed forms."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from cds.content.forms import DOMAINS, KEYS
from cds.content.schemas.meanings import OF_FORMS
from cds.content.schemas.parts import (
    NUMBER,
    Schema,
    agreed,
    described,
    document,
    list_of,
    one_or_list,
    pattern,
    span,
    table,
    text,
    whole,
    word,
)
from cds.content.trials import CRITERION_ID, CRITERION_KEYS, STATUSES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.content.forms import ConceptInfo

_FORM: Schema = {"$ref": "#/$defs/form"}
_BOUND_KEYS = ("at_least", "at_most", "above", "below")


def criteria_schema(concepts: Mapping[str, ConceptInfo]) -> Schema:
    """What a file of criteria may say, with these concepts and the unit of each."""
    criterion: Schema = {
        "oneOf": [_one(head, _around()) for head in KEYS],
        "description": "one statement of the protocol: its words, our reading, one form",
    }
    defs: dict[str, Schema] = {
        "form": {"oneOf": [_one(head, {}) for head in KEYS]},
        "concept": {"enum": sorted(concepts)},
        **{f"{head}_concept": _of_head(head, concepts) for head in DOMAINS},
        "lab_units": {"allOf": _units(concepts)},
        "criterion": criterion,
    }
    whole_file = table({"criteria": list_of({"$ref": "#/$defs/criterion"})}, ["criteria"])
    return document("Criteria of a trial (inclusion.yaml, exclusion.yaml)", whole_file, defs)


def _of_head(head: str, concepts: Mapping[str, ConceptInfo]) -> Schema:
    return {"enum": sorted(key for key, info in concepts.items() if info.domain in DOMAINS[head])}


def _around() -> Schema:
    """The keys that a criterion has beside its form."""
    says = {
        "id": described(pattern(CRITERION_ID), "its id, such as I07b; stays the same for ever"),
        "text": described(text(), "the words of the protocol, letter for letter"),
        "reading": described(text(), "how we read them, in one sentence"),
        "also": described(list_of(text(), least=1), "further quotes of the page"),
        "question": described(text(), "what the sponsor must be asked"),
        "routine": described(word("true", "false"), "a test that anybody may order"),
        "status": described(
            word(*STATUSES), "drafted: until somebody reviewed it, a human decides"
        ),
    }
    return dict(agreed(says, CRITERION_KEYS, "a criterion"))


def _one(head: str, around: Schema) -> Schema:
    """A form with this head, within a criterion or alone."""
    values = _values(head)
    own = {
        key: described(value, OF_FORMS[head, "" if key == head else key])
        for key, value in agreed(values, {head, *KEYS[head]}, f"the form '{head}'").items()
    }
    required = [head, *(("id", "text", "reading") if around else ())]
    schema = table(around | own, required)
    more = _more(head)
    if head == "lab":
        schema["allOf"] = [{"$ref": "#/$defs/lab_units"}]
    return schema | more


def _values(head: str) -> Mapping[str, Schema]:
    concept = one_or_list({"$ref": f"#/$defs/{head}_concept"})
    other = one_or_list({"$ref": "#/$defs/concept"})
    weight = word("review", "no")
    parts = list_of(_FORM, least=1)
    values: Mapping[str, Mapping[str, Schema]] = {
        "age": {"age": word("completed years"), "at_least": whole(), "at_most": whole()},
        "sex": {"sex": word("any", "male", "female"), "unrecorded": word("no")},
        "lab": {
            "lab": concept,
            **{key: {} for key in _BOUND_KEYS},
            "is": word("positive"),
            "look_back": span("ever"),
            "any_result": word("yes"),
            "none": word("no", "review"),
            "undecided": word("review"),
        },
        "finding": {
            "finding": concept,
            "when": word("active", "ever"),
            "resolved": weight,
            "within": span(),
            "older": weight,
            "ended_within": span(),
            "except": other,
        },
        "procedure": {
            "procedure": concept,
            "within": span(),
            "at_least_after": span(),
            "when": word("ever"),
            "older": weight,
            "except": other,
        },
        "medication": {
            "medication": concept,
            "washout": span(),
            "at_least_after": span(),
            "when": word("ever", "current"),
            "distinct": whole(),
            "planned": word("counts"),
            "except": other,
        },
        "review": {"review": text(), "about": text(), "show": list_of(_FORM, least=1)},
        "all_of": {"all_of": parts},
        "any_of": {"any_of": parts},
        "not": {"not": _FORM},
    }
    return values[head]


def _more(head: str) -> Schema:
    """What must be there beside the head."""
    one_of = {
        "procedure": ("within", "at_least_after", "when"),
        "medication": ("washout", "at_least_after", "when"),
    }
    any_of = {
        "age": ("at_least", "at_most"),
        "lab": (*_BOUND_KEYS, "is"),
        "finding": ("when", "within", "ended_within"),
    }
    if head in one_of:
        return {"oneOf": [{"required": [key]} for key in one_of[head]]}
    if head in any_of:
        return {"anyOf": [{"required": [key]} for key in any_of[head]]}
    return {}


def _units(concepts: Mapping[str, ConceptInfo]) -> list[Schema]:
    """A bound is in the unit in which its lab is held, or a multiple of the upper limit."""
    by_unit: dict[str, list[str]] = {}
    for key, info in sorted(concepts.items()):
        if info.domain in DOMAINS["lab"]:
            by_unit.setdefault(info.unit, []).append(key)
    found: list[Schema] = []
    for unit, keys in sorted(by_unit.items()):
        first: Schema = {"enum": keys}
        named = {"anyOf": [first, {"type": "array", "prefixItems": [first], "minItems": 1}]}
        found.append(
            {
                "if": {"properties": {"lab": named}, "required": ["lab"]},
                "then": {"properties": {key: _bound(unit) for key in _BOUND_KEYS}},
            }
        )
    return found


def _bound(unit: str) -> Schema:
    tail = f" {re.escape(unit)}" if unit else ""
    one = pattern(rf"(ULN \+ )?{NUMBER}{tail}|{NUMBER} ULN")
    plain = [{"type": "number"}] if not unit else []
    by_sex = table({"male": one, "female": one}) | {"minProperties": 1}
    return {"anyOf": [one, *plain, by_sex]}
