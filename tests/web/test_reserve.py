"""An answer leaves in time: so much of it is held back as judging and keeping took lately."""

from __future__ import annotations

import pytest

from cds.web.reserve import Reserve


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
