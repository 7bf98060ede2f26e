"""That the benchmark does the whole work: the service says what `evaluate` says."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from tests.benchmarks import patient
from tests.benchmarks.servers import service

CRITERIA = {"NCT05490667": 95, "NCT07137884": 82}
_EXTENSION = "org.trial-cds.assessment"


def check_answers() -> None:
    """One request to a real server process, against `trial-cds evaluate` on the same chart.

    Raises:
        AssertionError: a card is missing, a criterion was skipped or lacks its reason, or the two
            say different things.
    """
    made = patient.request()
    with service(workers=1) as server:
        answer = json.loads(server.post([patient.body()]))
    cards = [card["extension"][_EXTENSION] for card in answer["cards"]]
    expected = evaluated(made)
    head = {name: expected[name] for name in ("patient", "on", "problems")}
    assert {card["trial"]: len(card["criteria"]) for card in cards} == CRITERIA
    by_trial = {trial["trial"]: {**head, **trial} for trial in expected["trials"]}
    for card in cards:
        assert card == by_trial[card["trial"]], card["trial"]
        assert all(one["reason"] for one in card["criteria"])
        assert all(one["gaps"] for one in card["criteria"] if one["status"] == "unknown")
    assert any(one["evidence"] for card in cards for one in card["criteria"])


def evaluated(made: dict[str, Any]) -> dict[str, Any]:
    """What `trial-cds evaluate` says of the chart of a request."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle.json")
        bundle.write_text(json.dumps(patient.bundle_of(made)))
        command = [sys.executable, "-m", "cds.cli", "evaluate", str(bundle), "--on", "2026-03-01"]
        done = subprocess.run([*command, "--format", "json"], check=True, capture_output=True)
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer
