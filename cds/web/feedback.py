"""Reading CDS Hooks feedback: what users did with cards, as different clients spell it.

Every entry is checked before the first is kept, so that a client that was told 400 can send all of
them again. A card that this service does not know, or knew long ago, is taken like any other: the
report that counts feedback joins it to what was decided.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeGuard

import msgspec

from cds.store.fault import StoreFault
from cds.store.feedback import FeedbackEntry, Reason, keep_feedback
from cds.web.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from cds.store.database import Store

_OUTCOMES = frozenset({"accepted", "overridden"})
_REASON_MEMBERS = ("overrideReason", "overrideReasons")
_MOST_ENTRIES = 1_000
_MOST_ITEMS = 50
_LONGEST_ID = 100
_LONGEST_WORD = 500
_LONGEST_COMMENT = 4_000
_DEEPEST = 4
# RFC 3339, section 5.6. The zone is required: without it nobody knows when it was.
_INSTANT = re.compile(
    r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:?\d\d)", re.ASCII
)
_NUL = "\x00"  # PostgreSQL keeps none in a text


class FeedbackService:
    """Takes feedback about one service and keeps it before it answers."""

    def __init__(
        self,
        store: Store,
        service: str,
        *,
        keep_comments: bool = False,
        not_now: timedelta = timedelta(days=7),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`keep_comments`: users' free text is kept too; it may name a patient.

        A card that was overridden with "not now" alone may come again after `not_now`.
        """
        self._store = store
        self._service = service
        self._keep_comments = keep_comments
        self._not_now = not_now
        self._clock = clock

    def take(self, body: bytes, client: str | None) -> None:
        """Store all entries of one request, each act once.

        Raises:
            Refused: 400 where an entry breaks the specification, 503 where nothing can be stored.
        """
        entries = [self._entry(value, where) for where, value in _values(body)]
        try:
            keep_feedback(
                self._store,
                entries,
                client=client,
                received=self._clock(),
                not_now=self._not_now,
            )
        except StoreFault:
            says = "The feedback cannot be stored now; send it again in a moment."
            raise Refused(503, says, retry_after=5) from None

    def _entry(self, value: object, where: str) -> FeedbackEntry:
        if not isinstance(value, dict):
            raise _wrong(where, "", "is no JSON object")
        outcome = value.get("outcome")
        if not isinstance(outcome, str) or outcome not in _OUTCOMES:
            raise _wrong(where, "outcome", "is neither 'accepted' nor 'overridden'")
        card = value.get("card")
        if not _is_id(card):
            raise _wrong(where, "card", "is no card uuid of this service")
        accepted = _accepted(value.get("acceptedSuggestions"), where)
        if outcome == "accepted" and not accepted:
            raise _wrong(where, "acceptedSuggestions", "must name what was accepted")
        given = [one for name in _REASON_MEMBERS for one in _listed(value.get(name))]
        return FeedbackEntry(
            service=self._service,
            card=card,
            outcome=outcome,
            outcome_at=_instant(value.get("outcomeTimestamp"), where),
            accepted=accepted,
            reasons=_distinct(reason for one in given for reason in _reasons(one)),
            comment=_comment(given) if self._keep_comments else None,
        )


def _values(body: bytes) -> Iterator[tuple[str, Any]]:
    """Each entry with the place where it stands."""
    try:
        document = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        raise Refused(400, "The request body is not JSON; send one JSON object.") from None
    listed = document.get("feedback") if isinstance(document, dict) else None
    if not isinstance(listed, list) or not listed:
        says = "The feedback must be a JSON object with a list 'feedback' of at least one entry."
        raise Refused(400, says)
    if len(listed) > _MOST_ENTRIES:
        raise Refused(413, f"More than {_MOST_ENTRIES} entries at once; send them in parts.")
    return ((f"feedback[{number}]", value) for number, value in enumerate(listed))


def _wrong(where: str, member: str, what: str) -> Refused:
    place = f"{where}.{member}" if member else where
    return Refused(400, f"{place} {what}; nothing of this request was stored.")


def _is_id(value: object) -> TypeGuard[str]:
    return isinstance(value, str) and 0 < len(value) <= _LONGEST_ID and value.isprintable()


def _accepted(value: object, where: str) -> tuple[str, ...]:
    ids = []
    for item in _listed(value)[:_MOST_ITEMS]:
        suggestion = item.get("id") if isinstance(item, dict) else None
        if not _is_id(suggestion):
            raise _wrong(where, "acceptedSuggestions", "holds an entry without the suggestion id")
        ids.append(suggestion)
    return tuple(dict.fromkeys(ids))


def _instant(value: object, where: str) -> datetime:
    """The instant in UTC."""
    try:
        if isinstance(value, str) and _INSTANT.fullmatch(value):
            return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except (ValueError, OverflowError):
        pass  # a day or an hour that does not exist: said below
    raise _wrong(where, "outcomeTimestamp", "is no instant such as 2026-03-01T09:30:00Z")


def _listed(value: object) -> list[Any]:
    """One thing or a list of things, as a list; null and left out are an empty one."""
    if isinstance(value, list):
        return value
    return [] if value is None else [value]


def _distinct(reasons: Iterator[Reason]) -> tuple[Reason, ...]:
    return tuple(dict.fromkeys(reasons))[:_MOST_ITEMS]


def _reasons(given: object) -> Iterator[Reason]:
    """The Codings of one override reason: under `reason`, the thing itself, or in its extension.

    The specification has the first. The plural spelling of some clients lists Codings, and reasons
    that were built within an EHR travel in an extension.
    """
    if not isinstance(given, dict):
        return
    found = [_coding(one) for one in _listed(given.get("reason"))] + [_coding(given)]
    known = [reason for reason in found if reason is not None]
    yield from known or _within(given.get("extension"), _DEEPEST)


def _within(value: object, depth: int) -> Iterator[Reason]:
    """The Codings anywhere in an extension, whose inner shape is the client's own."""
    if depth == 0 or not isinstance(value, dict | list):
        return
    reason = _coding(value)
    if reason is not None:
        yield reason
        return
    for child in value.values() if isinstance(value, dict) else value:
        yield from _within(child, depth - 1)


def _coding(value: object) -> Reason | None:
    if not isinstance(value, dict):
        return None
    code = _text(value, "code", _LONGEST_ID)
    if code is None:
        return None
    return Reason(
        code, _text(value, "system", _LONGEST_WORD), _text(value, "display", _LONGEST_WORD)
    )


def _text(value: dict[str, Any], name: str, longest: int) -> str | None:
    text = value.get(name)
    if not isinstance(text, str) or not text.strip():
        return None
    return text.replace(_NUL, "").strip()[:longest] or None


def _comment(given: list[Any]) -> str | None:
    """All that the user wrote."""
    comments = [
        _text(one, "userComment", _LONGEST_COMMENT) for one in given if isinstance(one, dict)
    ]
    return "\n".join(dict.fromkeys(filter(None, comments)))[:_LONGEST_COMMENT] or None
