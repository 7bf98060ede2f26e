"""An answer leaves in time: so much of it is held back as judging and keeping took lately."""

from __future__ import annotations

import time
import uuid
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING, Any

import pytest

from cds.assess import Content, load_content
from cds.cards.card import cards_for
from cds.content.bundled import bundled_content, bundled_fixtures
from cds.fhir.outbound import Deadline
from cds.settings import FhirBase, Settings
from cds.web.app import create_app
from cds.web.fhir_endpoint import Faults, create_fhir_app, load_fixtures, serving
from cds.web.reserve import Reserve

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="module")
def content() -> Content:
    return load_content([bundled_content()])


def test_a_first_call_keeps_more_time_for_itself_than_calls_that_are_known_to_be_quick() -> None:
    reserve = Reserve(4)
    first = reserve.seconds
    for _ in range(20):
        reserve.note(0.02)
    assert first == 0.75
    assert reserve.seconds == 0.25


def test_a_machine_that_others_keep_busy_is_noticed_at_once_and_forgotten_by_and_by() -> None:
    reserve = Reserve(4)
    for _ in range(20):
        reserve.note(0.02)
    reserve.note(0.6)
    assert reserve.seconds == pytest.approx(0.9)
    reserve.note(0.02)
    assert 0.7 < reserve.seconds < 0.9
    for _ in range(20):
        reserve.note(0.02)
    assert reserve.seconds == 0.25


@pytest.mark.parametrize("whole", [0.5, 1, 4, 30])
def test_most_of_the_time_is_left_for_the_servers(whole: float) -> None:
    reserve = Reserve(whole)
    reserve.note(100)
    assert reserve.seconds == pytest.approx(whole / 3)
    for _ in range(100):
        reserve.note(0)
    assert reserve.seconds == min(0.25, whole / 10)


def test_a_call_after_one_that_took_long_to_judge_waits_less_for_servers(
    content: Content, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A slow judging is noticed, a slow server is not taken for it."""
    given: list[float] = []
    after = Deadline.after

    def noted(seconds: float) -> Deadline:
        given.append(seconds)
        return after(seconds)

    def slowly(*words: Any, **more: Any) -> Any:
        time.sleep(0.4)
        return cards_for(*words, **more)

    monkeypatch.setattr("cds.web.app.Deadline.after", noted)
    slow = Faults(slow_types={"Patient": 0.8})
    with serving(create_fhir_app(load_fixtures(bundled_fixtures(), None), faults=slow)) as base:
        settings = replace(
            Settings(fhir_allow=(FhirBase(base),)), database_url=f"sqlite:///{tmp_path / 's.db'}"
        )
        service = create_app(settings, content, lambda: date(2026, 3, 1)).test_client()

        def fire() -> None:
            request = {
                "hook": "patient-view",
                "hookInstance": str(uuid.uuid4()),
                "fhirServer": base,
                "context": {"userId": "Practitioner/x", "patientId": "desmoid-ready"},
            }
            assert service.post("/cds-services/trial-eligibility", json=request).status_code == 200

        fire()
        monkeypatch.setattr("cds.web.hook.cards_for", slowly)
        fire()
        fire()
    first, _, last = (one for one in given if one < 4)  # in the background ten seconds are given
    assert first == pytest.approx(4 - 0.75)
    assert 4 - 4 / 3 < last <= 4 - 0.4 * 1.5
