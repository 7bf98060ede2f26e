"""The pages' addresses: `/determinations/<token>/<trial>`, and who may read what is there."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from flask import Blueprint, Response, request

from cds.store.fault import StoreFault
from cds.web.attesting.person import me_of
from cds.web.report.drawing import HEIGHT, WIDTH, axis_of, bar_of, chart_of
from cds.web.report.keeping import Kept, report_from
from cds.web.report.paper import running_head
from cds.web.report.sealing import address_of, unsealed
from cds.web.report.words import LANGUAGES, STATUSES, UNREVIEWED, environment, preferred
from cds.web.seen.audit import Access, audit

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

    from cds.assess import Content
    from cds.store.pages import KeptPage, Pages
    from cds.web.attesting.page import Attesting
    from cds.web.report.model import Report, Row, TrialReport
    from cds.web.sessions import Sessions

PREFIX = "/determinations"
_NO_READER = HTTPStatus.UNAUTHORIZED
_ENDED = HTTPStatus.NOT_FOUND
_OTHER_READER = HTTPStatus.FORBIDDEN
_LATER = HTTPStatus.SERVICE_UNAVAILABLE

_kept = msgspec.json.Decoder(Kept)


class Closed(Exception):  # noqa: N818 - a decision, not an accident
    """The page is not shown; `status` says why."""

    def __init__(self, status: HTTPStatus) -> None:
        super().__init__(status.phrase)
        self.status = status


class Visit(NamedTuple):
    """A page that is read.

    `subject` are the names under which the patient may stand in the store. `user` is who reads it,
    as a sign-on or a launch says; None: unknown.
    """

    report: Report
    subject: tuple[str, ...] = ()
    user: str | None = None
    name: str = ""


class Reader:
    """Opens kept pages for those who may read them.

    `sign_on` is the header in which the hospital's sign-on names the user; None where nobody but
    this machine can reach the service. `sessions` know who launched.
    """

    def __init__(  # noqa: PLR0913 - what a reader is made of
        self,
        pages: Pages,
        content: Content,
        zone: tzinfo,
        sign_on: str | None,
        clock: Callable[[], float] = time.time,
        sessions: Sessions | None = None,
    ) -> None:
        self._pages = pages
        self._content = content
        self._zone = zone
        self._sign_on = sign_on
        self._clock = clock
        self._sessions = sessions

    def report(self, token: str) -> Report:
        """The report behind a link.

        Raises:
            Closed: the link is none, has ended or is somebody else's, or nobody has signed on.
        """
        return self.visit(token).report

    def visit(self, token: str, by: str = "page") -> Visit:
        """The report behind a link, and who reads it; `by` is the word for it in the audit trail.

        Raises:
            Closed: the link is none, has ended or is somebody else's, or nobody has signed on.
            Refused: 503, that it is read cannot be audited.
        """
        visit = self._visit(token)
        audit(Access(by, visit.report.patient, visit.user or ""))
        return visit

    def _visit(self, token: str) -> Visit:
        address = address_of(token)
        try:
            launched = None if address is None else self._launched(address, token)
            if launched is not None:
                return launched
            reader = self._signed_on()
            kept = None if address is None else self._kept(address, reader)
        except StoreFault:
            raise Closed(_LATER) from None
        if kept is None:
            raise Closed(_ENDED)
        if not kept.reader_fits:
            raise Closed(_OTHER_READER)
        return self._opened(kept, token)._replace(user=reader, name=reader or "")

    def _launched(self, address: str, token: str) -> Visit | None:
        """A page that this browser's launch led to; None where it is no such page."""
        session = None if self._sessions is None else self._sessions.current()
        if session is None:
            return None
        kept = self._kept(address, session.reader, claim=False)
        if kept is None or not kept.reader_fits:
            return None
        visit = self._opened(kept, token)
        return visit._replace(user=session.user or None, name=session.name)

    def _signed_on(self) -> str | None:
        if self._sign_on is None:
            return None
        reader = request.headers.get(self._sign_on, "").strip()
        if not reader:
            raise Closed(_NO_READER)
        return reader

    def _kept(self, address: str, reader: str | None, *, claim: bool = True) -> KeptPage | None:
        return self._pages.open(address, reader=reader, now=int(self._clock()), claim=claim)

    def _opened(self, page: KeptPage, token: str) -> Visit:
        """The report, made now of what was known when the card was given."""
        known = unsealed(page.sealed, token, _kept)
        report = None if known is None else report_from(known, self._content, self._zone)
        if known is None or report is None:
            raise Closed(_ENDED)
        return Visit(report, known.subject)


