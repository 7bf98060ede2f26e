"""The floor of the service: the least that a Python service does with the same request.

    python -m tests.benchmarks.bare --port 8391

One decode into records with the needed fields only, twelve hand-coded criteria of NCT07137884, one
card with their bare answers. No trial files, no reasons, no evidence, no gaps, nothing tolerated,
nobody asked who calls. Run under the same server as the real one, it is what every figure of the
service is held against.
"""

from __future__ import annotations

import argparse
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any, cast

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from flask import Flask

ON = date(2026, 3, 1)
_TODAY = ON.isoformat()
_SINCE = (ON - timedelta(28)).isoformat()
_LOINC = "http://loinc.org"
_SNOMED = "http://snomed.info/sct"
_RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"


class _Coding(msgspec.Struct, frozen=True, gc=False):
    system: str = ""
    code: str = ""


class _Concept(msgspec.Struct, frozen=True, gc=False):
    coding: tuple[_Coding, ...] = ()


class _Amount(msgspec.Struct, frozen=True, gc=False):
    value: float | None = None
    code: str = ""
    comparator: str = ""


class _Range(msgspec.Struct, frozen=True, gc=False):
    low: _Amount | None = None
    high: _Amount | None = None


class _Reference(msgspec.Struct, frozen=True, gc=False):
    reference: str = ""


class _Period(msgspec.Struct, frozen=True, gc=False):
    start: str = ""
    end: str = ""


