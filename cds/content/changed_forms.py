"""What changed between two forms, as a clinician would say it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.content.in_words import in_words
from cds.engine.finding import Finding
from cds.engine.group import AllOf, AnyOf, Not
from cds.engine.judgement import Judgement
from cds.engine.lab import Lab, Sign
from cds.engine.medication import Medication
from cds.engine.person import Age, Sex
from cds.engine.procedure import ProcedureDone

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from cds.core.criterion import Characteristic
    from cds.engine.lab import Bound
    from cds.engine.window import Window

    Pair = tuple[Characteristic, Characteristic]

_GROUPS: dict[type, str] = {AllOf: "all of", AnyOf: "any of", Not: "not"}
_SEXES = {"male": "men: ", "female": "women: ", None: ""}


def changed_form(old: Characteristic, new: Characteristic, labels: Mapping[str, str]) -> list[str]:
    """One phrase for each difference; empty where the forms ask the same."""
    if old == new:
        return []
    pairs, gone, come = _paired(list(_leaves(old)), list(_leaves(new)))
    says = [phrase for one, other in pairs for phrase in _leaf(one, other, labels)]
    if _joined_otherwise(old, new, pairs):
        was, now = _sketch(old), _sketch(new)
        if was == now:
            was, now = _whole(old, labels), _whole(new, labels)
        says.append(f"its parts are joined otherwise: {was} → {now}")
    says += [f"no longer asked: {_words(leaf, labels)}" for leaf in gone]
    says += [f"now asked: {_words(leaf, labels)}" for leaf in come]
    return says


def _leaves(form: Characteristic) -> Iterator[Characteristic]:
    if type(form) in _GROUPS:
        for part in form.parts():
            yield from _leaves(part)
    else:
        yield form


def _joined_otherwise(old: Characteristic, new: Characteristic, pairs: Sequence[Pair]) -> bool:
    """Whether the leaves that both have are joined in another way; order does not matter."""
    numbers: dict[str, int] = {}
    of_old: dict[str, list[int]] = {}
    of_new: dict[str, list[int]] = {}
    for one, other in pairs:
        number = numbers.setdefault(repr(one), len(numbers))
        of_old.setdefault(repr(one), []).append(number)
        of_new.setdefault(repr(other), []).append(number)
    return _joining(old, of_old) != _joining(new, of_new)


def _joining(form: Characteristic, numbers: dict[str, list[int]]) -> str:
    """How the numbered leaves are joined; parts in order of their text, lone parts by themselves.

    Leaves without a number are left out; each number is used up once.
    """
    if type(form) not in _GROUPS:
        left = numbers.get(repr(form))
        return str(left.pop(0)) if left else ""
    parts = sorted(filter(None, (_joining(part, numbers) for part in form.parts())))
    if not parts or (len(parts) == 1 and not isinstance(form, Not)):
        return "".join(parts)
    return f"{_GROUPS[type(form)]}({','.join(parts)})"


def _sketch(form: Characteristic) -> str:
    """'any of (ANC, all of (bone marrow involvement, ANC))'."""
    if type(form) in _GROUPS:
        return f"{_GROUPS[type(form)]} ({', '.join(_sketch(part) for part in form.parts())})"
    return str(getattr(form, "label", "") or getattr(form, "question", "") or _kind_word(form))


def _kind_word(form: Characteristic) -> str:
    return type(form).__name__.lower()


def _whole(form: Characteristic, labels: Mapping[str, str]) -> str:
    if type(form) in _GROUPS:
        return f"{_GROUPS[type(form)]} ({'; '.join(_whole(part, labels) for part in form.parts())})"
    return _words(form, labels)


def _paired(
    before: Sequence[Characteristic], after: Sequence[Characteristic]
) -> tuple[list[Pair], list[Characteristic], list[Characteristic]]:
    """Leaves about the same thing, then those that only one side has."""
    gone, come = list(before), list(after)
    pairs: list[Pair] = []
    for key in (repr, _subject, _kind):
        for leaf in list(gone):
            other = next((one for one in come if key(one) == key(leaf)), None)
            if other is not None:
                gone.remove(leaf)
                come.remove(other)
                pairs.append((leaf, other))
    return pairs, gone, come


def _subject(form: Characteristic) -> str:
    """What a leaf is about: its kind and concepts, and which side of a bound it asks for."""
    concepts = " ".join(sorted(getattr(form, "concepts", ())))
    side = ""
    if isinstance(form, Lab) and form.sign is not None:
        side = "from below" if form.sign in {Sign.AT_LEAST, Sign.ABOVE} else "from above"
    return f"{type(form).__name__} {concepts} {side}"


def _kind(form: Characteristic) -> str:
    """Only entries may change what they are about; two labs are two criteria."""
    if isinstance(form, Finding | Medication | ProcedureDone | Judgement | Age | Sex):
        return type(form).__name__
    return repr(form)


def _leaf(old: Characteristic, new: Characteristic, labels: Mapping[str, str]) -> Iterator[str]:
    if old == new:
        return
    found: list[str] = []
    if isinstance(old, Lab) and isinstance(new, Lab):
        found = list(_lab(old, new))
    elif isinstance(old, Age) and isinstance(new, Age):
        found = list(_age(old, new))
    elif isinstance(old, Medication | Finding | ProcedureDone):
        found = list(_entries(old, new, labels))
    elif isinstance(old, Judgement) and isinstance(new, Judgement):
        if old.question != new.question:
            found = [f'the question for a human: "{old.question}" → "{new.question}"']
        elif old.showing != new.showing:
            found = ["other evidence is shown with the question"]
    yield from found or [f"{_words(old, labels)} → {_words(new, labels)}"]


def _lab(old: Lab, new: Lab) -> Iterator[str]:
    if (old.sign, old.bounds, old.positive) != (new.sign, new.bounds, new.positive):
        yield f"{new.label} bound {_bounds(old)} → {_bounds(new)}"
    if old.look_back != new.look_back:
        yield f"{new.label} look-back {old.look_back or 'ever'} → {new.look_back or 'ever'}"
    if old.any_result != new.any_result:
        yield f"{new.label}: {'any' if new.any_result else 'the newest'} result counts"
    if old.absent != new.absent:
        yield f"{new.label}: no usable result means {old.absent.value} → {new.absent.value}"
    if old.undecided != new.undecided:
        words = {"unknown": "unknown", "review": "for a human", "no": "no"}
        change = f"{words[old.undecided.value]} → {words[new.undecided.value]}"
        yield f"{new.label}: a result that does not settle it is {change}"


def _bounds(lab: Lab) -> str:
    if lab.positive:
        return "positive"
    sign = "" if lab.sign is None else f"{lab.sign.value} "
    return " or ".join(f"{_SEXES[b.sex]}{sign}{_bound(b, lab.unit)}" for b in lab.bounds)


def _bound(bound: Bound, unit: str) -> str:
    """'1.5 ×10⁹/L', '1.5 × ULN', as on paper; the digits stay as they were written."""
    if bound.uln is not None:
        return bound.words(unit)
    bare = unit in {"", "1"} or unit.startswith("{")
    return f"{bound.value:f}" if bare else f"{bound.value:f} {on_paper(unit)}"


def on_paper(unit: str) -> str:
    """A UCUM unit as it is printed: 10*9/L is ×10⁹/L, umol/L is µmol/L."""
    powers = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")
    head, slash, rest = unit.partition("/")
    if head.startswith("10*"):
        head = f"×10{head.removeprefix('10*').translate(powers)}"
    elif head.startswith("umol"):
        head = head.replace("umol", "µmol")
    return (
        f"{head}{slash}{rest}".replace("[IU]", "IU").replace("[Hg]", "Hg").replace("(24.h)", "24 h")
    )


def _age(old: Age, new: Age) -> Iterator[str]:
    for says, one, other in (
        ("youngest age", old.at_least, new.at_least),
        ("oldest age", old.at_most, new.at_most),
    ):
        if one != other:
            yield f"{says} {_or_none(one)} → {_or_none(other)} years"


def _entries(old: Characteristic, new: Characteristic, labels: Mapping[str, str]) -> Iterator[str]:
    """A drug, condition or procedure whose time, weight or subject changed."""
    label = getattr(new, "label", "")
    if old.concepts != new.concepts:  # type: ignore[attr-defined] # asked of entries only
        yield f"{getattr(old, 'label', '')} → {label}"
    for name in ("within", "ended_within"):
        one, other = getattr(old, name, None), getattr(new, name, None)
        if one != other:
            says = "window" if name == "within" else "window since it ended"
            yield f"{label} {says} {_window(one)} → {_window(other)}"
    yield from _flags(old, new, label)
    one, other = getattr(old, "excluding", frozenset()), getattr(new, "excluding", frozenset())
    if one != other:
        yield f"{label}, left out: {_named(one, labels)} → {_named(other, labels)}"


def _flags(old: Characteristic, new: Characteristic, label: str) -> Iterator[str]:
    words = {
        "active": ("counts whenever it was", "must be active"),
        "planned": ("orders for later do not count", "orders for later count too"),
    }
    for name, (off, on) in words.items():
        one, other = getattr(old, name, None), getattr(new, name, None)
        if one != other:
            yield f"{label}: {on if other else off}"
    for name, says in (
        ("resolved", "a resolved one"),
        ("older", "an older one"),
        ("time", "taken"),
        ("distinct", "different drugs at a time"),
    ):
        one, other = getattr(old, name, None), getattr(new, name, None)
        if one != other:
            yield f"{label}, {says}: {_value(one)} → {_value(other)}"


def _window(window: Window | None) -> str:
    if window is None:
        return "none"
    return f"{window.span}" if window.inclusive else f"at least {window.span}"


def _value(value: object) -> str:
    return str(getattr(value, "value", value)).replace("_", " ")


def _named(keys: frozenset[str] | None, labels: Mapping[str, str]) -> str:
    return ", ".join(sorted(labels.get(key, key) for key in keys or ())) or "nothing"


def _or_none(number: int | None) -> str:
    return "none" if number is None else str(number)


def _words(form: Characteristic, labels: Mapping[str, str]) -> str:
    """A form on one line, as the review page says it."""
    return " ".join(line.strip().removeprefix("- ") for line in in_words(form, labels))
