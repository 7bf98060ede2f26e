"""Whose an entry is: only what refers to this patient counts."""

from __future__ import annotations

import re
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cds.fhir.resources import Reference

_LITERAL = re.compile(r"(?:[a-z][a-z0-9+.-]*://.*/)?([A-Z][A-Za-z]+)/([^/?#]+)(?:/_history/[^/]+)?")


class Owner(Enum):
    """What a subject reference says."""

    THIS_PATIENT = "this patient"
    ANOTHER = "another subject"
    NOBODY = "no subject"


class Subjects:
    """Decides references for one patient; each different reference is decided once.

    `full_urls` are the addresses under which Bundles carry this patient; a reference may name
    them (`urn:uuid:…`). A reference counts relative, absolute (servers answer under more than one
    address), or with a version. One that cannot be resolved (contained, conditional, identifier
    only) names nobody.
    """

    __slots__ = ("_full_urls", "_known", "_patient_id")

    def __init__(self, patient_id: str | None, full_urls: frozenset[str]) -> None:
        """Decide for the patient with this id, these addresses, or both."""
        self._patient_id = patient_id
        self._full_urls = full_urls
        self._known: dict[str, Owner] = {}

    def owner(self, subject: Reference | None) -> Owner:
        """Whose an entry with this subject is."""
        text = subject.reference if subject is not None else None
        if not text:
            return Owner.NOBODY
        owner = self._known.get(text)
        if owner is None:
            owner = self._known[text] = self._decide(text)
        return owner

    def _decide(self, text: str) -> Owner:
        if text in self._full_urls:
            return Owner.THIS_PATIENT
        if text.startswith("urn:"):
            # Where no Bundle says under which address this patient stands, it may be anybody's.
            return Owner.ANOTHER if self._full_urls else Owner.NOBODY
        literal = _LITERAL.fullmatch(text)
        if literal is None:
            return Owner.NOBODY
        if literal[1] == "Patient" and literal[2] == self._patient_id:
            return Owner.THIS_PATIENT
        return Owner.ANOTHER
