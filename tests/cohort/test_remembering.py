"""A value that is remembered is the value that was read."""

from __future__ import annotations

import json

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from cds.assess import load_content
from cds.cohort.remembering import RememberingReader
from cds.content.bundled import bundled_content
from cds.core.answer import Gap
from cds.fhir.resources import Valued
from cds.fhir.values import ValueReader

CONTENT = load_content([bundled_content()])
READER = RememberingReader(CONTENT.terminology, CONTENT.units)
LOINC = "http://loinc.org"
CODES = ["751-8", "2160-0", "5196-1", "20454-5", "89247-1", "3016-3"]
read = msgspec.json.Decoder(Valued).decode

quantities = st.fixed_dictionaries(
    {"value": st.sampled_from([0, 1, 2.5, -7, 1e300, "x", None])},
    optional={
        "unit": st.sampled_from(["10*3/uL", "mg/dL", "K/mcl-ish"]),
        "code": st.sampled_from(["10*3/uL", "mg/dL", "{plus}"]),
        "comparator": st.just("<"),
    },
)
concepts = st.sampled_from(["260385009", "10828004", "0"]).map(
    lambda code: {"coding": [{"system": "http://snomed.info/sct", "code": code}], "text": "told"}
)
results = st.fixed_dictionaries(
    {},
    optional={
        "valueQuantity": quantities,
        "valueCodeableConcept": concepts,
        "valueString": st.sampled_from(["negative", "2.5 mg/dL", "2+"]),
        "valueInteger": st.integers(0, 3),
        "interpretation": concepts.map(lambda one: [one]),
        "dataAbsentReason": concepts,
        "referenceRange": quantities.map(lambda one: [{"high": one}]),
    },
)


@given(st.sampled_from(CODES), results, st.integers(0, 2))
def test_a_remembered_value_is_the_value_that_is_read(
    code: str, result: dict[str, object], spaces: int
) -> None:
    lab = CONTENT.terminology.lab(LOINC, code)
    assert lab is not None
    valued = read(json.dumps(result, indent=spaces or None))
    fresh = ValueReader(CONTENT.terminology, CONTENT.units)
    for _ in range(2):
        assert READER.value(valued, lab) == fresh.value(valued, lab)
        assert READER.ranges(valued, lab) == fresh.ranges(valued, lab)


@given(st.lists(st.tuples(st.sampled_from(CODES), results), min_size=2, max_size=6))
def test_a_unit_that_nobody_understands_is_never_passed_over(
    seen: list[tuple[str, dict[str, object]]],
) -> None:
    remembering = RememberingReader(CONTENT.terminology, CONTENT.units)
    fresh = ValueReader(CONTENT.terminology, CONTENT.units)
    for code, result in seen:
        lab = CONTENT.terminology.lab(LOINC, code)
        assert lab is not None
        valued = read(json.dumps(result, separators=(",", ":")))
        if fresh.value(valued, lab).unusable is Gap.UNIT:
            assert remembering.may_lack(Gap.UNIT, valued, lab)
