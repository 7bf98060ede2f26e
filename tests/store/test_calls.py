"""Calls, decisions, mutes and feedback in either database: kept, found, counted, thrown away."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select

from cds.store.acceptance import UNKNOWN_CARD, acceptance
from cds.store.attestations import Attestation, attest
from cds.store.calls import (
    Call,
    Calls,
    Decided,
    find_calls,
    forget_patient,
    new_call_id,
    throw_away,
)
from cds.store.database import Store
from cds.store.fault import StoreFault
from cds.store.feedback import FeedbackEntry, Reason, keep_feedback
from cds.store.mutes import Known, Muted, known_of, muted_of
from cds.store.pages import KeptPage, Page, Pages
from cds.store.tables import decisions, inputs

if TYPE_CHECKING:
    from collections.abc import Iterator

NOW = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
TRIAL = "NCT05490667"


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    one = Store(url)
    yield one
    one.close()


def call(
    *, patient: str = "k1.a", card: str | None = "card-1", stands: str = "s1", at: datetime = NOW
) -> Call:
    decided = (
        Decided(TRIAL, "undetermined", "card" if card else "ineligible", card, stands, "{}"),
        Decided("NCT07137884", "ineligible", "no-diagnosis", None, "s0", "{}"),
    )
    name = new_call_id(at)
    cards = int(card is not None)
    return Call(name, f"hook-{name}", at, None, patient, cards, "{}", decided, b"sealed")


def keep(store: Store, *given: Call) -> None:
    kept = Calls(store, oldest=lambda _: None)
    for one in given:
        kept.keep(one)


def say(store: Store, card: str, outcome: str, *reasons: str, at: datetime = NOW) -> int:
    said = FeedbackEntry(
        "trial-eligibility",
        card,
        outcome,
        at,
        accepted=("s1",) if outcome == "accepted" else (),
        reasons=tuple(Reason(code) for code in reasons),
    )
    return keep_feedback(store, [said], client=None, received=at)


def test_a_call_is_found_as_it_was_kept_by_either_of_its_names(store: Store) -> None:
    one, other = call(), call(at=NOW + timedelta(seconds=1))
    keep(store, one, other)
    assert find_calls(store, one.id) == [one]
    assert find_calls(store, one.hook_instance) == [one]
    (found,) = find_calls(store, other.id, trial=TRIAL)
    assert [decided.trial for decided in found.decided] == [TRIAL]
    assert find_calls(store, other.id, trial="NCT00000000") == []


def test_ids_sort_by_the_time_of_their_call() -> None:
    times = [NOW + timedelta(milliseconds=n) for n in range(50)]
    names = [new_call_id(at) for at in times]
    assert names == sorted(names)
    assert len(set(names)) == 50


def test_a_call_is_kept_whole_with_its_page_or_not_at_all(store: Store) -> None:
    one = call()
    twice = Call(
        one.id, one.hook_instance, NOW, None, one.patient, 1, "{}", (*one.decided, one.decided[0])
    )
    kept, pages, page = Calls(store, oldest=lambda _: None), Pages(store), Page("a", b"sealed", 9)
    with pytest.raises(StoreFault):
        kept.keep(twice, page)
    assert find_calls(store, one.id) == []
    assert pages.open("a", reader=None, now=0) is None
    kept.keep(one, page)
    assert find_calls(store, one.id) == [one]
    assert pages.open("a", reader=None, now=0) == KeptPage(b"sealed", reader_fits=True)


def test_threads_that_keep_at_the_same_time_lose_nothing(store: Store) -> None:
    kept = Calls(store, oldest=lambda _: None)
    given = [[call() for _ in range(10)] for _ in range(8)]

    def work(mine: list[Call]) -> None:
        for one in mine:
            kept.keep(one)

    threads = [threading.Thread(target=work, args=(mine,)) for mine in given]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(decisions)) == 160


def test_an_overridden_card_mutes_its_trial_as_it_stood(store: Store) -> None:
    keep(store, call())
    say(store, "card-1", "overridden", "not-suitable")
    assert muted_of(store, ["k1.a"], NOW) == {Muted(TRIAL, "s1")}
    assert muted_of(store, ["k2.x", "k1.a"], NOW) == {Muted(TRIAL, "s1")}
    assert muted_of(store, ["k1.b"], NOW) == frozenset()


def test_one_look_tells_what_is_muted_and_whether_anybody_answered(store: Store) -> None:
    keep(store, call(), call(patient="k1.b", card="card-2"))
    assert known_of(store, ["k1.a"], NOW) == Known(frozenset(), answered=False)
    said = Attestation("k0.a", TRIAL, "I01b", "0" * 64, "no", "nurse", "Ada", None, NOW, None)
    attest(store, [said])
    say(store, "card-1", "overridden", "not-suitable")
    muted = frozenset({Muted(TRIAL, "s1")})
    assert known_of(store, ["k1.a"], NOW) == Known(muted, answered=False)
    assert known_of(store, ["k1.a", "k0.a"], NOW) == Known(muted, answered=True)
    assert known_of(store, ["k1.b", "k0.b"], NOW) == Known(frozenset(), answered=False)


def test_not_now_mutes_for_some_days_and_another_reason_until_something_changes(
    store: Store,
) -> None:
    keep(store, call())
    say(store, "card-1", "overridden", "not-now")
    assert muted_of(store, ["k1.a"], NOW + timedelta(days=6)) == {Muted(TRIAL, "s1")}
    assert muted_of(store, ["k1.a"], NOW + timedelta(days=8)) == frozenset()
    say(store, "card-1", "overridden", "not-now", "patient-declined", at=NOW + timedelta(hours=1))
    assert muted_of(store, ["k1.a"], NOW + timedelta(days=800)) == {Muted(TRIAL, "s1")}


def test_accepting_brings_a_card_back_and_the_same_report_twice_counts_once(store: Store) -> None:
    keep(store, call())
    assert say(store, "card-1", "overridden") == 1
    assert say(store, "card-1", "accepted", at=NOW + timedelta(hours=1)) == 1
    assert muted_of(store, ["k1.a"], NOW) == frozenset()
    assert say(store, "card-1", "overridden") == 0  # sent again: it is not the newer one
    assert muted_of(store, ["k1.a"], NOW) == frozenset()


def test_users_who_override_the_same_card_at_the_same_time_all_succeed(store: Store) -> None:
    keep(store, call())
    done: list[int] = []

    def override(number: int) -> None:
        done.append(say(store, "card-1", "overridden", at=NOW + timedelta(seconds=number)))

    threads = [threading.Thread(target=override, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done == [1] * 8


def test_acceptance_counts_cards_answers_and_reasons_in_a_time(store: Store) -> None:
    later = NOW + timedelta(days=3)
    keep(store, call(), call(), call(card="card-2", patient="k1.b"), call(card="card-3", at=later))
    say(store, "card-1", "accepted")
    say(store, "card-2", "overridden", "not-suitable")
    say(store, "elsewhere", "overridden", "not-suitable")
    first, unknown = acceptance(store, until=NOW + timedelta(days=1))
    assert (first.trial, first.shown, first.answered) == (TRIAL, 2, 2)
    assert (first.accepted, first.overridden, first.rate) == (1, 1, 0.5)
    assert first.reasons == {"not-suitable": 1}
    assert (unknown.trial, unknown.shown, unknown.overridden) == (UNKNOWN_CARD, 0, 1)
    (second,) = acceptance(store, since=NOW + timedelta(days=1))
    assert (second.shown, second.answered, second.rate) == (1, 0, None)


def test_a_patient_is_forgotten_everywhere_and_nobody_else_is(store: Store) -> None:
    keep(store, call(), call(patient="k2.a", card="card-2"), call(patient="k1.b", card="card-3"))
    for card in ("card-1", "card-3"):
        say(store, card, "overridden")
    gone = forget_patient(store, ["k2.a", "k1.a"])
    assert (gone.calls, gone.feedback, gone.mutes) == (2, 1, 1)
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(decisions)) == 2
        assert connection.scalar(select(func.count()).select_from(inputs)) == 1
    assert muted_of(store, ["k1.b"], NOW) == {Muted(TRIAL, "s1")}


def test_what_is_too_old_goes_with_all_that_belongs_to_it(store: Store) -> None:
    old = NOW - timedelta(days=100)
    keep(store, call(at=old), call(card="card-2"))
    say(store, "card-1", "overridden", at=old)
    gone = throw_away(store, NOW - timedelta(days=90))
    assert (gone.calls, gone.feedback, gone.mutes) == (1, 1, 1)
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(decisions)) == 2


def test_keeping_throws_away_what_is_too_old_on_the_way(store: Store) -> None:
    keep(store, call(at=NOW - timedelta(days=100)))
    Calls(store, oldest=lambda now: now - timedelta(days=90)).keep(call(card="card-2"))
    with store.read() as connection:
        assert connection.scalar(select(func.count()).select_from(decisions)) == 2
