"""Links on cards: what was known is kept sealed, and the cards are told where it lies."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from cds.core.criterion import Status
from cds.store.pages import Page, Pages
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
    from cds.web.report.keeping import Kept
    from cds.web.sessions import Sessions

_MINUTE = 60


class Linked(NamedTuple):
    """Trial → the address of its page, and "" → that of all of them; and what is behind them.

    The page is still to be kept, with the call that gives the cards; None where there are no links.
    """

    addresses: Mapping[str, str]
    page: Page | None


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

    def linked(  # noqa: PLR0913 - what was found, and for whom
        self,
        assessment: Assessment,
        facts: Facts,
        *,
        trials: Collection[str],
        reader: str,
        subject: Sequence[str] = (),
        ruled_out: Collection[str] = (),
    ) -> Linked:
        """The links of cards about some trials, none where they are switched off.

        `reader` is who asked, as the hook says it: the same reader gets the same link for the same
        determinations. `subject` are the names under which the patient may stand in the store.
        `ruled_out` are trials that give no card because somebody answered so; they stand on the
        page of all trials.

        Raises:
            StoreFault: no room for another page can be made in the database now.
        """
        if not trials or not self.given:
            return Linked({}, None)
        shown = [d for d in assessment.determinations if d.trial.id in trials]
        said = (assessment.said(determination).digest for determination in shown)
        token = self._links.token(reader, assessment.patient, *said)
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
        self._pages.make_room(now)
        found = {d.trial.id: f"{self._base}/{token}/{d.trial.id}" for d in shown}
        found[""] = f"{self._base}/{token}"
        return Linked(found, self._page(kept, token, now))

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
        page = self._page(kept, token, now)
        self._pages.keep(page, now=now)
        self._pages.open(page.address, reader=reader, now=now)  # it is theirs from now
        return f"{self._base}/{token}"

    def _page(self, kept: Kept, token: str, now: int) -> Page:
        address = address_of(token)
        assert address is not None  # noqa: S101 - the token was made here
        return Page(address, seal(kept, token), now + self._settings.page_minutes * _MINUTE)
