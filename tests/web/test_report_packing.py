"""Results that are kept for a page are the results that came, the usual and the unusual ones."""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.fhir.observations import Results
from cds.fhir.resources import Entry
from cds.fhir.values import ValueReader
from cds.web.report.packing import Packed, packed, unpacked

if TYPE_CHECKING:
    from cds.assess import Content

ANC: dict[str, Any] = {
    "resourceType": "Observation",
    "id": "o1",
    "meta": {"versionId": "3"},
    "status": "final",
    "code": {"coding": [{"system": "http://loinc.org", "code": "751-8"}]},
    "subject": {"reference": "Patient/p1"},
    "effectiveDateTime": "2026-02-20T08:00:00Z",
    "issued": "2026-02-20T09:00:00Z",
    "valueQuantity": {"value": 2.1, "unit": "10*3/uL", "code": "10*3/uL"},
    "interpretation": [{"coding": [{"code": "N"}]}],
    "referenceRange": [{"low": {"value": 1.5, "unit": "10*3/uL"}}],
}
ODD: list[dict[str, Any]] = [
    {**ANC, "valueQuantity": None, "issued": None},
    {**ANC, "valueString": "2.2 10*3/uL"},
    {**ANC, "dataAbsentReason": {"text": "clotted"}, "valueQuantity": None},
    {**ANC, "effectiveDateTime": None, "effectivePeriod": {"end": "2026-02-20"}},
    {**ANC, "status": None, "referenceRange": None},
    {
        **ANC,
        "code": {"text": "Panel"},
        "component": [{"code": ANC["code"], "valueQuantity": ANC["valueQuantity"]}],
    },
    {**ANC, "code": {"text": "Panel"}, "contained": [{**ANC, "id": "inside"}]},
]


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


def entry(number: int, resource: dict[str, Any]) -> Entry:
    given = {name: value for name, value in resource.items() if value is not None}
    given["id"] = f"o{number}"
    if number % 4 == 3:
        del given["id"]
    bundled = {"fullUrl": f"urn:uuid:{number}", "resource": given, "search": {"mode": "match"}}
    return msgspec.json.decode(msgspec.json.encode(bundled), type=Entry)


def test_the_same_results_are_read_of_what_was_kept(content: Content) -> None:
    entries = [entry(number, one) for number, one in enumerate([ANC, *ODD, ANC, *ODD])]
    reader = ValueReader(content.terminology, content.units)

    def read(given: list[Entry] | tuple[Entry, ...]) -> dict[str, object]:
        return dict(Results(given, content.terminology, reader, UTC))

    sent = msgspec.json.decode(msgspec.json.encode(packed(entries)), type=Packed)
    assert len(read(entries)["anc"]) == len(entries)  # type: ignore[arg-type]
    assert read(unpacked(sent)) == read(entries)
    assert 0 < len(sent.usual) < len(sent.whole)
