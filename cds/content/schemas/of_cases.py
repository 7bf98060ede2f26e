"""The schema of the files in cases/."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.cases import CASE_KEYS, GAPS, OVERALLS, STATUSES
from cds.content.forms import DOMAINS
from cds.content.given import (
    CLINICAL,
    COURSE,
    DOUBTFUL,
    KEYS,
    NOT_READ,
    RANGE_KEYS,
    SEXES,
    TYPES,
    may_state,
)
from cds.content.schemas.meanings import OF_FACTS
from cds.content.schemas.parts import (
    DAY,
    Schema,
    agreed,
    day,
    described,
    document,
    list_of,
    number,
    one_or_list,
    partial_date,
    pattern,
    table,
    text,
    whole,
    word,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cds.content.forms import ConceptInfo


def cases_schema(concepts: Mapping[str, ConceptInfo]) -> Schema:
    """What a file of cases may say, with these concepts."""
    statuses = {"enum": sorted(STATUSES)}
    case = {
        "name": described(text(), "a sentence that a clinician could have said"),
        "given": described(list_of({"$ref": "#/$defs/fact"}), "the facts that matter"),
        "expect": described(
            {
                "type": "object",
                "properties": {"overall": {"enum": sorted(OVERALLS)}},
                "additionalProperties": statuses,
                "minProperties": 1,
            },
            "what criteria come to, by id; `overall` is about the whole trial",
        ),
        "clears_on": described(
            {"type": "object", "additionalProperties": pattern(rf"{DAY}|never")},
            "the day on which a criterion (or `trial`) would no longer be in the way",
        ),
        "gaps": described(
            {"type": "object", "additionalProperties": {"enum": sorted(GAPS)}},
            "a gap that must be named, by criterion",
        ),
        "as_of": described(day(), "the day that is asked about, where not the file's"),
    }
    agreed(case, CASE_KEYS, "a case")
    defs = {
        "concept": {"enum": sorted(concepts)},
        **{f"{head}_concept": _of_head(head, concepts) for head in DOMAINS},
        "fact": {"oneOf": [_fact(head) for head in KEYS]},
    }
    cases = list_of(table(case, ["name", "expect"]))
    of_file = {"as_of": described(day(), "the day that is asked about"), "cases": cases}
    file = table(of_file, ["cases"])
    return document("Cases of a trial (cases/*.yaml)", file, defs)


def _of_head(head: str, concepts: Mapping[str, ConceptInfo]) -> Schema:
    return {"enum": sorted(key for key, info in concepts.items() if may_state(head, info))}


def _fact(head: str) -> Schema:
    values = {head: _subject(head), **{key: _value(head, key) for key in sorted(KEYS[head])}}
    own = {
        key: described(value, OF_FACTS[head, "" if key == head else key])
        for key, value in values.items()
    }
    return table(own, [head])


def _subject(head: str) -> Schema:
    if head in DOMAINS:
        return {"$ref": f"#/$defs/{head}_concept"}
    if head in NOT_READ:
        return {"enum": sorted(TYPES)}
    subjects: Mapping[str, Schema] = {
        "age": {"anyOf": [*whole()["anyOf"], word("unknown")]},
        "born": partial_date(),
        "sex": word(*SEXES),
        "deceased": word("yes"),
        "unrecognised_drug": text(),
    }
    return subjects[head]


_DATES = frozenset(
    {"taken", "issued", "onset", "recorded", "ended", "last_taken", "from", "to", "supply_until"}
)


def _value(head: str, key: str) -> Schema:
    """What stands behind a key; every key of every fact is answered for here, or it is an error."""
    if key in _DATES:
        return partial_date()
    if key == "status":
        words = {
            "finding": [one for one in CLINICAL if one],
            "procedure": ["in-progress", "unknown"],
        }
        return word(*words.get(head, list(COURSE)))
    common: Mapping[str, Schema] = {
        "value": {"anyOf": [text(), {"type": "number"}]},
        "uln": {"anyOf": [number(), pattern(r"-?\d.*"), list_of(_range(), least=1)]},
        "gap": {"enum": sorted(GAPS)},
        "skipped": text(),
        "verification": word(*sorted(DOUBTFUL)),
        "verified": word("no"),
        "history": word("yes"),
        "also": one_or_list({"$ref": "#/$defs/concept"}),
        "named": one_or_list({"$ref": "#/$defs/concept"}),
        "display": text(),
        "done": one_or_list(partial_date()),
        "drug": text(),
        "local": word("yes"),
        "flush": word("yes"),
        "route": word("not recorded"),
    }
    return common[key]


def _range() -> Schema:
    high = {"anyOf": [number(), pattern(r"-?\d.*")]}
    keys = {"high": high, "sex": word("male", "female"), "age_from": whole(), "age_to": whole()}
    return table(agreed(keys, RANGE_KEYS, "a reference range"), ["high"])
