"""A short run of tools/fuzz.py, and that it would notice if something broke."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TOOL = Path(__file__).resolve().parents[2] / "tools" / "fuzz.py"


@pytest.fixture(scope="module")
def fuzz() -> Any:
    """The tool as a module."""
    spec = importlib.util.spec_from_file_location("fuzz", TOOL)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["fuzz"] = module
    spec.loader.exec_module(module)
    return module


def test_hundreds_of_broken_requests_are_answered_without_a_fault() -> None:
    """Each in time, none with a 5xx, none quoting what was sent; many more with the tool itself."""
    done = subprocess.run(
        [sys.executable, str(TOOL), "--count", "600", "--minutes", "1", "--seed", "7"],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "600 inputs" in done.stdout
    assert "trial-eligibility 200" in done.stdout  # some get through to the cards


def test_the_same_seed_breaks_the_same_documents(fuzz: Any) -> None:
    def some(seed: int) -> list[tuple[str, bytes]]:
        stream = fuzz.inputs(seed)
        return [next(stream) for _ in range(20)]

    assert some(1) == some(1)
    assert some(1) != some(2)


class Answer:
    """An answer of the service, as the tool sees it."""

    def __init__(self, status: int, body: bytes) -> None:
        """Hold both."""
        self.status_code = status
        self._body = body

    def get_data(self) -> bytes:
        """The body."""
        return self._body


OUTCOME = b'{"resourceType":"OperationOutcome","issue":[{"diagnostics":"%s"}]}'
CARD = b'{"cards":[{"summary":"s","detail":"%s","extension":{}}]}'


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Answer(500, b""), "status 500"),
        (Answer(400, b"{}"), "without an OperationOutcome"),
        (Answer(400, OUTCOME % b"Zq7MARKERx"), "quotes"),
        (Answer(200, CARD % b"<script>"), "HTML"),
        (Answer(200, CARD % b""), "empty"),
        (Answer(200, CARD.replace(b'"s"', b'"%s"' % (b"x" * 140)) % b"d"), "summary"),
    ],
)
def test_what_must_not_happen_is_noticed(fuzz: Any, answer: Answer, wrong: str) -> None:
    assert wrong in fuzz.judge_response(answer, b"... Zq7MARKERx ...")


@pytest.mark.parametrize(
    "answer", [Answer(400, OUTCOME % b"no"), Answer(200, b""), Answer(200, CARD % b"d")]
)
def test_a_proper_answer_is_no_finding(fuzz: Any, answer: Answer) -> None:
    assert fuzz.judge_response(answer, b"Zq7MARKERx") is None
