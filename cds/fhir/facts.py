"""Record → facts: everything that the engine may ask about one patient.

Nothing here knows the evaluation date: the same facts answer for every day.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

from cds.core.facts import Facts
from cds.fhir.conditions import conditions_by_concept
from cds.fhir.medications import medications_of
from cds.fhir.observations import Results
from cds.fhir.patient import patient_of
from cds.fhir.procedures import procedures_by_concept
from cds.fhir.retrieved import KINDS
from cds.fhir.values import ValueReader

if TYPE_CHECKING:
    from datetime import tzinfo

    from cds.core.terminology import Terminology
    from cds.fhir.retrieved import Record
    from cds.fhir.units import Units

_MEDICATIONS = ("MedicationRequest", "MedicationStatement", "MedicationAdministration")


def facts_from(
    record: Record,
    terminology: Terminology,
    zone: tzinfo,
    units: Units,
    reader: ValueReader | None = None,
) -> Facts:
    """The facts of a record. Dates without an offset are read in `zone`.

    `reader` reads the values of results; who reads a cohort has one that remembers more.

    Raises:
        ValueError: the record has no Patient.
    """
    if record.patient is None:
        message = "A record without its Patient has no facts; fetch the Patient first."
        raise ValueError(message)
    patient = patient_of(record.patient, zone)
    entries = record.entries
    conditions, unknown_conditions = conditions_by_concept(
        entries.get("Condition", ()), terminology, patient.birth, zone
    )
    procedures, unknown_procedures = procedures_by_concept(
        entries.get("Procedure", ()), terminology, patient.birth, zone
    )
    medications = medications_of(
        [entry for kind in _MEDICATIONS for entry in entries.get(kind, ())],
        record.medications,
        terminology,
        zone,
    )
    return Facts(
        patient,
        results=Results(
            entries.get("Observation", ()),
            terminology,
            reader or _reader(terminology, units),
            zone,
        ),
        conditions=conditions,
        procedures=procedures,
        exposures=medications.exposures,
        unrecognised_drugs=tuple(medications.unrecognised),
        unrecognised={"Condition": unknown_conditions, "Procedure": unknown_procedures},
        totals={kind: len(entries.get(kind, ())) for kind in KINDS.values()},
        retrieval=record.retrieval(),
        whole_since=record.whole_since(),
        whole_concepts=_whole_concepts(record.whole_codes(), terminology),
        problems=(*record.all_problems(), *medications.problems),
    )


def _whole_concepts(codes: frozenset[str], terminology: Terminology) -> frozenset[str]:
    """The concepts of which every result came, because Observations of all their codes did."""
    if not codes:
        return codes
    return frozenset(key for key, known in terminology.lab_codes.items() if known <= codes)


@lru_cache(maxsize=8)
def _reader(terminology: Terminology, units: Units) -> ValueReader:
    """One reader for all charts: it remembers the ranges of laboratories, nothing of a patient."""
    return ValueReader(terminology, units)
