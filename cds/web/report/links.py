"""Links on cards: what was known is kept sealed, and the cards are told where it lies."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from cds.core.assessment import card_extension
from cds.core.criterion import Status
from cds.store.fault import StoreFault
from cds.store.pages import Pages
from cds.web.attesting.page import Attesting
from cds.web.attesting.views import add_answers
from cds.web.report.keeping import kept_of
from cds.web.report.sealing import Links, address_of, new_token, seal
from cds.web.report.views import PREFIX, Reader, report_pages
from cds.web.sessions import Cookies

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from flask import Blueprint

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.core.facts import Facts
    from cds.settings import Settings
    from cds.store.database import Store
    from cds.web.sessions import Sessions

_log = logging.getLogger("trial-cds")
_MINUTE = 60


class ReportService:
    """Keeps what stood behind each answer of the hook, for as long as its links last."""

    def __init__(  # noqa: PLR0913 - what it is made of
        self,
        settings: Settings,
        content: Content,
        store: Store,
        address: str,
        clock: Callable[[], float] = time.time,
        sessions: Sessions | None = None,
    ) -> None:
        """`address` is where a reader's browser finds this service, `sessions` who launched."""
        self._sessions = sessions
        self._settings = settings
        self._content = content
        self._store = store
        self._cookies = Cookies(address)
        self._pages = Pages(store)
        self._links = Links()
        self._base = f"{address.rstrip('/')}{PREFIX}"
        self._clock = clock

    @property
    def given(self) -> bool:
        """Whether cards carry links: switched on, and nobody can read a page unknown.

        Where others than this machine can reach the service, readers must have signed on.
        """
        settings = self._settings
        others = settings.clients is not None or settings.allow_no_trust
        return settings.page_minutes > 0 and (settings.page_sign_on is not None or not others)

    def pages(self) -> Blueprint:
        """The addresses that the links lead to."""
        settings = self._settings
        reader = Reader(
            self._pages,
            self._content,
            settings.timezone,
            settings.page_sign_on,
            self._clock,
            self._sessions,
        )
        days = settings.attestation_days
        attesting = Attesting(self._store, days) if days else None
        pages = report_pages(reader, settings.frame_ancestors, attesting)
        if attesting is not None:
            add_answers(pages, reader, attesting, self._cookies)
        return pages

    def addresses(  # noqa: PLR0913 - what was found, and for whom
        self,
        assessment: Assessment,
        facts: Facts,
        *,
        trials: Collection[str],
        reader: str,
        subject: Sequence[str] = (),
        ruled_out: Collection[str] = (),
    ) -> Mapping[str, str]:
        """Trial → the address of its page, and "" → that of all of them; empty where none is given.

        `reader` is who asked, as the hook says it: the same reader gets the same link for the same
        determinations. `subject` are the names under which the patient may stand in the store.
        `ruled_out` are trials that give no card because somebody answered so; they stand on the
        page of all trials. A store that fails costs the link, never the card.
        """
        if not trials or not self.given:
            return {}
        shown = [d for d in assessment.determinations if d.trial.id in trials]
        said = hashlib.sha256()
        for determination in shown:
            said.update(msgspec.json.encode(card_extension(assessment, determination)))
        token = self._links.token(reader, assessment.patient, said.hexdigest())
        dated = self._settings.on is not None
        kept = kept_of(
            facts,
            self._content,
            assessment.on,
            (*trials, *ruled_out),
            dated=dated,
            subject=subject,
        )
        now = int(self._clock())
        try:
            self._keep(token, seal(kept, token), now)
        except StoreFault as problem:
            _log.warning("no page behind the cards: %s", problem)
            return {}
        found = {d.trial.id: f"{self._base}/{token}/{d.trial.id}" for d in shown}
        return {**found, "": f"{self._base}/{token}"}

    def launched(
        self,
        assessment: Assessment,
        facts: Facts,
        *,
        reader: str,
        subject: Sequence[str],
    ) -> str:
        """Keep the page of a chart that was launched, for its reader alone; gives its address.

        Every trial whose target diagnosis may hold is on it, whatever else rules it out. `subject`
        are the names under which the patient may stand in the store.

        Raises:
            StoreFault: the database cannot be written now.
        """
        trials = [
            determination.trial.id
            for determination in assessment.determinations
            if determination.target.status is not Status.FAIL
        ]
        dated = self._settings.on is not None
        kept = kept_of(facts, self._content, assessment.on, trials, dated=dated, subject=subject)
        token, now = new_token(), int(self._clock())
        self._keep(token, seal(kept, token), now)
        self._pages.open(address_of(token) or "", reader=reader, now=now)  # it is theirs from now
        return f"{self._base}/{token}"

    def _keep(self, token: str, sealed: bytes, now: int) -> None:
        address = address_of(token)
        assert address is not None  # noqa: S101 - the token was made here
        expires = now + self._settings.page_minutes * _MINUTE
        self._pages.keep(address, sealed, expires=expires, now=now)
