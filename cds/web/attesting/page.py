"""The questions on the page of a trial: what was answered, and what somebody sends in a form."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, NamedTuple

from cds.store.attestations import WITHDRAWN, Attestation, attest, attested, newest
from cds.web.attesting.person import MOST_LETTERS, ROLES, Person
from cds.web.attesting.questions import ANSWERS, NO, NOT_YET, counts, question_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from cds.store.database import Store
    from cds.web.report.model import Line, TrialReport
    from cds.web.report.views import Visit

_PERIODS = (7, 14, 28, 90, 180, 365)


class NotTaken(Exception):  # noqa: N818 - a decision, not an accident
    """The form says something that cannot be kept; the text is one of the page's own words."""


class Question(NamedTuple):
    """One criterion that a person must judge; `standing` is the answer that counts now."""

    line: Line
    standing: Attestation | None


class Questions(NamedTuple):
    """All that the page of one trial shows of its questions.

    `history` is everything that was said, the newest first. `known`: the reader's name is not
    typed. `check` must come back with the form.
    """

    asked: tuple[Question, ...]
    answered: int
    against: Attestation | None
    history: tuple[Attestation, ...]
    me: Person
    known: bool
    check: str
    periods: tuple[int, ...]
    roles: tuple[str, ...] = ROLES


class Attesting:
    """Answers about the patients of pages, in the store."""

    def __init__(
        self,
        store: Store,
        days: int,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """An answer counts for at most `days`."""
        self._store = store
        self._days = days
        self._now = now

    def questions(
        self, visit: Visit, trial: TrialReport, token: str, me: Person
    ) -> Questions | None:
        """The questions of a trial; None where there are none, or nobody could be found again.

        What was answered stays asked while the answer counts, whatever the record says by now.

        Raises:
            StoreFault: the database cannot be read now.
        """
        if not visit.subject:
            return None
        said = [one for one in attested(self._store, visit.subject) if one.trial == trial.id]
        last = newest(said)
        asked = []
        for line in trial.lines:
            one = last.get((trial.id, line.id))
            holds = one is not None and counts(one, _question(line), visit.report.on)
            if holds or line.status == "review":
                asked.append(Question(line, one if holds else None))
        if not asked and not said:
            return None
        standing = [question.standing for question in asked if question.standing is not None]
        return Questions(
            tuple(asked),
            sum(one.answer != NOT_YET for one in standing),
            next((one for one in standing if one.answer == NO), None),
            tuple(reversed(said)),
            me,
            me.user is not None and me.name != "",
            check_of(token, trial.id),
            tuple(sorted({self._days, *(p for p in _PERIODS if p <= self._days)})),
        )

    def take(
        self, visit: Visit, trial: TrialReport, sent: Mapping[str, str], person: Person
    ) -> int:
        """Keep the answers of a form, of which fields are named after criteria; gives how many.

        Raises:
            NotTaken: nobody says who they are, or for how long it counts.
            StoreFault: nothing was kept.
        """
        _check(person)
        days = sent.get("days", "")
        if not days.isascii() or not days.isdigit() or not 0 < int(days) <= self._days:
            message = "days"
            raise NotTaken(message)
        expires = visit.report.on + timedelta(days=int(days))
        new = [
            Attestation(
                visit.subject[0], trial.id, line.id, _question(line), sent[f"answer-{line.id}"],
                person.role, person.name, person.user, self._now(), expires,
            )
            for line in trial.with_status("review")
            if sent.get(f"answer-{line.id}") in ANSWERS
        ]  # fmt: skip
        attest(self._store, new)
        return len(new)

    def withdraw(self, visit: Visit, trial: TrialReport, criterion: str, person: Person) -> None:
        """Take back what was answered to one question.

        Raises:
            NotTaken: nobody says who they are, or there is nothing to take back.
            StoreFault: nothing was kept.
        """
        _check(person)
        last = newest(attested(self._store, visit.subject)).get((trial.id, criterion))
        if last is None or last.answer == WITHDRAWN:
            message = "nothing"
            raise NotTaken(message)
        gone = Attestation(
            visit.subject[0], trial.id, criterion, last.question, WITHDRAWN,
            person.role, person.name, person.user, self._now(), None,
        )  # fmt: skip
        attest(self._store, [gone])


def check_of(token: str, trial: str) -> str:
    """What a form carries so that no other site can have made it: it depends on the link."""
    return hashlib.sha256(f"answers|{trial}|{token}".encode()).hexdigest()


def _question(line: Line) -> str:
    return question_of(line.text, line.reading)


def _check(person: Person) -> None:
    if not person.name.strip() or len(person.name) > MOST_LETTERS or person.role not in ROLES:
        message = "person"
        raise NotTaken(message)
