"""What the tests of records and facts share: the bundled content, short ways to write charts."""

from __future__ import annotations

import json
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from cds.content.mappings import load_terminology
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle
from cds.fhir.unit_tables import load_units

if TYPE_CHECKING:
    from collections.abc import Callable

    from cds.core.facts import Facts, Result
    from cds.core.terminology import Terminology
    from cds.fhir.units import Units

ROOT = Path(__file__).parent.parent.parent
Json = dict[str, Any]


@pytest.fixture(scope="session")
def terminology() -> Terminology:
    return load_terminology([ROOT])


@pytest.fixture(scope="session")
def units() -> Units:
    return load_units([ROOT])


def patient(**fields: Any) -> Json:
    return {
        "resourceType": "Patient",
        "id": "p1",
        "gender": "female",
        "birthDate": "1990-05-17",
        **fields,
    }


def bundle_of(*resources: Json, who: Json | None = None, **fields: Any) -> bytes:
    """A collection Bundle of one patient's resources; those without id or subject get one."""
    entries: list[Json] = [{"resource": who or patient()}]
    for number, resource in enumerate(resources):
        made = {"id": f"r{number}", "subject": {"reference": "Patient/p1"}, **resource}
        entries.append({"resource": made})
    body = {"resourceType": "Bundle", "type": "collection", "entry": entries, **fields}
    return json.dumps(body).encode()


@pytest.fixture(scope="session")
def facts_of(terminology: Terminology, units: Units) -> Callable[..., Facts]:
    """The facts of one patient's resources."""

    def facts_of(*resources: Json, who: Json | None = None) -> Facts:
        record = record_from_bundle(bundle_of(*resources, who=who))
        return facts_from(record, terminology, UTC, units)

    return facts_of


@pytest.fixture(scope="session")
def bundle() -> Callable[..., bytes]:
    """Bytes of a Bundle of one patient's resources."""
    return bundle_of


@pytest.fixture(scope="session")
def result_of(facts_of: Callable[..., Facts]) -> Callable[..., Result]:
    """The one result of a concept that one Observation comes to."""

    def result_of(loinc: str, concept: str, **fields: Any) -> Result:
        made = {
            "resourceType": "Observation",
            "status": "final",
            "code": {"coding": [{"system": "http://loinc.org", "code": loinc}]},
            "effectiveDateTime": "2026-02-20",
            **fields,
        }
        results = facts_of(made).results.get(concept, ())
        assert len(results) == 1
        return results[0]

    return result_of
