"""What is asked of a FHIR server about one patient, and what came of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from cds.core.facts import Retrieval

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import date

    from cds.fhir.faults import Why

CATEGORIES = ("laboratory", "vital-signs", "exam", "survey", "social-history")
"""The Observation categories that plain `Observation` stands for."""

MEDICATION_TYPES = ("MedicationRequest", "MedicationStatement", "MedicationAdministration")
FIRST = ("Patient", "Condition")
"""What decides whether anything else needs to be asked."""


@dataclass(frozen=True, slots=True)
class Search:
    """One question. `covers` names what it answers: a type, or `Observation:` and a category.

    `params` come on top of the patient and the page size; Patient itself is read by its id.
    """

    resource_type: str
    params: tuple[tuple[str, str], ...] = ()
    covers: str = ""

    def path(self, patient_id: str, page_size: int, *, include: bool = False) -> str:
        """The relative URL; `include` asks for referenced Medications along with the matches."""
        if self.resource_type == "Patient":
            return f"Patient/{patient_id}"
        params = [("patient", f"Patient/{patient_id}"), *self.params, ("_count", str(page_size))]
        if include:
            params.append(("_include", f"{self.resource_type}:medication"))
        return f"{self.resource_type}?{urlencode(params, safe='/:,')}"


@dataclass(frozen=True, slots=True)
class Fetched:
    """What came of one search.

    `bodies` are the answers as received, in order: pages of a search, or single resources that
    were read. COMPLETE: the search ended and nothing speaks against its completeness. PARTIAL:
    what is in the bodies is there, absence means nothing. Otherwise there are no bodies, and
    `why` says what kept them away.
    """

    search: Search
    state: Retrieval
    bodies: tuple[bytes, ...] = ()
    why: Why | None = None

    @property
    def covers(self) -> str:
        """What this answers: a type, or `Observation:` and a category."""
        return self.search.covers or self.search.resource_type


@dataclass(slots=True)
class Progress:
    """A search under way; the pages that came so far can be taken at any time."""

    search: Search
    bodies: list[bytes] = field(default_factory=list)
    why: Why | None = None
    ended: bool = False
    not_kept: bool = False

    def fetched(self, otherwise: Why) -> Fetched:
        """What came of it by now; `otherwise` is why it has not ended, if it has not."""
        why = self.why if self.ended else otherwise
        bodies = tuple(self.bodies)
        if why is None:
            return Fetched(self.search, Retrieval.COMPLETE, bodies)
        if bodies:
            return Fetched(self.search, Retrieval.PARTIAL, bodies, why)
        state = Retrieval.NOT_KEPT if self.not_kept else Retrieval.NOT_RETRIEVED
        return Fetched(self.search, state, (), why)


def searches(
    wanted: Collection[str], *, since: date | None = None, until: date | None = None
) -> list[Search]:
    """The searches that answer `wanted`, Patient and Condition first.

    `wanted` are types and `Observation:<category>` keys; plain `Observation` asks for every
    category. `since` bounds Observations; a caller gives it only where nothing older can change
    an answer. `until` is for servers that want both ends of a period.
    """
    bounds = [("date", f"ge{since.isoformat()}")] if since is not None else []
    bounds += [("date", f"le{until.isoformat()}")] if until is not None else []
    found: list[Search] = []
    for key in sorted(set(wanted), key=lambda one: (one not in FIRST, one != "Patient", one)):
        resource_type, _, category = key.partition(":")
        if key == "Observation":
            found += [_observations(one, bounds) for one in CATEGORIES]
        elif resource_type == "Observation":
            found.append(_observations(category, bounds))
        else:
            found.append(Search(resource_type, covers=key))
    return list(dict.fromkeys(found))


def _observations(category: str, bounds: list[tuple[str, str]]) -> Search:
    params = (("category", category), *bounds)
    return Search("Observation", params, f"Observation:{category}")


def without_category(search: Search) -> Search:
    """The same search for Observations of every category."""
    params = tuple(pair for pair in search.params if pair[0] != "category")
    return Search("Observation", params, "Observation")
