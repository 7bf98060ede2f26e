"""The patient-view service: one request in, cards out."""

from __future__ import annotations

from functools import partial
from time import monotonic
from typing import TYPE_CHECKING, Any

import msgspec

import cds
from cds.assess import assess_for_cards
from cds.cards.card import CardSettings, cards_for, shown_trials
from cds.cards.silence import EXTENSION, without_card
from cds.core.when import Evaluation
from cds.fhir.facts import facts_from
from cds.fhir.prefetch import TEMPLATES
from cds.fhir.record import UnusableInput, record_from_prefetch
from cds.fhir.research import TEMPLATES as RESEARCH_TEMPLATES
from cds.store.fault import StoreFault
from cds.web.attesting.questions import answers_for, joined, notes_on
from cds.web.errors import Refused
from cds.web.fetch import call_of, completed, fhir_servers
from cds.web.habits import HABITS
from cds.web.kept.inputs import Listening, input_of
from cds.web.kept.service import Answered, namespace, now
from cds.web.limits import waiting_gate
from cds.web.metrics import count_cards
from cds.web.place import TEMPLATES as PLACE_TEMPLATES
from cds.web.place import place_of
from cds.web.request import HOOK, SERVICE, read_request
from cds.web.research import asked_research, prefetched_research, research_keys
from cds.web.seen.audit import Access, audit
from cds.web.seen.log import note
from cds.web.seen.tracing import span

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence
    from datetime import date, datetime

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.fhir.outbound import Deadline
    from cds.fhir.record import Record
    from cds.fhir.research import Research
    from cds.fhir.server import FhirServers, OneCall
    from cds.settings import Settings
    from cds.web.attesting.questions import Standing
    from cds.web.kept.service import Keeper
    from cds.web.place import Place
    from cds.web.report.links import ReportService
    from cds.web.request import HookRequest
    from cds.web.switches import WatchedSwitches
    from cds.web.trust import Caller


class Answer(msgspec.Struct, frozen=True):
    """What is sent back, and the id under which the call was kept.

    `waited`: seconds in which FHIR servers were waited for.
    """

    body: bytes
    call: str
    cards: int
    waited: float = 0.0


