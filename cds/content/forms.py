"""The computable forms of criteria: from YAML to characteristics.

The forms are few and closed. Each has one head (`age`, `sex`, `lab`, `finding`, `procedure`,
`medication`, `review`, `all_of`, `any_of`, `not`) and the keys listed in `KEYS`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING

import msgspec

from cds.content.fault import Fault, did_you_mean
from cds.content.strict_yaml import Items, Table, Value
from cds.core.truth import Truth
from cds.core.when import Span, read_span
from cds.engine.entries import Weight
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Absent, Bound, Lab, Sign
from cds.engine.medication import Medication, Time
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone
from cds.engine.window import Window

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from collections.abc import Set as AbstractSet

    from cds.core.criterion import Characteristic

KEYS: Mapping[str, frozenset[str]] = {
    "age": frozenset({"at_least", "at_most"}),
    "sex": frozenset({"unrecorded"}),
    "lab": frozenset(
        {
            "at_least",
            "at_most",
            "above",
            "below",
            "is",
            "look_back",
            "any_result",
            "none",
            "undecided",
        }
    ),
    "finding": frozenset({"when", "resolved", "within", "older", "ended_within", "except"}),
    "procedure": frozenset({"within", "at_least_after", "when", "older", "except"}),
    "medication": frozenset({"washout", "at_least_after", "when", "distinct", "planned", "except"}),
    "review": frozenset({"about", "show"}),
    "all_of": frozenset(),
    "any_of": frozenset(),
    "not": frozenset(),
}
_SIGNS = {
    "at_least": Sign.AT_LEAST,
    "at_most": Sign.AT_MOST,
    "above": Sign.ABOVE,
    "below": Sign.BELOW,
}
_SEXES = ("male", "female")
_ABSENT = {"no": Absent.NO, "review": Absent.REVIEW}
_WEIGHT = {"review": Weight.REVIEW, "no": Weight.AGAINST}
_TIME = {"ever": Time.EVER, "current": Time.CURRENT}


@dataclass(frozen=True, slots=True)
class ConceptInfo:
    """What a form needs to know of a concept.

    `unit` is the canonical UCUM unit and `category` the Observation category of a lab, vital or
    score; `types` are the resource types that its codes arrive in; `drugs` the names of a
    medication's ingredients, in small letters.
    """

    key: str
    label: str
    domain: str
    unit: str = ""
    category: str = "laboratory"
    types: tuple[str, ...] = ()
    drugs: frozenset[str] = frozenset()


DOMAINS: Mapping[str, AbstractSet[str]] = {
    "lab": {"lab", "vital", "score"},
    "finding": {"finding"},
    "procedure": {"procedure"},
    "medication": {"medication", "procedure"},
}
"""The domains of the concepts that a form with this head may name."""


@dataclass(slots=True)
class FormReader:
    """Reads the forms of one file; faults are collected, never raised one by one.

    `excluding` is True while the statement being read describes an excluded state; `beside` are
    the keys that may stand beside a form, for "did you mean".
    """

    file: str
    concepts: Mapping[str, ConceptInfo]
    look_back: Span | None
    faults: list[Fault]
    excluding: bool = False
    used: set[str] = field(default_factory=set)
    beside: frozenset[str] = frozenset()

    def read(self, form: Table, *, about: str) -> Characteristic | None:
        """The characteristic that a form describes, or None after noting its faults."""
        heads = [key for key in form if key in KEYS]
        if len(heads) != 1:
            self._not_one_head(form, heads)
            return None
        head = heads[0]
        for key in form:
            if key != head and key not in KEYS[head]:
                near = did_you_mean(key, KEYS[head] | self.beside)
                cure = near or f"Known: {_list(KEYS[head])}."
                self._fault(form.line_of(key), f"'{head}' has no '{key}'.", cure)
        readers: Mapping[str, Callable[[Table, str], Characteristic | None]] = {
            "age": self._age,
            "sex": self._sex,
            "lab": self._lab,
            "finding": self._finding,
            "procedure": self._procedure,
            "medication": self._medication,
            "review": self._review,
            "all_of": self._group,
            "any_of": self._group,
            "not": self._not,
        }
        return readers[head](form, about)

    def _fault(self, line: int, says: str, cure: str) -> None:
        self.faults.append(Fault(self.file, line, says, cure))

    def _not_one_head(self, form: Table, heads: list[str]) -> None:
        says = f"A criterion needs exactly one of {', '.join(KEYS)}; here are {len(heads)}."
        if heads:
            self._fault(form.line, says, "Split it, or put the parts under all_of / any_of.")
            return
        own = {*KEYS, *self.beside}
        for key in form:
            cure = did_you_mean(key, own)
            if cure and not any(key in keys for keys in KEYS.values()):
                self._fault(form.line_of(key), f"There is no '{key}'.", cure)
                return
        self._fault(form.line, says, "Write one of them, such as 'lab: anc'.")

    def _age(self, form: Table, about: str) -> Characteristic:
        del about
        bounds = {key: self._whole(form, key) for key in ("at_least", "at_most") if key in form}
        if not bounds:
            self._fault(form.line, "An age needs at_least or at_most.", "Write 'at_least: 10'.")
        low, high = bounds.get("at_least"), bounds.get("at_most")
        if low is not None and high is not None and low > high:
            says = f"Nobody is at least {low} and at most {high}."
            self._fault(form.line, says, "Correct one of them.")
        return Age(low, high)

    def _sex(self, form: Table, about: str) -> Characteristic | None:
        del about
        text = form["sex"]
        if text == "any":
            return Sex()
        if text not in {"male", "female"}:
            cure = did_you_mean(str(text), ("any", *_SEXES)) or "Write any, male or female."
            self._fault(form.line_of("sex"), f"{text!r} is no sex.", cure)
            return None
        otherwise = Truth.NOT_MET if self._choice(form, "unrecorded", ("no",)) else Truth.UNKNOWN
        return Sex((text,), otherwise)

    def _lab(self, form: Table, about: str) -> Characteristic | None:
        del about
        known = self._concepts(form, "lab")
        if not known:
            return None
        signs = [key for key in _SIGNS if key in form]
        positive = self._choice(form, "is", ("positive",)) is not None
        if bool(signs) == positive:
            says = "A lab needs a bound (at_least, at_most, above, below) or 'is: positive'."
            self._fault(form.line, says, "Write 'at_least: 1.5 10*9/L', for example.")
            return None
        base = Lab(
            concepts=tuple(info.key for info in known),
            label=_labels(known),
            unit=known[0].unit,
            categories=tuple(dict.fromkeys(info.category for info in known)),
            positive=positive,
            look_back=self._look_back(form),
            any_result=self._choice(form, "any_result", ("yes",)) is not None,
            absent=_ABSENT.get(self._choice(form, "none", tuple(_ABSENT)) or "", Absent.UNKNOWN),
            undecided=Absent.REVIEW
            if self._choice(form, "undecided", ("review",))
            else Absent.UNKNOWN,
            excluding=self.excluding,
        )
        if positive:
            return base
        limits = [
            _replace_lab(base, _SIGNS[key], self._bounds(form, key, known[0])) for key in signs
        ]
        self._contradiction(form, limits)
        return limits[0] if len(limits) == 1 else AllOf(tuple(limits))

    def _contradiction(self, form: Table, limits: list[Lab]) -> None:
        """A lower bound above the upper one can never be met."""
        if len(limits) != 2 or any(len(lab.bounds) != 1 for lab in limits):  # noqa: PLR2004
            return
        low, high = (
            next((lab.bounds[0] for lab in limits if lab.sign in signs), None)
            for signs in ({Sign.AT_LEAST, Sign.ABOVE}, {Sign.AT_MOST, Sign.BELOW})
        )
        if low and high and low.uln == high.uln and low.value > high.value:
            says = f"Nothing is at least {low.value} and at most {high.value}."
            self._fault(form.line, says, "Correct one of them.")

    def _bounds(self, form: Table, key: str, info: ConceptInfo) -> tuple[Bound, ...]:
        value = form[key]
        line = form.line_of(key)
        if isinstance(value, Table):
            for sex in value:
                if sex not in _SEXES:
                    cure = did_you_mean(sex, _SEXES) or "Write male or female."
                    self._fault(value.line_of(sex), f"'{sex}' is no sex.", cure)
            return tuple(
                replaced
                for sex, text in value.items()
                if (replaced := self._bound(text, info, value.line_of(sex), sex)) is not None
            )
        bound = self._bound(value, info, line, None)
        return () if bound is None else (bound,)

    def _bound(self, text: Value, info: ConceptInfo, line: int, sex: str | None) -> Bound | None:
        """Read '1.5 10*9/L', '1.5 ULN' or 'ULN + 4 s'."""
        if not isinstance(text, str):
            self._fault(line, "A bound is a number with its unit.", "Write '1.5 10*9/L'.")
            return None
        uln, rest = None, text
        if text.startswith("ULN +"):
            uln, rest = Decimal(1), text.removeprefix("ULN +").strip()
        number, _, unit = rest.partition(" ")
        try:
            value = Decimal(number)
        except InvalidOperation:
            self._fault(line, f"{text!r} does not begin with a number.", "Write '1.5 ULN'.")
            return None
        if unit == "ULN":
            return Bound(Decimal(0), value, sex)
        if unit != info.unit:
            near = did_you_mean(unit, (info.unit, "ULN")) if unit else ""
            held = f"Write the bound in {info.unit or 'no unit'}, "
            cure = f"{near} {held}the unit in which {info.label} is held.".lstrip()
            self._fault(line, f"{info.label} cannot be compared with {text!r}.", cure)
            return None
        return Bound(value, uln, sex)

    def _look_back(self, form: Table) -> Span | None:
        if "look_back" not in form:
            if self.look_back is None:
                says = "This lab has no look_back, and the trial has no default."
                self._fault(form.line, says, "Write 'look_back: 28 days' here or in trial.yaml.")
            return self.look_back
        return None if form["look_back"] == "ever" else self._span(form, "look_back")

    def _finding(self, form: Table, about: str) -> Characteristic | None:
        del about
        known = self._concepts(form, "finding")
        if not known:
            return None
        when = self._choice(form, "when", ("active", "ever"))
        within, ended = self._window(form, "within"), self._window(form, "ended_within")
        if when is None and within is None and ended is None:
            says = "A finding needs a time."
            self._fault(form.line, says, "Write 'when: active', 'when: ever' or 'within: 28 days'.")
        resolved = self._choice(form, "resolved", tuple(_WEIGHT)) or "review"
        older = self._choice(form, "older", tuple(_WEIGHT)) or "no"
        return Finding(
            concepts=tuple(info.key for info in known),
            label=_labels(known),
            active=when == "active",
            resolved=_WEIGHT[resolved],
            within=within,
            older=_WEIGHT[older],
            ended_within=ended,
            excluding=self._excluded(form),
        )

    def _procedure(self, form: Table, about: str) -> Characteristic | None:
        del about
        known = self._concepts(form, "procedure")
        if not known:
            return None
        self._one_of(form, ("within", "at_least_after", "when"))
        self._choice(form, "when", ("ever",))
        after = self._window(form, "at_least_after", inclusive=False)
        done = ProcedureDone(
            concepts=tuple(info.key for info in known),
            label=_labels(known),
            within=after or self._window(form, "within"),
            older=_WEIGHT[self._choice(form, "older", tuple(_WEIGHT)) or "no"],
            types=tuple(dict.fromkeys(t for info in known for t in info.types)) or ("Procedure",),
            excluding=self._excluded(form),
        )
        return done if after is None else Not(done)

    def _medication(self, form: Table, about: str) -> Characteristic | None:
        del about
        known = self._concepts(form, "medication")
        if not known:
            return None
        self._one_of(form, ("washout", "at_least_after", "when"))
        when = self._choice(form, "when", tuple(_TIME))
        after = self._window(form, "at_least_after", inclusive=False)
        taken = Medication(
            concepts=tuple(info.key for info in known),
            label=_labels(known),
            time=_TIME[when] if when else Time.WINDOW,
            within=after or self._window(form, "washout"),
            distinct=self._whole(form, "distinct") or 1 if "distinct" in form else 1,
            planned=self._choice(form, "planned", ("counts",)) is not None,
            excluding=self._excluded(form),
        )
        return taken if after is None else Not(taken)

    def _review(self, form: Table, about: str) -> Characteristic | None:
        question = form["review"]
        if not isinstance(question, str):
            self._fault(form.line, "A review needs its question.", "Write 'review: …?'.")
            return None
        named = form.get("about", about)
        shown: list[Characteristic] = []
        for item, line in _items(form.get("show")):
            if isinstance(item, Table):
                part = self.read(item, about=about)
                shown += [part] if part is not None else []
            else:
                self._fault(
                    line, "What is shown is no form.", "Write '- {finding: …, when: ever}'."
                )
        return Judgement(question, str(named), tuple(shown))

    def _group(self, form: Table, about: str) -> Characteristic | None:
        head = "all_of" if "all_of" in form else "any_of"
        parts: list[Characteristic] = []
        for item, line in _items(form[head]):
            if not isinstance(item, Table):
                self._fault(line, f"Each part of {head} is a form.", "Write '- {lab: …}'.")
                continue
            part = self.read(item, about=about)
            parts += [part] if part is not None else []
        if not parts:
            self._fault(form.line, f"{head} has no parts.", "Write '- {lab: …}' under it.")
            return None
        return AllOf(tuple(parts)) if head == "all_of" else AnyOf(tuple(parts))

    def _not(self, form: Table, about: str) -> Characteristic | None:
        inner = form["not"]
        if not isinstance(inner, Table):
            self._fault(form.line, "'not' needs one form.", "Write 'not: {medication: …}'.")
            return None
        self.excluding = not self.excluding
        part = self.read(inner, about=about)
        self.excluding = not self.excluding
        return None if part is None else Not(part)

    def _concepts(self, form: Table, head: str) -> list[ConceptInfo]:
        value = form[head]
        keys = [(value, form.line_of(head))] if isinstance(value, str) else _items(value)
        known: list[ConceptInfo] = []
        for key, line in keys:
            info = self.concepts.get(str(key))
            if info is None:
                self._unknown_concept(str(key), line)
            elif info.domain not in DOMAINS[head]:
                says = f"'{key}' is a {info.domain}, not a {head}."
                self._fault(line, says, f"Write '{info.domain}: {key}'.")
            else:
                known.append(info)
                self.used.add(info.key)
        return known

    def _excluded(self, form: Table) -> frozenset[str]:
        value = form.get("except")
        keys = [(value, form.line_of("except"))] if isinstance(value, str) else _items(value)
        for key, line in keys:
            if str(key) not in self.concepts:
                self._unknown_concept(str(key), line)
        self.used.update(str(key) for key, _ in keys)
        return frozenset(str(key) for key, _ in keys)

    def _unknown_concept(self, key: str, line: int) -> None:
        cure = did_you_mean(key, self.concepts) or "Add it to mappings/concepts.tsv first."
        self._fault(line, f"No concept is called '{key}'.", cure)

    def _one_of(self, form: Table, keys: tuple[str, ...]) -> None:
        given = [key for key in keys if key in form]
        if len(given) != 1:
            says = f"Exactly one of {', '.join(keys)} is needed; here are {len(given)}."
            self._fault(form.line, says, "The protocol's phrase chooses.")

    def _window(self, form: Table, key: str, *, inclusive: bool = True) -> Window | None:
        if key not in form:
            return None
        span = self._span(form, key)
        return None if span is None else Window(span, inclusive)

    def _span(self, form: Table, key: str) -> Span | None:
        try:
            return read_span(str(form[key]))
        except ValueError as problem:
            self._fault(form.line_of(key), str(problem), f"Write '{key}: 28 days'.")
            return None

    def _whole(self, form: Table, key: str) -> int | None:
        text = str(form[key])
        if text.isdecimal():
            return int(text)
        says = f"'{key}' must be a whole number, not {text!r}."
        self._fault(form.line_of(key), says, f"Write '{key}: 12'.")
        return None

    def _choice(self, form: Table, key: str, allowed: tuple[str, ...]) -> str | None:
        if key not in form:
            return None
        value = form[key]
        if isinstance(value, str) and value in allowed:
            return value
        cure = did_you_mean(str(value), allowed) or f"Write {' or '.join(allowed)}."
        self._fault(form.line_of(key), f"'{key}: {value}' is not understood.", cure)
        return None


def _replace_lab(base: Lab, sign: Sign, bounds: tuple[Bound, ...]) -> Lab:
    return msgspec.structs.replace(base, sign=sign, bounds=bounds)


def _items(value: Value) -> list[tuple[Value, int]]:
    if isinstance(value, Items):
        return list(zip(value, value.lines, strict=True))
    return []


def _labels(known: list[ConceptInfo]) -> str:
    return " or ".join(dict.fromkeys(info.label for info in known))


def _list(keys: frozenset[str]) -> str:
    return ", ".join(sorted(keys)) or "nothing more"
