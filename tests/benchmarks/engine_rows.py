"""Rows measured within this process: evaluation from facts, and the conversion of units."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

import msgspec

from cds.assess import assess_facts, load_content
from cds.content.bundled import bundled_content
from cds.core.when import Evaluation
from cds.fhir import units as fhir_units
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_prefetch
from tests.benchmarks import bare, patient
from tests.benchmarks.charts import DAY
from tests.benchmarks.rows import Row, at_most, timed

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cds.assess import Content
    from cds.core.facts import Facts

CRITERIA = 177


class _Request(msgspec.Struct):
    prefetch: dict[str, msgspec.Raw]


def facts_of(body: bytes, content: Content, who: str = "p1") -> Facts:
    """The facts of a request's prefetch."""
    sent = msgspec.json.decode(body, type=_Request)
    record = record_from_prefetch(sent.prefetch, who)
    return facts_from(record, content.terminology, UTC, content.units)


def evaluation() -> Iterator[Row]:
    """All criteria of both trials from known facts, with reasons, evidence and gaps."""
    body = patient.body()
    content = load_content([bundled_content()])
    facts = facts_of(body, content)
    chart = bare.chart_of(bare.decode(body))

    def evaluated() -> None:
        # A day of its own each time: nothing that was worked out before is used again.
        found = assess_facts(facts, content, Evaluation.of(DAY))
        assert sum(len(one.decisions) for one in found.determinations) == CRITERIA

    took = timed({"floor": lambda: bare.evaluate(*chart), "ours": evaluated})
    ratio = took["ours"] / took["floor"]
    figure = f"{took['ours'] * 1e6:.0f} µs ({took['floor'] * 1e6:.0f} µs)"
    yield at_most(
        "evaluation",
        "evaluation from facts, all 177 criteria with evidence, against the floor's 12 without",
        25,
        figure,
        ratio,
    )


_UNITS = (
    ("platelets", "10*3/uL"),
    ("anc", "/uL"),
    ("hemoglobin", "g/L"),
    ("creatinine", "umol/L"),
    ("alt", "U/L"),
    ("total_bilirubin", "mg/dL"),
)


def conversion() -> Iterator[Row]:
    """A unit that was seen before: one look-up, and no call of pint."""
    content = load_content([bundled_content()])
    units, system = content.units, "http://unitsofmeasure.org"
    wanted = [(content.terminology.analytes[name], unit) for name, unit in _UNITS]
    table: dict[tuple[str, str | None, str | None, str | None], object] = {}
    for analyte, unit in wanted:
        table[analyte.key, system, unit, unit] = units.conversion(analyte, system, unit, unit)
    assert None not in table.values()

    def converted() -> None:
        for analyte, unit in wanted:
            units.conversion(analyte, system, unit, unit)

    def looked_up() -> None:
        for analyte, unit in wanted:
            table[analyte.key, system, unit, unit]

    derived, fhir_units.derived = fhir_units.derived, _no_pint  # type: ignore[assignment]
    try:
        took = timed({"floor": looked_up, "ours": converted}, budget=1.0)
    finally:
        fhir_units.derived = derived
    ratio = took["ours"] / took["floor"]
    each = {name: seconds / len(wanted) * 1e9 for name, seconds in took.items()}
    figure = f"{each['ours']:.0f} ns ({each['floor']:.0f} ns)"
    what = "warm unit conversion, against one dict lookup with the same key"
    yield at_most("units", what, 4, figure, ratio)


def _no_pint(*_: object) -> None:
    message = "a warm conversion called pint"
    raise AssertionError(message)
