"""What a sentence proposes: forms as in a trial file, and the words that each comes from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

Form: TypeAlias = Mapping[str, "FormValue"]
"""A computable form as the YAML of a trial file would give it."""
FormValue: TypeAlias = "str | int | Form | Sequence[str | Form]"

QUESTION = "Does this hold for the patient"


class Unclear(Exception):  # noqa: N818 - it is no error: the sentence goes to a human
    """A sentence whose words are known but whose meaning is open; a human reads it."""


class Impossible(Exception):  # noqa: N818 - it is no error: another reading is taken
    """A reading that nobody can mean; the others of the same sentence stand."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """One atom: its form, None where a human decides, and its words as places of tokens.

    `first` and `last` are the first token and the one behind the last. `why` says what kept it from
    a form.
    """

    form: Form | None
    first: int
    last: int
    why: str = ""


def review(question: str) -> Form:
    """The form that asks a human."""
    return {"review": question}


def concepts_of(form: FormValue | None) -> Iterator[str]:
    """Every concept that a form names, and `age` for an age."""
    if isinstance(form, Mapping):
        for key, value in form.items():
            if key in {"lab", "finding", "procedure", "medication"}:
                yield from [value] if isinstance(value, str) else _texts(value)
            elif key == "age":
                yield "age"
            elif key in {"all_of", "any_of", "not"}:
                yield from concepts_of(value)
    elif isinstance(form, Sequence) and not isinstance(form, str):
        for part in form:
            if not isinstance(part, str):
                yield from concepts_of(part)


def _texts(value: FormValue) -> Iterator[str]:
    if isinstance(value, Sequence):
        for one in value:
            if isinstance(one, str):
                yield one
