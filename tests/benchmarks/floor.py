"""The streaming floor of a screening: the least that Python must do for a dozen criteria.

Each line is decoded into a record with the needed fields only, and reduced at once to the newest
usable result of each code, the diagnoses and the drugs of a patient; then twelve comparisons. No
trial files, no units beyond a table, no reasons, no evidence, no gaps.
"""

from __future__ import annotations

from datetime import date, timedelta
from typing import TYPE_CHECKING, TypeVar

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SINCE = 28
_Kind = TypeVar("_Kind", bound=msgspec.Struct)


class _Coding(msgspec.Struct, frozen=True, gc=False):
    code: str = ""


class _Code(msgspec.Struct, frozen=True, gc=False):
    coding: tuple[_Coding, ...] = ()


class _Amount(msgspec.Struct, frozen=True, gc=False):
    value: float | None = None
    code: str = ""


class _Range(msgspec.Struct, frozen=True, gc=False):
    high: _Amount | None = None


class _Reference(msgspec.Struct, frozen=True, gc=False):
    reference: str = ""


class _Period(msgspec.Struct, frozen=True, gc=False):
    end: str = ""


class _Patient(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    id: str = ""
    birth_date: str = ""


class _Observation(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    status: str = ""
    code: _Code = _Code()
    subject: _Reference = _Reference()
    effective_date_time: str = ""
    value_quantity: _Amount | None = None
    reference_range: tuple[_Range, ...] = ()


class _Condition(msgspec.Struct, frozen=True, gc=False):
    code: _Code = _Code()
    subject: _Reference = _Reference()


class _Statement(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    medication_codeable_concept: _Code = _Code()
    subject: _Reference = _Reference()
    effective_period: _Period = _Period()


_AT_LEAST = {"751-8": 1.5, "777-3": 75.0}
_AT_MOST_ULN = {"1975-2": 1.5, "2160-0": 1.5, "1742-6": 3.0, "1920-8": 3.0}
_AT_MOST = {"89247-1": 2.0, "6301-6": 1.5}
_LABS = frozenset({*_AT_LEAST, *_AT_MOST_ULN, *_AT_MOST})
_TARGET = "302847003"
_WASHED_OUT = {"21212": 7, "28031": 7, "9384": 12}
_USABLE = frozenset({"final", "amended", "corrected"})


class _Kept:
    __slots__ = ("birth", "drugs", "results", "target")

    def __init__(self, birth: str) -> None:
        self.birth = birth
        self.results: dict[str, _Observation] = {}
        self.target = False
        self.drugs: list[tuple[str, str]] = []


def run_floor(folder: Path, on: date) -> dict[str, list[bool | None]]:
    """Twelve answers for each patient of an export: `Patient.ndjson` or `Patient.1.ndjson`, …."""
    patients = {f"Patient/{one.id}": _Kept(one.birth_date) for one in _read(folder, _Patient)}
    since, until = (on - timedelta(_SINCE)).isoformat(), on.isoformat()
    for result in _read(folder, _Observation):
        _keep_result(result, patients, since, until)
    for condition in _read(folder, _Condition):
        if any(coding.code == _TARGET for coding in condition.code.coding):
            patients[condition.subject.reference].target = True
    for drug in _read(folder, _Statement):
        for coding in drug.medication_codeable_concept.coding:
            if coding.code in _WASHED_OUT:
                kept = coding.code, drug.effective_period.end
                patients[drug.subject.reference].drugs.append(kept)
    return {name: _answers(kept, on) for name, kept in patients.items()}


def _read(folder: Path, kind: type[_Kind]) -> Iterator[_Kind]:
    name = kind.__name__.removeprefix("_").replace("Statement", "MedicationStatement")
    decode = msgspec.json.Decoder(kind).decode
    for path in sorted((*folder.glob(f"{name}.ndjson"), *folder.glob(f"{name}.*.ndjson"))):
        with path.open("rb") as lines:
            yield from map(decode, lines)


def _keep_result(result: _Observation, patients: dict[str, _Kept], since: str, until: str) -> None:
    if result.status not in _USABLE or not since <= result.effective_date_time[:10] <= until:
        return
    for coding in result.code.coding:
        if coding.code in _LABS:
            results = patients[result.subject.reference].results
            held = results.get(coding.code)
            if held is None or result.effective_date_time > held.effective_date_time:
                results[coding.code] = result
            return


def _answers(kept: _Kept, on: date) -> list[bool | None]:
    today = on.isoformat()
    age = on.year - int(kept.birth[:4]) - (today[5:] < kept.birth[5:10])
    answers: list[bool | None] = [age >= 5, age <= 18, kept.target]
    answers += [_answer(kept.results.get(code), code) for code in sorted(_LABS)]
    answers.append(
        all(end < (on - timedelta(_WASHED_OUT[code])).isoformat() for code, end in kept.drugs)
    )
    return answers


def _answer(result: _Observation | None, code: str) -> bool | None:
    amount = result.value_quantity if result is not None else None
    if result is None or amount is None or amount.value is None:
        return None
    if code in _AT_LEAST:
        return amount.value >= _AT_LEAST[code]
    if code in _AT_MOST:
        return amount.value <= _AT_MOST[code]
    high = result.reference_range[0].high if result.reference_range else None
    if high is None or high.value is None or high.code != amount.code:
        return None
    return amount.value <= _AT_MOST_ULN[code] * high.value
