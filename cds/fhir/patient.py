"""The Patient → who is asked about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.core import facts
from cds.fhir import lazily, resources
from cds.fhir.dates import read_date
from cds.fhir.lazily import Lost, there
from cds.fhir.retrieved import reference_of

if TYPE_CHECKING:
    from datetime import tzinfo

    from cds.fhir.resources import Entry


def patient_of(entry: Entry, zone: tzinfo) -> facts.Patient:
    """Reference, birth, administrative gender, and whether they have died."""
    resource = entry.resource
    assert isinstance(resource, resources.Patient)  # noqa: S101 - records hold no other
    birth = read_date(resource.birth_date, zone)
    unreadable = isinstance(birth, Lost)
    said = lazily.readable(lazily.text, resource.birth_date)
    return facts.Patient(
        reference_of(entry),
        birth=None if isinstance(birth, Lost) else birth,
        sex=lazily.readable(lazily.text, resource.gender),
        deceased=_deceased(resource),
        birth_text=said or ("a date that cannot be read" if unreadable else None),
    )


def _deceased(resource: resources.Patient) -> bool:
    """A date of death says it, even one that cannot be read; so does a plain yes."""
    if there(resource.deceased_date_time):
        return True
    said = lazily.readable(lazily.boolean, resource.deceased_boolean)
    return said is True or lazily.readable(lazily.text, resource.deceased_boolean) == "true"
