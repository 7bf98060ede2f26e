"""What the record says of research where the prefetch did not: asked when a card is about to show.

Most calls show no card, and then nobody needs to know.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cds.fhir.research import TEMPLATES, TYPES, Research, research_in
from cds.fhir.search import Search

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import date

    from cds.fhir.record import Record
    from cds.fhir.server import OneCall
    from cds.settings import Settings
    from cds.web.request import HookRequest


def research_keys(settings: Settings) -> list[str]:
    """The prefetch keys under which this site has an EHR say something of research."""
    if not settings.research_records:
        return []
    return ["research", "consents", *(["flags"] if settings.refusal_flags else [])]


def prefetched_research(
    request: HookRequest, record: Record, settings: Settings, on: date
) -> Research:
    """What the prefetch says; `record` was made of it, and knows whether it says anything."""
    if record.others.isdisjoint(TYPES):
        return Research()
    sent = (request.prefetch or {}).values()
    return research_in(sent, request.patient_id, on, settings.refusal_flags)


def asked_research(
    request: HookRequest, settings: Settings, on: date, call: OneCall | None
) -> Research:
    """What the FHIR server says of what the prefetch left out.

    What cannot be read says nothing: the card is shown, as it is where nobody is asked.
    """
    keys = research_keys(settings)
    if call is None or not keys:
        return Research()
    wanted = [Search(kind, covers=kind) for kind in _not_sent(request, keys)]
    if not wanted:
        return Research()
    bodies = (body for answer in call.fetch(wanted) for body in answer.bodies)
    return research_in(bodies, request.patient_id, on, settings.refusal_flags)


def _not_sent(request: HookRequest, keys: Iterable[str]) -> list[str]:
    """The types that the prefetch says nothing of, under their key or any other."""
    prefetch = request.prefetch or {}
    sent = b"".join(bytes(value) for value in prefetch.values())
    missing = []
    for key in keys:
        kind = TEMPLATES[key].partition("?")[0]
        value = bytes(prefetch.get(key, b""))
        answered = bool(value) and b'"OperationOutcome"' not in value
        if not answered and f'"{kind}"'.encode() not in sent:
            missing.append(kind)
    return missing
