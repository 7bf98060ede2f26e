"""A card that was overridden stays away for that patient until something has changed."""

from __future__ import annotations

import copy
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from cds.web.app import keeper_of
from cds.web.kept.service import now

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

Json = dict[str, Any]
DAY = date(2026, 3, 1)


def outcomes(running: Any, answer: Any) -> set[str]:
    return {one.outcome for one in running.call(answer).decided}


def test_an_overridden_card_does_not_come_again(service: Callable[..., Any]) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "overridden", "not-suitable")
    answer = running.fire()
    assert answer.get_json()["cards"] == []
    assert "muted" in outcomes(running, answer)


def test_nor_on_another_day_while_nothing_has_changed(service: Callable[..., Any]) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "overridden")
    tomorrow = service(day=DAY + timedelta(days=1))
    assert tomorrow.cards() == []


def test_it_comes_again_when_the_determination_changes(
    service: Callable[..., Any], chart: Callable[[str], Json]
) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "overridden")
    observations: Json = copy.deepcopy(chart("desmoid-ready")["observations"])
    observations["entry"] = [
        entry for entry in observations["entry"] if "anc" not in entry["resource"]["id"]
    ]
    observations["total"] = len(observations["entry"])
    (again,) = running.cards(prefetch={"observations": observations})
    assert again["uuid"] != card["uuid"]


def test_another_patient_still_gets_it(service: Callable[..., Any]) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "overridden")
    assert len(running.cards("desmoid-anc-cells")) == 1


def test_the_same_id_at_another_hospital_is_another_patient(service: Callable[..., Any]) -> None:
    running = service()
    (card,) = running.cards(fhirServer="https://one.example.org/r4")
    running.say(card, "overridden")
    assert running.cards(fhirServer="https://ONE.example.org/r4/") == []
    assert len(running.cards(fhirServer="https://two.example.org/r4")) == 1


def test_an_accepted_card_stays_and_accepting_it_later_brings_it_back(
    service: Callable[..., Any],
) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "accepted")
    assert len(running.cards()) == 1
    running.say(card, "overridden", at="10:00:00")
    assert running.cards() == []
    running.say(card, "accepted", at="11:00:00")
    assert len(running.cards()) == 1


def test_not_now_is_asked_again_after_the_days_that_a_setting_says(
    service: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    running = service(not_now_days=3)
    (card,) = running.cards()
    running.say(card, "overridden", "not-now")
    assert running.cards() == []
    monkeypatch.setattr("cds.web.hook.now", lambda: now() + timedelta(days=4))
    assert len(running.cards()) == 1


def test_a_setting_shows_overridden_cards_again(service: Callable[..., Any]) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "overridden")
    assert len(service(mute_overridden=False).cards()) == 1


def test_a_mute_outlives_the_site_key_that_it_was_made_under(
    service: Callable[..., Any], tmp_path: Any
) -> None:
    running = service()
    (card,) = running.cards()
    running.say(card, "overridden")
    keys = tmp_path / "site-keys"
    keys.write_text(f"k2 {'ab' * 32}\n{keys.read_text()}")
    rotated = service()
    answer = rotated.fire()
    assert answer.get_json()["cards"] == []
    assert rotated.call(answer).patient.startswith("k2.")
    assert keeper_of(rotated.app).keys().patients("", "x")[1].startswith("k1.")
