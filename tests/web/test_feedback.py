"""Feedback as clients really send it: what is taken, what is kept, what is refused."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import select

from cds.store.database import Store
from cds.store.tables import feedback
from cds.web.errors import Refused
from cds.web.feedback import FeedbackService

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

Json = dict[str, Any]
CARD = "4e0a3a1e-3283-4575-ab82-028d55fe2719"
SUGGESTION = "e56e1945-20b3-4393-8503-a1a20fd73152"
NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
CODING = {"code": "not-now", "system": "https://example.org/reasons", "display": "Not now"}
CODE_ONLY = {"code": "not-now"}


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'store.db'}")
    yield opened
    opened.close()


def accepted(**more: Any) -> Json:
    entry: Json = {
        "card": CARD,
        "outcome": "accepted",
        "acceptedSuggestions": [{"id": SUGGESTION}],
        "outcomeTimestamp": "2026-03-01T09:29:58.123Z",
    }
    return entry | more


def overridden(**more: Any) -> Json:
    entry: Json = {
        "card": CARD,
        "outcome": "overridden",
        "outcomeTimestamp": "2026-03-01T09:29:58Z",
    }
    return entry | more


def send(
    store: Store, *entries: Any, client: str | None = None, keep_comments: bool = False
) -> None:
    service = FeedbackService(
        store, "trial-eligibility", keep_comments=keep_comments, clock=lambda: NOW
    )
    service.take(json.dumps({"feedback": list(entries)}).encode(), client)


def rows(store: Store) -> list[Any]:
    with store.begin() as connection:
        return list(connection.execute(select(feedback).order_by(feedback.c.id)))


def test_an_accepted_suggestion_is_kept_with_card_time_and_client(store: Store) -> None:
    send(store, accepted(), client="https://ehr.example.org")
    (row,) = rows(store)
    assert (row.card, row.outcome, row.accepted) == (CARD, "accepted", [SUGGESTION])
    assert row.client == "https://ehr.example.org"
    assert row.service == "trial-eligibility"
    assert row.outcome_at.replace(tzinfo=UTC).isoformat() == "2026-03-01T09:29:58.123000+00:00"
    assert row.received.replace(tzinfo=UTC) == NOW


def test_several_entries_of_one_request_are_all_kept(store: Store) -> None:
    send(store, accepted(), overridden(), overridden(card="another"))
    assert [row.card for row in rows(store)] == [CARD, CARD, "another"]


def test_the_same_report_sent_again_counts_once(store: Store) -> None:
    send(store, accepted(), accepted())
    send(store, accepted())
    assert len(rows(store)) == 1


def test_the_same_report_of_two_clients_counts_twice(store: Store) -> None:
    send(store, accepted(), client="a")
    send(store, accepted(), client="b")
    assert len(rows(store)) == 2


def test_a_card_that_is_acted_on_twice_has_two_rows(store: Store) -> None:
    send(store, overridden())
    send(store, accepted())
    assert [row.outcome for row in rows(store)] == ["overridden", "accepted"]


def test_late_feedback_and_unknown_cards_are_kept_like_any_other(store: Store) -> None:
    send(store, overridden(card="nobody-knows-it", outcomeTimestamp="2019-12-31T23:59:59+01:00"))
    (row,) = rows(store)
    assert row.outcome_at.replace(tzinfo=UTC).isoformat() == "2019-12-31T22:59:59+00:00"


@pytest.mark.parametrize(
    ("spelling", "kept"),
    [
        ({"overrideReason": {"reason": CODING}}, [CODING]),
        ({"overrideReason": {"reason": CODE_ONLY}}, [CODE_ONLY]),
        ({"overrideReason": {"reason": CODING | {"display": None, "system": ""}}}, [CODE_ONLY]),
        ({"overrideReason": CODING}, [CODING]),
        ({"overrideReason": [{"reason": CODING}]}, [CODING]),
        ({"overrideReasons": {"reason": CODING}}, [CODING]),
        ({"overrideReasons": [{"reason": CODING}, {"reason": CODE_ONLY}]}, [CODING, CODE_ONLY]),
        ({"overrideReasons": [CODING, CODING]}, [CODING]),
        (
            {"overrideReason": {"reason": CODING}, "overrideReasons": [CODE_ONLY]},
            [CODING, CODE_ONLY],
        ),
        ({"overrideReason": {"extension": {"com.ehr.reason": {"coding": [CODING]}}}}, [CODING]),
        ({"overrideReason": {"extension": [{"url": "x", "valueCoding": CODING}]}}, [CODING]),
        ({"overrideReason": {"reason": "free text"}}, []),
        ({"overrideReason": None, "overrideReasons": []}, []),
        ({"overrideReason": {"userComment": "no"}}, []),
        ({"overrideReason": "x"}, []),
        ({}, []),
    ],
)
def test_every_spelling_of_the_override_reason_is_understood(
    store: Store, spelling: Json, kept: list[Json]
) -> None:
    send(store, overridden(**spelling))
    (row,) = rows(store)
    assert row.reasons == kept


def test_what_users_write_is_not_kept_unless_a_setting_says_so(store: Store) -> None:
    entry = overridden(overrideReason={"reason": CODING, "userComment": "Mrs Example said no"})
    send(store, entry)
    (row,) = rows(store)
    assert row.comment is None
    assert "Mrs Example" not in str(row)


def test_what_users_write_is_kept_where_a_setting_says_so(store: Store) -> None:
    entry = overridden(overrideReason={"userComment": " said no\x00 "})
    send(store, entry, keep_comments=True)
    (row,) = rows(store)
    assert row.comment == "said no"


def test_unknown_members_of_an_entry_are_ignored(store: Store) -> None:
    send(store, accepted(extension={"a": [None]}, hookInstance=5))
    assert len(rows(store)) == 1


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ({}, "outcome"),
        (7, "feedback[1]"),
        (accepted(outcome="ignored"), "outcome"),
        (accepted(outcome=["accepted"]), "outcome"),
        (accepted(card=None), "card"),
        (accepted(card=""), "card"),
        (accepted(card="x" * 101), "card"),
        (accepted(card="a\x00b"), "card"),
        (accepted(card={"uuid": CARD}), "card"),
        (accepted(acceptedSuggestions=[]), "acceptedSuggestions"),
        (accepted(acceptedSuggestions=["x"]), "acceptedSuggestions"),
        (accepted(acceptedSuggestions=[{"id": None}]), "acceptedSuggestions"),
        (overridden(outcomeTimestamp=None), "outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-03-01"), "outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-03-01T09:30:00"), "outcomeTimestamp"),
        (overridden(outcomeTimestamp="2026-02-30T09:30:00Z"), "outcomeTimestamp"),
        (overridden(outcomeTimestamp="0001-01-01T00:00:00+14:00"), "outcomeTimestamp"),
        (overridden(outcomeTimestamp=1772357400), "outcomeTimestamp"),
    ],
)
def test_an_entry_that_breaks_the_specification_refuses_the_whole_request_and_says_which(
    store: Store, entry: Any, named: str
) -> None:
    with pytest.raises(Refused) as refused:
        send(store, accepted(), entry)
    assert refused.value.status == 400
    assert named in refused.value.says
    assert rows(store) == []


@pytest.mark.parametrize(
    "body", [b"", b"{", b"[]", b"{}", b'{"feedback":{}}', b'{"feedback":[]}', b'{"feedback":null}']
)
def test_a_body_without_a_list_of_feedback_is_400(store: Store, body: bytes) -> None:
    with pytest.raises(Refused) as refused:
        FeedbackService(store, "trial-eligibility").take(body, None)
    assert refused.value.status == 400


def test_more_entries_than_anybody_needs_are_413(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        send(store, *[accepted()] * 1_001)
    assert refused.value.status == 413


def test_a_store_that_cannot_be_written_is_503_and_never_200(tmp_path: Path) -> None:
    (tmp_path / "store.db").mkdir()
    with pytest.raises(Refused) as refused:
        send(Store(f"sqlite:///{tmp_path / 'store.db'}"), accepted())
    assert refused.value.status == 503
    assert refused.value.retry_after is not None
