"""Keeping what the hook decided, before it answers; and which cards a user does not want again."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import make_url

from cds.core.criterion import Status
from cds.engine.evaluate import decide_target, determine, target_alone
from cds.fhir.addresses import read_base
from cds.fhir.faults import FhirFault
from cds.settings import default_database_url
from cds.store.calls import Call, Calls, Decided, new_call_id
from cds.store.mutes import Muted, known_of
from cds.store.patients import SiteKeys, site_keys
from cds.web.kept.record import (
    CallRecord,
    Circumstances,
    counted,
    record_of,
    stands_of,
)
from cds.web.kept.versions import versions_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.core.criterion import Determination
    from cds.core.facts import Facts
    from cds.core.when import Evaluation
    from cds.settings import Settings
    from cds.store.database import Store
    from cds.store.pages import Page
    from cds.web.kept.inputs import Input

_EXTENSION = "extension"
_NOT_READ = "conditionsnotread"
_ONE, _MANY = "org.trial-cds.assessment", "org.trial-cds.assessments"
MOST_RECORDED_ALIKE = 50
"""With no more trials than this, each has a record for each call; with more, only those that may
concern the patient, and the call says how many were asked."""


def keys_of(settings: Settings) -> SiteKeys:
    """The keys under which patients stand in the store; the first start of a site makes one.

    Raises:
        StoreFault: the file cannot be used.
    """
    if settings.site_keys is not None:
        return site_keys(settings.site_keys, make=False)
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite" or not url.database:
        url = make_url(default_database_url(os.environ))
    return site_keys(Path(str(url.database)).parent / "site-keys", make=True)


def namespace(fhir_server: str | None, issuer: str | None) -> str:
    """What tells one hospital's patient ids from another's: the FHIR base, else who sent them."""
    if fhir_server is None:
        return issuer or ""
    try:
        base = read_base(fhir_server)
    except FhirFault:
        return fhir_server  # nobody will be called there, but ids may be told apart by it
    return str(base)


@dataclass(frozen=True, slots=True)
class Answered:
    """A call that was decided and is about to be answered. `withheld` is trial → why no card."""

    hook_instance: str
    client: str | None
    received: datetime
    patient: str
    input: Input
    withheld: Mapping[str, str]
    cards: Sequence[Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Acted:
    """What people did with a patient's earlier cards.

    `muted` are the trials whose card was overridden and that stand as they did then. `answered`:
    somebody answered a question of some trial.
    """

    muted: frozenset[str] = frozenset()
    answered: bool = False


class Keeper:
    """Keeps one row for each call and determination, and answers what is muted."""

    def __init__(self, settings: Settings, content: Content, store: Store) -> None:
        """Touch nothing yet."""
        self._settings = settings
        self._content = content
        self._store = store
        self._calls = Calls(store, oldest=self._oldest)
        self._versions = versions_of(content)
        self._keys: SiteKeys | None = None
        self._lock = threading.Lock()

    @property
    def store(self) -> Store:
        """Where everything is kept."""
        return self._store

    def open(self) -> None:
        """Read the site keys, and make one where there is none.

        Raises:
            StoreFault: the file cannot be used.
        """
        self.keys()

    def keys(self) -> SiteKeys:
        """The site keys.

        Raises:
            StoreFault: the file cannot be used.
        """
        with self._lock:
            if self._keys is None:
                self._keys = keys_of(self._settings)
            return self._keys

    def known(
        self, patient: Sequence[str], determinations: Iterable[Determination], now: datetime
    ) -> Acted:
        """What people did with earlier cards, as far as it concerns the cards of this call.

        `patient` are the names under which the patient may stand in the store.

        Raises:
            StoreFault: the store does not answer.
        """
        asked = [d for d in determinations if d.target.status is not Status.FAIL]
        if not asked:
            return Acted()
        known = known_of(self._store, patient, now)
        muted = known.muted if self._settings.mute_overridden else ()
        return Acted(
            frozenset(
                d.trial.id for d in asked if muted and Muted(d.trial.id, stands_of(d)) in muted
            ),
            known.answered,
        )

    def keep(
        self,
        call: Answered,
        assessment: Assessment,
        facts: Facts,
        asked: Evaluation,
        page: Page | None = None,
    ) -> str:
        """Keep a call with its determinations and the page behind its cards; gives its id.

        Raises:
            StoreFault: nothing was kept.
        """
        settings = self._settings
        name = new_call_id(call.received)
        of = Circumstances(
            name,
            call.hook_instance,
            call.received.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
            str(asked.zone),
            call.input.not_kept,
            call.input.digest(),
        )
        decided = self._decided(of, call, assessment, self._recorded(assessment, facts, asked))
        self._calls.keep(
            Call(
                name,
                call.hook_instance,
                call.received,
                call.client,
                call.patient,
                len(call.cards),
                self._call_record(of, call, assessment, len(decided)),
                decided,
                self._sealed(name, call.input) if settings.keep_inputs else None,
            ),
            page,
        )
        return name

    def _recorded(
        self, assessment: Assessment, facts: Facts, asked: Evaluation
    ) -> list[Determination]:
        """What gets a record: of few trials each, of many those that may concern the patient.

        The hook does not look at trials that could not give a card; of few they are decided here.
        """
        content = self._content
        found = list(assessment.determinations)
        if len(content.heads) > MOST_RECORDED_ALIKE:
            return [one for one in found if one.target.status is not Status.FAIL]
        if assessment.deceased:
            return found
        there = {determination.trial.id for determination in found}
        for place, head in enumerate(content.heads):
            if head.id not in there:
                first = decide_target(head, facts, asked)
                if first.status is Status.FAIL:
                    found.append(target_alone(head, first))
                else:
                    found.append(determine(content.folders[place].trial, facts, asked, first))
        return found

    def _decided(
        self,
        of: Circumstances,
        call: Answered,
        assessment: Assessment,
        determinations: Iterable[Determination],
    ) -> tuple[Decided, ...]:
        cards = _by_trial(call.cards)
        unread = _unread_card(call.cards)
        found = []
        for determination in determinations:
            trial = determination.trial.id
            card = cards.get(trial)
            outcome = call.withheld.get(trial) or (
                "card" if card is not None else _why_no_card(determination)
            )
            if outcome == "not-read":
                card = unread
            record = record_of(
                of,
                assessment,
                determination,
                self._versions,
                outcome=outcome,
                card=card,
                masked=not self._settings.unmasked_records,
            )
            found.append(
                Decided(
                    trial,
                    record.overall,
                    outcome,
                    card,
                    stands_of(determination),
                    msgspec.json.encode(record).decode(),
                )
            )
        return tuple(found)

    def _call_record(
        self, of: Circumstances, call: Answered, assessment: Assessment, recorded: int
    ) -> str:
        versions = self._versions
        record = CallRecord(
            of.call,
            call.hook_instance,
            of.received,
            assessment.on.isoformat(),
            of.timezone,
            versions.software,
            versions.software_digest,
            self._content.digest,
            versions.mappings_digest,
            of.input_digest,
            len(self._content.heads),
            recorded,
            len(call.cards),
            counted([problem.kind for problem in assessment.problems]),
        )
        return msgspec.json.encode(record).decode()

    def _sealed(self, name: str, read: Input) -> bytes:
        return self.keys().seal(read.packed(), name)

    def _oldest(self, now: datetime) -> datetime | None:
        days = self._settings.retention_days
        return now - timedelta(days=days) if days else None


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


def _why_no_card(determination: Determination) -> str:
    if determination.target.status is Status.UNKNOWN:
        return "not-read"
    return "no-diagnosis" if determination.target.status is Status.FAIL else "ineligible"


def _by_trial(cards: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Trial → the uuid of the card about it."""
    found = {}
    for card in cards:
        extension = card.get(_EXTENSION, {})
        about = [extension[_ONE]] if _ONE in extension else extension.get(_MANY, [])
        found.update({one["trial"]: str(card["uuid"]) for one in about})
    return found


def _unread_card(cards: Iterable[Mapping[str, Any]]) -> str | None:
    """The uuid of the card that says that conditions could not be read."""
    codes = ((card["source"]["topic"]["code"], str(card["uuid"])) for card in cards)
    return next((uuid for code, uuid in codes if code == _NOT_READ), None)
