"""Answers of people and launches in the store: added and never changed, taken once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from cds.store.attestations import Attestation, attest, attested, newest
from cds.store.calls import forget_patient
from cds.store.database import Store
from cds.store.fault import StoreFault
from cds.store.launches import Launches
from cds.store.tables import attestations

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """An empty store."""
    opened = Store(url)
    opened.open()
    yield opened
    opened.close()


def answer(patient: str = "k1.a", word: str = "no", criterion: str = "I01b") -> Attestation:
    said = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)
    expires = None if word == "withdrawn" else date(2026, 3, 29)
    return Attestation(
        patient,
        "NCT05490667",
        criterion,
        "0" * 64,
        word,
        "investigator",
        "Ada",
        None,
        said,
        expires,
    )


def test_what_was_said_is_read_back_as_it_was_said(store: Store) -> None:
    attest(store, [answer(), answer("k1.b")])
    assert attested(store, ["k1.a"]) == [answer()]


def test_the_newest_counts_and_the_older_ones_stay(store: Store) -> None:
    attest(store, [answer()])
    attest(store, [answer(word="withdrawn")])
    said = attested(store, ["k1.a"])
    assert [one.answer for one in said] == ["no", "withdrawn"]
    assert newest(said)["NCT05490667", "I01b"].answer == "withdrawn"


def test_an_answer_under_an_older_site_key_is_found(store: Store) -> None:
    attest(store, [answer("k1.a")])
    assert attested(store, ["k2.a", "k1.a"]) == [answer("k1.a")]


def test_no_row_can_be_changed(store: Store) -> None:
    attest(store, [answer()])
    with pytest.raises(StoreFault), store.begin() as connection:
        connection.execute(sa.update(attestations).values(answer="yes"))
    assert attested(store, ["k1.a"]) == [answer()]


def test_a_forgotten_patient_leaves_no_answer(store: Store) -> None:
    attest(store, [answer(), answer("k1.b")])
    forget_patient(store, ["k1.a"])
    assert attested(store, ["k1.a"]) == []
    assert attested(store, ["k1.b"]) == [answer("k1.b")]


def test_a_launch_is_taken_by_one_of_many_who_come_at_once(store: Store) -> None:
    launches = Launches(store)
    launches.keep("address", b"sealed", expires=100, now=1)
    with ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: launches.take("address", now=2), range(8)))
    assert sorted(taken, key=str) == sorted([b"sealed", *[None] * 7], key=str)


def test_a_launch_that_ended_is_not_there(store: Store) -> None:
    launches = Launches(store)
    launches.keep("address", b"sealed", expires=100, now=1)
    assert launches.read("address", now=99) == b"sealed"
    assert launches.read("address", now=100) is None
    assert launches.take("address", now=100) is None


def test_launches_that_ended_are_swept_out(store: Store) -> None:
    launches = Launches(store)
    for number in range(70):
        launches.keep(f"a{number}", b"x", expires=number, now=number)
    with store.begin() as connection:
        count = connection.scalar(sa.text("SELECT count(*) FROM launches"))
    assert count is not None
    assert count < 20