class Patient(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """Whose chart it is."""

    id: str = ""
    birth_date: str = ""
    gender: str = ""


class Observation(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A result."""

    id: str = ""
    status: str = ""
    code: _Concept = _Concept()
    subject: _Reference = _Reference()
    effective_date_time: str = ""
    value_quantity: _Amount | None = None
    reference_range: tuple[_Range, ...] = ()


class Condition(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A diagnosis."""

    id: str = ""
    code: _Concept = _Concept()
    subject: _Reference = _Reference()
    clinical_status: _Concept = _Concept()
    verification_status: _Concept = _Concept()
    onset_date_time: str = ""


class Statement(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A drug."""

    id: str = ""
    status: str = ""
    medication_codeable_concept: _Concept = _Concept()
    subject: _Reference = _Reference()
    effective_period: _Period = _Period()
    effective_date_time: str = ""


class Procedure(msgspec.Struct, frozen=True, gc=False, rename="camel"):
    """A procedure."""

    id: str = ""
    status: str = ""
    code: _Concept = _Concept()
    subject: _Reference = _Reference()
    performed_period: _Period = _Period()
    performed_date_time: str = ""


class _ObservationEntry(msgspec.Struct, gc=False):
    resource: Observation


class _ConditionEntry(msgspec.Struct, gc=False):
    resource: Condition


class _StatementEntry(msgspec.Struct, gc=False):
    resource: Statement


class _ProcedureEntry(msgspec.Struct, gc=False):
    resource: Procedure


class _Observations(msgspec.Struct):
    entry: tuple[_ObservationEntry, ...] = ()


class _Conditions(msgspec.Struct):
    entry: tuple[_ConditionEntry, ...] = ()


class _Statements(msgspec.Struct):
    entry: tuple[_StatementEntry, ...] = ()


class _Procedures(msgspec.Struct):
    entry: tuple[_ProcedureEntry, ...] = ()


class Prefetch(msgspec.Struct):
    """The chart, by the keys of the service's own templates."""

    patient: Patient
    conditions: _Conditions
    labs: _Observations
    vitals: _Observations
    exam: _Observations
    survey: _Observations
    medstmt: _Statements
    procedures: _Procedures


class _Context(msgspec.Struct, rename="camel"):
    user_id: str
    patient_id: str


class Request(msgspec.Struct, rename="camel"):
    """A patient-view request."""

    hook: str
    hook_instance: str
    context: _Context
    prefetch: Prefetch


decode: Callable[[bytes], Request] = msgspec.json.Decoder(Request).decode

_USABLE = frozenset({"final", "amended", "corrected"})
_CELLS = {"10*3/uL": 1.0, "10*9/L": 1.0, "/uL": 0.001, "10*6/L": 0.001}
_ECOG, _INR, _TARGET = "89247-1", "6301-6", "302847003"
_COUNTS = (("751-8", 1.5), ("777-3", 75.0))
_TIMES_ULN = (("1975-2", 1.5), ("2160-0", 1.5), ("1742-6", 3.0), ("1920-8", 3.0))
_LABS = frozenset({_ECOG, _INR, *(code for code, _ in (*_COUNTS, *_TIMES_ULN))})
_INHIBITORS = frozenset({"21212", "6135", "28031", "121243", "85762", "343047"})
_INDUCERS = frozenset({"2002", "8134", "8183", "55672", "9384"})


def chart_of(
    request: Request,
) -> tuple[Patient, list[Observation], list[Condition], list[Statement]]:
    """The resources of a request, out of their entries."""
    chart = request.prefetch
    lists = (chart.labs, chart.vitals, chart.exam, chart.survey)
    return (
        chart.patient,
        [entry.resource for one in lists for entry in one.entry],
        [entry.resource for entry in chart.conditions.entry],
        [entry.resource for entry in chart.medstmt.entry],
    )


def evaluate(
    patient: Patient,
    observations: list[Observation],
    conditions: list[Condition],
    drugs: list[Statement],
) -> list[bool | None]:
    """Twelve answers: True in, False out, None cannot be told."""
    newest = _newest(observations).get
    born = patient.birth_date
    age = ON.year - int(born[:4]) - (_TODAY[5:] < born[5:10])
    target = any(
        coding.code == _TARGET and coding.system == _SNOMED
        for one in conditions
        for coding in one.code.coding
    )
    washed_out = _since(drugs, _INHIBITORS, 7) and _since(drugs, _INDUCERS, 12)
    return [
        age >= 5,
        age <= 18,
        _at_most(newest(_ECOG), 3.0),
        target,
        *(_at_least(newest(code), limit) for code, limit in _COUNTS),
        *(_at_most_uln(newest(code), times) for code, times in _TIMES_ULN),
        _at_most(newest(_INR), 1.5),
        washed_out,
    ]


def _newest(observations: list[Observation]) -> dict[str, Observation]:
    best: dict[str, Observation] = {}
    for one in observations:
        for coding in one.code.coding:
            code = coding.code
            if code in _LABS and coding.system == _LOINC:
                when = one.effective_date_time
                amount = one.value_quantity
                if (
                    one.status in _USABLE
                    and amount is not None
                    and amount.value is not None
                    and _SINCE <= when[:10] <= _TODAY
                ):
                    held = best.get(code)
                    if held is None or when > held.effective_date_time:
                        best[code] = one
                break
    return best


def _at_most(one: Observation | None, limit: float) -> bool | None:
    if one is None or one.value_quantity is None or one.value_quantity.value is None:
        return None
    return one.value_quantity.value <= limit


def _at_least(one: Observation | None, limit: float) -> bool | None:
    if one is None or one.value_quantity is None or one.value_quantity.value is None:
        return None
    factor = _CELLS.get(one.value_quantity.code)
    return None if factor is None else one.value_quantity.value * factor >= limit


def _at_most_uln(one: Observation | None, times: float) -> bool | None:
    if one is None or one.value_quantity is None or one.value_quantity.value is None:
        return None
    high = one.reference_range[0].high if one.reference_range else None
    if high is None or high.value is None or high.code != one.value_quantity.code:
        return None
    return one.value_quantity.value <= times * high.value


def _since(drugs: list[Statement], codes: frozenset[str], days: int) -> bool:
    first = (ON - timedelta(days)).isoformat()
    for one in drugs:
        for coding in one.medication_codeable_concept.coding:
            if coding.code in codes and coding.system == _RXNORM:
                end = one.effective_period.end or one.effective_date_time
                if not end or end[:10] >= first:
                    return False
    return True


def card(request: Request) -> dict[str, Any]:
    """One card with the twelve answers."""
    answers = evaluate(*chart_of(request))
    said = "ineligible" if False in answers else "undetermined" if None in answers else "may suit"
    one = {"summary": said, "indicator": "info", "source": {"label": "the floor"}}
    return {"cards": [{**one, "detail": " ".join(map(str, answers))}]}


def app(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    """WSGI: every POST is the hook."""
    body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
    answer = msgspec.json.encode(card(decode(body)))
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(answer)))]
    start_response("200 OK", headers)
    return [answer]


if __name__ == "__main__":
    from cds.web.serving import run

    asked = argparse.ArgumentParser(description="Serve the floor as `trial-cds serve` is served.")
    asked.add_argument("--port", type=int, required=True)
    asked.add_argument("--workers", type=int, default=2)
    asked.add_argument("--threads", type=int, default=32)
    given = asked.parse_args()
    run(
        cast("Flask", app),
        host="127.0.0.1",
        port=given.port,
        workers=given.workers,
        threads=given.threads,
        patience=15.0,
    )
