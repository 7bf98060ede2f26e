"""A drafted form in words, for the reading of its criterion."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.content.draft.proposal import Form, FormValue

_SIGNS = {"at_least": "at least", "at_most": "at most", "above": "above", "below": "below"}
_UNITS = {
    "10*9/L": "× 10⁹/L", "ULN": "× ULN", "umol/L": "µmol/L", "mm[Hg]": "mmHg", "1": "",
    "{score}": "", "{class}": "", "{plus}": "plus", "g/(24.h)": "g in 24 hours",
    "m[IU]/L": "mIU/L", "[IU]/mL": "IU/mL",
}  # fmt: skip


_TEMPLATES = {
    "pregnancy_status": (
        "Pregnant now, by a recorded pregnancy or the latest status or test, of 10 months. "
        "Patients recorded as male pass."
    ),
    "lactation_status": "Breastfeeding now. A status older than 28 days is for a human.",
}


def reading(form: Form, labels: Mapping[str, str]) -> str:
    """One sentence that says what a form asks for; `labels` names the concepts."""
    whole = str(form)
    for key, says in _TEMPLATES.items():
        if key in whole:
            return says
    said = _Words(labels).of(form)
    return f"{said[0].upper()}{said[1:]}."


class _Words:
    """Forms in the words of the concepts' labels."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.labels = labels

    def of(self, form: Form) -> str:
        """A form as a phrase."""
        for group, word in (("all_of", ", and "), ("any_of", ", or ")):
            if group in form:
                return word.join(self.of(one) for one in _forms(form[group]))
        inner = form.get("not")
        if isinstance(inner, Mapping):
            return f"not: {self.of(inner)}"
        head = next(iter(form))
        readers = {
            "review": lambda _: "a human agrees",
            "age": lambda one: f"completed years of age are {_limits(one)}",
            "sex": _sex,
            "lab": self._lab,
            "finding": self._finding,
            "procedure": self._done,
            "medication": self._done,
        }
        return str(readers[head](form))

    def _names(self, value: FormValue) -> str:
        keys = [value] if isinstance(value, str) else [str(one) for one in _items(value)]
        return " or ".join(self.labels.get(key, key) for key in keys)

    def _lab(self, form: Form) -> str:
        says = "positive" if "is" in form else _limits(form)
        if form.get("any_result") == "yes":
            return f"any {self._names(form['lab'])} at any time {says}"
        back = {None: "", "ever": ", however old"}.get(
            str(form["look_back"]) if "look_back" in form else None,
            f", within {form.get('look_back')}",
        )
        return f"latest {self._names(form['lab'])} {says}{back}"

    def _finding(self, form: Form) -> str:
        name = self._names(form["finding"])
        if "within" in form:
            return f"{name} within {form['within']}"
        return f"{name}, now or earlier" if form["when"] == "ever" else f"{name}, not over"

    def _done(self, form: Form) -> str:
        name = self._names(form.get("procedure", form.get("medication", "")))
        if "at_least_after" in form:
            return f"the last {name} was at least {form['at_least_after']} ago, or there was none"
        if "when" in form:
            return f"{name}, {'at any time' if form['when'] == 'ever' else 'now'}"
        span = form.get("within", form.get("washout"))
        return f"{name} within {span}; the last day is inside"


def _sex(form: Form) -> str:
    return "either sex" if form["sex"] == "any" else f"the recorded sex is {form['sex']}"


def _forms(value: FormValue) -> list[Form]:
    return [one for one in _items(value) if isinstance(one, Mapping)]


def _items(value: FormValue) -> list[str | Form]:
    return list(value) if isinstance(value, list | tuple) else []


def _limits(form: Form) -> str:
    said: list[str] = []
    for key, words in _SIGNS.items():
        bound = form.get(key)
        if isinstance(bound, Mapping):
            said += [f"{words} {_amount(value)} ({sex})" for sex, value in bound.items()]
        elif bound is not None:
            said.append(f"{words} {_amount(bound)}")
    return " and ".join(said)


def _amount(bound: FormValue) -> str:
    """A bound with its unit as people write it."""
    number, _, unit = str(bound).partition(" ")
    if (number, unit) == ("1", "ULN"):
        return "ULN"
    return f"{number} {_UNITS.get(unit, unit)}".rstrip()