class HookService:
    """Answers patient-view requests from settings and content; holds nothing about patients."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        settings: Settings,
        content: Content,
        today: Callable[[], date],
        reports: ReportService,
        kept: Keeper,
        switches: WatchedSwitches,
    ) -> None:
        self._switches = switches
        self._reports = reports
        self._kept = kept
        self._settings = settings
        self._content = content
        self._today = today
        self._waiting = waiting_gate(settings.threads)
        self._servers = {name: fhir_servers(settings, habits) for name, habits in HABITS.items()}
        common = CardSettings(
            labels=content.labels,
            orderable=content.orderable(),
            near_days=settings.near_days,
            show_all=settings.show_all,
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
            "prefetch": {
                **TEMPLATES,
                **self._research_templates(),
                **({} if self._settings.switches is None else PLACE_TEMPLATES),
            },
            "usageRequirements": (
                "Needs the patient, conditions, observations, medication lists and procedures, "
                "from prefetch or from a FHIR R4 server that the service may call."
            ),
            "version": cds.__version__,
        }

    def answer(self, body: bytes, caller: Caller, deadline: Deadline) -> Answer:
        """The answer to a request, within its deadline; what was decided is kept before.

        Raises:
            Refused: the request breaks the specification (400), its client names a FHIR server
                that it may not use (403), its Patient is neither there nor can be fetched (412),
                or what was decided cannot be kept or audited now (503).
        """
        received = now()
        request = read_request(body, max_resources=self._settings.max_resources)
        note(hook_instance=request.hook_instance)
        access = Access(
            "patient-view",
            request.patient_id,
            request.named_user,
            caller.issuer,
            request.fhir_server,
            request.hook_instance,
        )
        try:
            with span("hook") as whole:
                whole.note(hook_instance=request.hook_instance)
                answer = self._answer(request, received, caller, deadline)
                whole.note(call=answer.call, cards=answer.cards)
        except Refused as problem:
            audit(msgspec.structs.replace(access, status=problem.status))
            raise
        except Exception:
            audit(msgspec.structs.replace(access, status=500))
            raise
        audit(msgspec.structs.replace(access, call=answer.call))
        return answer

    def _answer(
        self, request: HookRequest, received: datetime, caller: Caller, deadline: Deadline
    ) -> Answer:
        base = namespace(request.fhir_server, caller.issuer)
        server = caller.fhir_server(request.fhir_server)
        request = msgspec.structs.replace(request, fhir_server=server)
        dialect = caller.dialect or self._settings.dialect
        asked = Evaluation.of(self._settings.on or self._today(), self._settings.timezone)
        servers, listening = self._servers[dialect], Listening()
        near_days = None if self._settings.show_all else self._settings.near_days
        way = call_of(request, servers, deadline)
        record = self._record(request, way, servers, asked, near_days, listening)
        with span("evaluate") as evaluating:
            facts = facts_from(record, self._content.terminology, asked.zone, self._content.units)
            assessment = assess_for_cards(facts, self._content, asked, near_days)
            evaluating.note(trials=len(assessment.determinations))
        try:
            patient = self._kept.keys().patients(base, request.patient_id)
            withheld = self._withheld(
                prefetched_research(request, record, self._settings, asked.on)
            )
            switches = self._switches.current()
            withheld |= switches.off(caller.issuer)
            acted = self._kept.known(patient, assessment.determinations, received)
            withheld |= {trial: "muted" for trial in acted.muted if trial not in withheld}
            cards = msgspec.structs.replace(self._cards[dialect], trials_off=frozenset(withheld))
            shown = shown_trials(assessment, cards)
            if shown:
                research = asked_research(request, self._settings, asked.on, way)
                withheld |= self._withheld(research)
                place = partial(_place, request, servers, deadline, way)
                withheld |= switches.elsewhere(place, shown)
                cards = msgspec.structs.replace(cards, trials_off=frozenset(withheld))
                shown = shown_trials(assessment, cards)
            answered = patient if acted.answered else ()
            held, notes = self._held(answered, assessment, shown, caller, asked.on)
            withheld |= held
            cards = msgspec.structs.replace(cards, trials_off=frozenset(withheld), notes=notes)
            shown = [trial for trial in shown if trial not in withheld]
            pages, page = self._reports.linked(
                assessment,
                facts,
                trials=shown,
                reader=f"{caller.issuer or ''}|{request.user}",
                subject=patient,
                ruled_out=[trial for trial, why in held.items() if why == "attested"],
            )
            in_shadow = switches.in_shadow(caller.issuer)
            with span("cards") as writing:
                given = [] if in_shadow else cards_for(assessment, cards, pages)
                writing.note(cards=len(given))
            read = input_of(request, servers.not_kept, near_days, listening.rounds)
            call = Answered(
                request.hook_instance, caller.issuer, received, patient[0], read, withheld, given
            )
            with span("keep"):
                name = self._kept.keep(call, assessment, facts, asked, page)
        except StoreFault:
            says = "What was decided cannot be kept now; try again in a moment."
            raise Refused(503, says, retry_after=5) from None
        count_cards(given)
        note(call=name, cards=len(given))
        silent = [] if in_shadow else without_card(assessment, shown, withheld)
        why = {"extension": {EXTENSION: silent}} if silent else {}
        return Answer(
            msgspec.json.encode({"cards": given, **why}),
            name,
            len(given),
            waited=0.0 if way is None else way.waited,
        )

    def _record(  # noqa: PLR0913 - what one hook call knows
        self,
        request: HookRequest,
        way: OneCall | None,
        servers: FhirServers,
        asked: Evaluation,
        near_days: int | None,
        listening: Listening,
    ) -> Record:
        with span("fetch") as fetching:
            record = completed(
                self._prefetched(request),
                way,
                servers.not_kept,
                self._content,
                asked,
                near_days,
                listening.take,
                self._waiting,
            )
            fetching.note(rounds=len(listening.rounds))
        if record.patient is None:
            covered = record.coverage.get("Patient")
            why = (
                covered.why if covered is not None else "no FHIR server is named that may be asked"
            )
            note(reason=why)
            says = f"The Patient is neither in prefetch nor can it be fetched ({why}); send it as "
            raise Refused(412, f"{says}prefetch.")
        return record

    def _held(
        self,
        patient: Sequence[str],
        assessment: Assessment,
        trials: Collection[str],
        caller: Caller,
        on: date,
    ) -> tuple[dict[str, str], dict[str, tuple[str, ...]]]:
        """Of the trials that are about to give a card, what people say to that.

        `patient` are the names under which somebody may have said it, none where nobody did.
        Trial → why it gives none (attested, shadow), and trial → lines for its card.
        """
        switches = self._switches.current()
        said: dict[str, Standing] = {}
        if trials and patient and self._settings.attestation_days:
            asked = [d for d in assessment.determinations if d.trial.id in trials]
            said = answers_for(self._kept.store, patient, asked, on)
        against = [trial for trial, one in said.items() if one.against is not None]
        held = dict.fromkeys(trials, "shadow") if switches.in_shadow(caller.issuer) else {}
        held |= dict.fromkeys(against, "attested")
        return held, joined(notes_on(said), switches.contacts(caller.issuer))

    def _withheld(self, research: Research) -> dict[str, str]:
        """Trial → why it gives no card whatever is found: switched off, or what the record says."""
        withheld = dict.fromkeys(self._settings.trials_off, "off")
        withheld |= dict.fromkeys(research.joined, "joined")
        if research.refuses:
            withheld |= {head.id: "refused" for head in self._content.heads}
        return withheld

    def _research_templates(self) -> dict[str, str]:
        return {key: RESEARCH_TEMPLATES[key] for key in research_keys(self._settings)}

    def _prefetched(self, request: HookRequest) -> Record:
        try:
            return record_from_prefetch(request.prefetch or {}, request.patient_id)
        except UnusableInput as problem:
            raise Refused(400, f"prefetch: {problem}") from None


def _place(
    request: HookRequest, servers: FhirServers, deadline: Deadline, way: OneCall | None
) -> Place:
    """Who asks and where; the time that it takes to ask counts as waited for the server."""
    began = monotonic()
    found = place_of(request, servers, deadline)
    if way is not None:
        way.waited += monotonic() - began
    return found
