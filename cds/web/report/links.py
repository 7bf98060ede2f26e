"""Links on cards: the report is kept sealed, and the cards are told where it lies."""

from __future__ import annotations

import hashlib
import logging
import time
from typing import TYPE_CHECKING

import msgspec

from cds.core.assessment import card_extension
from cds.store.fault import StoreFault
from cds.store.pages import Pages
from cds.web.report.building import report_of
from cds.web.report.sealing import Links, address_of, seal
from cds.web.report.views import PREFIX, Reader, report_pages

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from flask import Blueprint

    from cds.assess import Content
    from cds.core.assessment import Assessment
    from cds.core.facts import Facts
    from cds.core.when import Evaluation
    from cds.settings import Settings
    from cds.store.database import Store

_log = logging.getLogger("trial-cds")
_MINUTE = 60


class ReportService:
    """Keeps the report behind each answer of the hook, for as long as its links last."""

    def __init__(
        self,
        settings: Settings,
        content: Content,
        store: Store,
        address: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`address` is where a reader's browser finds this service."""
        self._settings = settings
        self._content = content
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
        reader = Reader(self._pages, self._settings.page_sign_on, self._clock)
        return report_pages(reader, self._settings.frame_ancestors)

    def addresses(
        self,
        assessment: Assessment,
        facts: Facts,
        asked: Evaluation,
        *,
        trials: Collection[str],
        reader: str,
    ) -> Mapping[str, str]:
        """Trial → the address of its page, and "" → that of all of them; empty where none is given.

        `reader` is who asked, as the hook says it: the same reader gets the same link for the same
        determinations. A store that fails costs the link, never the card.
        """
        if not trials or not self.given:
            return {}
        shown = [d for d in assessment.determinations if d.trial.id in trials]
        said = hashlib.sha256()
        for determination in shown:
            said.update(msgspec.json.encode(card_extension(assessment, determination)))
        token = self._links.token(reader, assessment.patient, said.hexdigest())
        dated = self._settings.on is not None
        report = report_of(assessment, facts, self._content, asked, trials=trials, dated=dated)
        now = int(self._clock())
        try:
            self._keep(token, seal(report, token), now)
        except StoreFault as problem:
            _log.warning("no page behind the cards: %s", problem)
            return {}
        found = {d.trial.id: f"{self._base}/{token}/{d.trial.id}" for d in shown}
        return {**found, "": f"{self._base}/{token}"}

    def _keep(self, token: str, sealed: bytes, now: int) -> None:
        address = address_of(token)
        assert address is not None  # noqa: S101 - the token was made here
        expires = now + self._settings.page_minutes * _MINUTE
        self._pages.keep(address, sealed, expires=expires, now=now)
