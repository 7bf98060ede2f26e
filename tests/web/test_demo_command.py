"""`trial-cds demo` as a person starts and ends it."""

from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

PROGRAM = str(Path(sys.executable).with_name("trial-cds"))


@contextmanager
def started(port: int) -> Iterator[tuple[subprocess.Popen[str], str, list[str]]]:
    """The program, the address that it names, and the lines that it has printed by then."""
    command = [PROGRAM, "demo", "--port", str(port)]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as program:
        assert program.stdout is not None
        lines: list[str] = []
        try:
            for line in program.stdout:
                lines.append(line.rstrip())
                if found := re.search(r"runs at (http://127\.0\.0\.1:\d+)/", line):
                    yield program, found[1], lines
                    return
            pytest.fail(f"the demo ended: {lines}")
        finally:
            program.kill()


def taken_port() -> socket.socket:
    """A port on which somebody listens."""
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


def test_a_busy_port_takes_the_next_free_one_and_the_real_service_answers_there() -> None:
    with taken_port() as busy:
        port = busy.getsockname()[1]
        with started(port) as (_, address, lines):
            assert lines[0].startswith(f"Port {port} is busy; the demo takes ")
            sent = {
                "hook": "patient-view",
                "hookInstance": str(uuid4()),
                "context": {"userId": "Practitioner/demo", "patientId": "desmoid-itraconazole"},
                "fhirServer": f"{address}/fhir",
            }
            answer = requests.post(
                f"{address}/cds-services/trial-eligibility", json=sent, timeout=30
            )
            assert answer.status_code == 200, answer.text
            [card] = answer.json()["cards"]
            assert "NCT05490667" in card["summary"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_ends_at_once_and_quietly(number: signal.Signals) -> None:
    with taken_port() as free:
        port = free.getsockname()[1]
    with started(port) as (program, address, _):
        assert requests.get(f"{address}/demo/", timeout=30).status_code == 200
        begun = time.monotonic()
        program.send_signal(number)
        rest, _ = program.communicate(timeout=10)
        assert time.monotonic() - begun < 2
        assert program.returncode == 0
        assert "Traceback" not in rest
        assert rest.splitlines()[-1] == "The demo has ended."
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{address}/healthz", timeout=5)
