"""`/metrics`: one answer for all workers, and nothing of a patient in it."""

from __future__ import annotations

import re
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import psutil
import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Callable


@pytest.fixture(scope="module")
def server(serve: Callable[..., Any], story: Any) -> Any:
    """A service of two workers whose counts nobody else touches."""
    return serve(ON=story.day)


def test_every_worker_answers_for_all_and_names_nobody(server: Any, story: Any) -> None:
    """Ten hooks are ten hooks, whichever worker is asked."""
    before = counted(server)
    for _ in range(10):
        assert server.fire(story.request()).status_code == 200
    texts = [exposition(server) for _ in range(6)]
    patient = story.request()["context"]["patientId"]
    for text in texts:
        assert counted_in(text) == before + 10
        assert patient not in text
        assert "trial_cds_cards_total{topic=" in text


def test_what_a_killed_worker_counted_stays(serve: Callable[..., Any], story: Any) -> None:
    served = serve(ON=story.day)
    for _ in range(8):
        assert served.fire(story.request()).status_code == 200
    killed = psutil.Process(served.process.pid).children()
    for worker in killed:
        worker.kill()
    psutil.wait_procs(killed, timeout=10)
    ends = time.monotonic() + 30
    while True:
        with suppress(requests.ConnectionError):
            if served.fire(story.request()).status_code == 200:
                break
        assert time.monotonic() < ends
        time.sleep(0.05)
    assert counted(served) == 9


def exposition(server: Any) -> str:
    answer = requests.get(f"{server.url}/metrics", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"].startswith("text/plain")
    return answer.text


def counted(server: Any) -> int:
    return counted_in(exposition(server))


def counted_in(text: str) -> int:
    found = re.search(r"^trial_cds_hook_seconds_count (\S+)$", text, re.MULTILINE)
    return int(float(found[1])) if found else 0
