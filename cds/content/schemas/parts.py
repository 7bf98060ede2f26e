"""The pieces that several schemas are made of.

Our files are read with every scalar as text; an editor reads `at_least: 10` as a number and
`routine: true` as a truth value. The schemas hold for both.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

Schema = dict[str, Any]

NUMBER = r"-?\d+(\.\d+)?"
DAY = r"\d{4}-\d{2}-\d{2}"
DIALECT = "https://json-schema.org/draft/2020-12/schema"


def whole() -> Schema:
    """A whole number, as a number or as text."""
    return {"anyOf": [{"type": "integer", "minimum": 0}, pattern(r"\d+")]}


def number() -> Schema:
    """A number, as a number or as text."""
    return {"anyOf": [{"type": "number"}, pattern(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")]}


def pattern(whole_text: str) -> Schema:
    """A text that this regular expression describes from end to end."""
    return {"type": "string", "pattern": f"^(?:{whole_text})$"}


def text() -> Schema:
    """Words: not empty, not blank."""
    return {"type": "string", "pattern": r"\S"}


def word(*allowed: str) -> Schema:
    """One of a few words; `true` and `false` also as truth values."""
    values: list[str | bool] = [*allowed]
    values += [one == "true" for one in allowed if one in {"true", "false"}]
    return {"enum": values}


def day() -> Schema:
    """A calendar date."""
    return pattern(DAY)


def partial_date() -> Schema:
    """A date that may end after the year or the month, or go on to an instant."""
    instant = r"T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?"
    shape = rf"\d{{4}}(-\d{{2}}(-\d{{2}}({instant})?)?)?"
    return {"anyOf": [pattern(shape), {"type": "integer", "minimum": 1000, "maximum": 9999}]}


def span(*also: str) -> Schema:
    """A length of time such as '28 days', or one of the other words."""
    lengths = r"\d+ (day|week|month|year)s?"
    return pattern("|".join([lengths, *map(re.escape, also)]))


def list_of(items: Schema, *, least: int = 0) -> Schema:
    """A list."""
    return {"type": "array", "items": items} | ({"minItems": least} if least else {})


def one_or_list(items: Schema) -> Schema:
    """One of them, or a list."""
    return {"anyOf": [items, list_of(items, least=1)]}


def table(properties: Mapping[str, Schema], required: Iterable[str] = ()) -> Schema:
    """A closed set of keys."""
    return {
        "type": "object",
        "properties": dict(properties),
        "required": list(required),
        "additionalProperties": False,
    }


def described(schema: Schema, says: str) -> Schema:
    """With the words that an editor shows beside it."""
    return {"description": says, **schema}


def document(title: str, schema: Schema, defs: Mapping[str, Schema] | None = None) -> Schema:
    """A whole schema file."""
    head: Schema = {"$schema": DIALECT, "title": title}
    return head | schema | ({"$defs": dict(defs)} if defs else {})


def agreed(keys: Mapping[str, Schema], read: Collection[str], where: str) -> Mapping[str, Schema]:
    """The keys, which are those that the reader reads.

    Raises:
        LookupError: a key was added on one side only.
    """
    if keys.keys() != set(read):
        differ = ", ".join(sorted(keys.keys() ^ set(read)))
        message = f"The schema and the reader of {where} differ in {differ}."
        raise LookupError(message)
    return keys
