"""A drafted form in words, for the reading of its criterion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.content.draft.proposal import Form, FormValue

_SIGNS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}


def reading(form: Form) -> str:
    """One sentence that says what a form asks for, in the names of the concepts."""
    return f"Drafted: {_said(form)}."


def _said(form: Form) -> str:  # noqa: PLR0911 - one line for each head
    for group, word in (("all_of", " and "), ("any_of", " or ")):
        if group in form:
            return word.join(f"({_said(one)})" for one in _forms(form[group]))
    if "not" in form:
        inner = form["not"]
        return f"not ({_said(inner)})" if isinstance(inner, Mapping) else ""
    if "review" in form:
        return "a human agrees"
    if "age" in form:
        return f"completed years of age {_limits(form)}"
    if "sex" in form:
        return "either sex" if form["sex"] == "any" else f"recorded sex {form['sex']}"
    if "lab" in form:
        limits = "positive" if "is" in form else _limits(form)
        back = f", looking back {form['look_back']}" if "look_back" in form else ""
        return f"{_names(form['lab'])} {limits}{back}"
    head = next(key for key in ("finding", "procedure", "medication") if key in form)
    return f"{head} {_names(form[head])}{_time(form)}"


def _forms(value: FormValue) -> list[Form]:
    return [one for one in value if isinstance(one, Mapping)] if isinstance(value, list) else []


def _limits(form: Form) -> str:
    said: list[str] = []
    for key, words in _SIGNS.items():
        bound = form.get(key)
        if isinstance(bound, Mapping):
            said += [f"{words} {value} ({sex})" for sex, value in bound.items()]
        elif bound is not None:
            said.append(f"{words} {bound}")
    return " and ".join(said)


def _names(value: FormValue) -> str:
    names = [value] if isinstance(value, str) else [str(one) for one in value]  # type: ignore[union-attr]
    return " or ".join(name.replace("_", " ") for name in names)


def _time(form: Form) -> str:
    words = {
        "when": ", {}", "within": " within {}", "washout": " within {}",
        "at_least_after": ", at least {} ago or never",
    }  # fmt: skip
    return "".join(text.format(form[key]) for key, text in words.items() if key in form)
