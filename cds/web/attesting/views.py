"""Where the forms of the page are sent: answers to a trial's questions, and taking one back."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING

from flask import Response, request

from cds.store.fault import StoreFault
from cds.web.attesting.page import NotTaken, check_of
from cds.web.attesting.person import person_of, remember
from cds.web.report.views import PREFIX, plain_page, trial_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from flask import Blueprint

    from cds.web.attesting.page import Attesting
    from cds.web.attesting.person import Person
    from cds.web.report.model import TrialReport
    from cds.web.report.views import Reader, Visit
    from cds.web.sessions import Cookies

_FORM = "/<string(length=43):token>/<trial>/answers"
_MOST_BYTES = 64_000
_FORBIDDEN = 403
_LATER = 503
_BAD = 400


def add_answers(pages: Blueprint, reader: Reader, attesting: Attesting, cookies: Cookies) -> None:
    """Add the addresses that forms are sent to."""

    def taken(
        token: str, trial: str, take: Callable[[Visit, TrialReport, Person], object]
    ) -> Response:
        visit = reader.visit(token, "answer")
        found = trial_of(visit, trial)
        back = f"{PREFIX}/{token}/{trial}"
        if not _is_own_form(token, trial):
            return plain_page("answers.html", _FORBIDDEN, why="check", back=back)
        person = person_of(visit, request.form)
        try:
            take(visit, found, person)
        except NotTaken as problem:
            return plain_page("answers.html", _BAD, why=str(problem), back=back)
        except StoreFault:
            return plain_page("answers.html", _LATER, why="store", back=back)
        language = request.args.get("lang", "")
        query = f"?lang={language}" if language in {"en", "zh-CN"} else ""
        response = Response(status=303, headers={"Location": f"{back}{query}#questions"})
        remember(response, cookies, person)
        return response

    @pages.post(_FORM)
    def answers(token: str, trial: str) -> Response:
        def take(visit: Visit, found: TrialReport, person: Person) -> None:
            attesting.take(visit, found, request.form, person)

        return taken(token, trial, take)

    @pages.post(f"{_FORM}/<criterion>/withdrawn")
    def withdrawn(token: str, trial: str, criterion: str) -> Response:
        def take(visit: Visit, found: TrialReport, person: Person) -> None:
            attesting.withdraw(visit, found, criterion, person)

        return taken(token, trial, take)


def _is_own_form(token: str, trial: str) -> bool:
    """Whether our own page sent it; its Origin says nothing, because it sends no referrer."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    if (request.content_length or 0) > _MOST_BYTES:
        return False
    sent = request.form.get("check", "")
    return compare_digest(sent.encode(), check_of(token, trial).encode())
