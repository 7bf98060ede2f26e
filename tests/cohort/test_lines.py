"""What a line of an export is, and whose."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.cohort.lines import named, read_line
from cds.fhir.belonging import Owner, Subjects
from cds.fhir.resources import Reference

BASES = ["", "https://ehr.example/fhir/", "http://ehr.example/r4/tenant/"]
ENDINGS = ["", "/_history/3", "/x", "?y=1", "#z"]


@given(
    st.sampled_from(BASES),
    st.sampled_from(["Patient", "Group", "Medication"]),
    st.text("abcAB01-.", max_size=6),
    st.sampled_from(ENDINGS),
)
def test_a_line_is_given_to_whom_the_record_says_it_belongs(
    base: str, kind: str, name: str, ending: str
) -> None:
    """Otherwise it would be grouped with one patient and refused as another's."""
    reference = f"{base}{kind}/{name}{ending}"
    patient = named("Patient", reference)
    for one in {name, name + ending, "p"}:
        owner = Subjects(one, frozenset()).owner(Reference(reference))
        assert (owner is Owner.THIS_PATIENT) == (patient == one)


@pytest.mark.parametrize(
    ("line", "patient", "says"),
    [
        (b"{", None, "not a JSON object"),
        (b'["Patient/a"]', "a", "not a JSON object"),
        (b'{"id":"x"}', None, "no resourceType"),
        (b'{"resourceType":"Patient"}', None, "no id"),
        (b'{"resourceType":"Observation","id":"o"}', None, "which patient"),
        (b'{"resourceType":"Condition","subject":"Patient/a"}', "a", "which patient"),
        (b'{"resourceType":"Condition","x":["Patient/a","Patient/b"]}', None, "which patient"),
        (b'{"resourceType":"Procedure","subject":{"reference":"Group/1"}}', None, "which patient"),
    ],
)
def test_a_broken_line_says_why_and_goes_to_the_one_patient_whom_it_names(
    line: bytes, patient: str | None, says: str
) -> None:
    found = read_line(line)
    assert says in found.broken
    assert found.patient == patient


def test_broken_fields_elsewhere_do_not_matter() -> None:
    line = {
        "resourceType": "Observation",
        "id": 7,
        "subject": {"reference": "Patient/a", "display": 3},
        "status": {},
    }
    found = read_line(json.dumps(line).encode())
    assert (found.patient, found.broken) == ("a", "")
