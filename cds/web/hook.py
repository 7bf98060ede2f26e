"""The patient-view service: one request in, cards out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

import cds
from cds.assess import assess_for_cards
from cds.cards.card import CardSettings, cards_for, shown_trials
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.prefetch import TEMPLATES
from cds.fhir.record import UnusableInput, record_from_prefetch
from cds.fhir.research import TEMPLATES as RESEARCH_TEMPLATES
from cds.fhir.research import research_in
from cds.web.errors import Refused
from cds.web.fetch import completed, fhir_servers
from cds.web.habits import HABITS
from cds.web.metrics import count_cards
from cds.web.request import HOOK, SERVICE, read_request

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import date

    from cds.assess import Content
    from cds.fhir.outbound import Deadline
    from cds.fhir.record import Record
    from cds.settings import Settings
    from cds.web.report.links import ReportService
    from cds.web.request import HookRequest
    from cds.web.trust import Caller


class HookService:
    """Answers patient-view requests from settings and content; holds nothing about patients."""

    def __init__(
        self,
        settings: Settings,
        content: Content,
        today: Callable[[], date],
        reports: ReportService,
    ) -> None:
        self._reports = reports
        self._settings = settings
        self._content = content
        self._today = today
        self._servers = {
            name: fhir_servers(settings, habits.not_kept) for name, habits in HABITS.items()
        }
        common = CardSettings(
            labels=content.labels,
            orderable=content.orderable(),
            near_days=settings.near_days,
            show_all=settings.show_all,
            trials_off=frozenset(settings.trials_off),
            dated=settings.on is not None,
        )
        self._cards = {
            name: msgspec.structs.replace(
                common,
                one_action_per_suggestion=habits.one_action,
                most_rows=habits.most_rows,
            )
            for name, habits in HABITS.items()
        }

    def description(self) -> dict[str, Any]:
        """The service's entry in CDS Hooks discovery."""
        return {
            "id": SERVICE,
            "hook": HOOK,
            "title": "Clinical trials that may suit this patient",
            "description": (
                "Says which trial may suit the patient whose chart is open, what rules them out "
                "and until when, what is missing and which order would settle it."
            ),
            "prefetch": {**TEMPLATES, **self._research_templates()},
            "usageRequirements": (
                "Needs the patient, conditions, observations, medication lists and procedures, "
                "from prefetch or from a FHIR R4 server that the service may call."
            ),
            "version": cds.__version__,
        }

    def answer(self, body: bytes, caller: Caller, deadline: Deadline) -> bytes:
        """The JSON answer to a request, within its deadline.

        Raises:
            Refused: the request breaks the specification (400), its client names a FHIR server
                that it may not use (403), or its Patient is neither there nor can be fetched (412).
        """
        request = read_request(body, max_resources=self._settings.max_resources)
        server = caller.fhir_server(request.fhir_server)
        request = msgspec.structs.replace(request, fhir_server=server)
        dialect = caller.dialect or self._settings.dialect
        asked = Evaluation.of(self._settings.on or self._today(), self._settings.timezone)
        record = completed(
            self._prefetched(request),
            request,
            self._servers[dialect],
            deadline,
            self._content,
            asked,
        )
        if record.patient is None:
            says = "The Patient is neither in prefetch nor can it be fetched; send it as prefetch."
            raise Refused(412, says)
        facts = facts_from(record, self._content.terminology, asked.zone, self._content.units)
        near_days = None if self._settings.show_all else self._settings.near_days
        assessment = assess_for_cards(facts, self._content, asked, near_days)
        cards = self._for_patient(self._cards[dialect], request, asked.on)
        pages = self._reports.addresses(
            assessment,
            facts,
            trials=shown_trials(assessment, cards),
            reader=f"{caller.issuer or ''}|{request.user}",
        )
        given = cards_for(assessment, cards, pages)
        count_cards(given)
        return msgspec.json.encode({"cards": given})

    def _for_patient(self, cards: CardSettings, request: HookRequest, on: date) -> CardSettings:
        """No card about a trial that the patient has joined, none at all after a refusal."""
        sent = (request.prefetch or {}).values()
        research = research_in(sent, request.patient_id, on, self._settings.refusal_flags)
        off = cards.trials_off | research.joined
        if research.refuses:
            off |= {trial.id for trial in self._content.heads}
        return msgspec.structs.replace(cards, trials_off=off)

    def _research_templates(self) -> dict[str, str]:
        if not self._settings.research_records:
            return {}
        wanted = {"research", "consents"} | ({"flags"} if self._settings.refusal_flags else set())
        return {key: query for key, query in RESEARCH_TEMPLATES.items() if key in wanted}

    def _prefetched(self, request: HookRequest) -> Record:
        try:
            return record_from_prefetch(request.prefetch or {}, request.patient_id)
        except UnusableInput as problem:
            raise Refused(400, f"prefetch: {problem}") from None