def report_pages(
    reader: Reader, frame_ancestors: tuple[str, ...], attesting: Attesting | None = None
) -> Blueprint:
    """The blueprint with the pages; `frame_ancestors` are origins that may show them in a frame.

    Without `attesting` nobody can answer the questions of a trial.
    """
    pages = Blueprint("determinations", __name__, url_prefix=PREFIX, static_folder="static")
    headers = page_headers(frame_ancestors)

    @pages.get("/<string(length=43):token>")
    def all_trials(token: str) -> Response:
        visit = reader.visit(token)
        if len(visit.report.trials) == 1:
            return _trial_page(visit, visit.report.trials[0], token, attesting)
        return _page("trials.html", report=visit.report, token=token)

    @pages.get("/<string(length=43):token>/<trial>")
    def one_trial(token: str, trial: str) -> Response:
        visit = reader.visit(token)
        return _trial_page(visit, trial_of(visit, trial), token, attesting)

    @pages.get("/<string(length=43):token>/<trial>/paper.css")
    def paper(token: str, trial: str) -> Response:
        visit = reader.visit(token)
        style = running_head(visit.report, trial_of(visit, trial))
        return Response(style, content_type="text/css; charset=utf-8")

    @pages.errorhandler(Closed)
    def closed(problem: Closed) -> Response:
        return plain_page("closed.html", problem.status, why=problem.status.value)

    @pages.after_request
    def guarded(response: Response) -> Response:
        response.headers.update(headers)
        return response

    return pages


def trial_of(visit: Visit, trial: str) -> TrialReport:
    """One trial of a page that is read.

    Raises:
        Closed: the page is about others.
    """
    found = visit.report.trial(trial)
    if found is None:
        raise Closed(_ENDED)
    return found


def _trial_page(
    visit: Visit, trial: TrialReport, token: str, attesting: Attesting | None
) -> Response:
    try:
        questions = (
            None if attesting is None else attesting.questions(visit, trial, token, me_of(visit))
        )
    except StoreFault:
        raise Closed(_LATER) from None
    return _page("trial.html", report=visit.report, trial=trial, token=token, questions=questions)


def page_headers(frame_ancestors: tuple[str, ...]) -> dict[str, str]:
    """The headers of every page; `frame_ancestors` are origins that may show it in a frame."""
    ancestors = " ".join(frame_ancestors) or "'none'"
    return {
        "Content-Security-Policy": (
            "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; "
            f"form-action 'self'; frame-ancestors {ancestors}"
        ),
        "Cache-Control": "no-store",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "X-Robots-Tag": "noindex, nofollow",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    }


def plain_page(template: str, status: int, **shown: object) -> Response:
    """A page without a report, such as the one that says why there is none."""
    response = _page(template, **shown)
    response.status_code = status
    return response


def _language() -> str:
    asked = request.args.get("lang", "")
    if asked in LANGUAGES:
        return asked
    return preferred(tag for tag, _ in request.accept_languages)


def _page(template: str, **shown: object) -> Response:
    language = _language()
    status = request.args.get("status", "")
    text = (
        environment(language)
        .get_template(template)
        .render(
            language=language,
            unreviewed=language in UNREVIEWED,
            asked_language=request.args.get("lang", ""),
            status=status if status in STATUSES else "",
            all_open=request.args.get("view") == "all",
            prefix=PREFIX,
            path=request.path,
            pictures=_pictures,
            chart_of=chart_of,
            chart_size=(WIDTH, HEIGHT),
            **shown,
        )
    )
    response = Response(text, content_type="text/html; charset=utf-8")
    response.headers["Content-Language"] = language
    response.headers["Vary"] = "Accept-Language"
    return response


def _pictures(report: Report, trial: TrialReport, *, look_back: bool) -> dict[str, object] | None:
    """One timeline: its axis and, row by row, what is drawn; None where there is nothing."""
    rows: list[Row] = [row for row in trial.timeline if row.look_back is look_back]
    if not rows:
        return None
    axis = axis_of(rows, report.on)
    return {"axis": axis, "rows": [(row, bar_of(row, axis, report.on)) for row in rows]}
