"""A chart comes to the same whether it is a file, in our small endpoint, or in a real HAPI."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

WAYS: dict[str, dict[str, Any]] = {
    "a page of 1": {"fhir_page_size": 1},
    "a page of 20": {"fhir_page_size": 20},
    "a page of 200": {"fhir_page_size": 200},
    "one batch": {"fhir_batch": "yes"},
    "category by category": {"dialect": "epic"},
    "in parts": {"fhir_parts": "yes", "fhir_page_size": 5},
}


def comparable(said: dict[str, Any]) -> dict[str, Any]:
    """Without what a server was rightly not asked: the rest of a chart without any diagnosis."""
    problems = [one for one in said["problems"] if "nobody asked" not in one["says"]]
    return said | {"problems": problems}


@pytest.mark.parametrize("way", WAYS)
def test_a_server_says_what_the_file_says_however_it_is_asked(
    story: Any, way: str, server: Any, from_file: Any, from_server: Any
) -> None:
    expected = from_file(story.as_a_server_gives_it(server.refused), story.asked)
    got = from_server(server.allowed(), story.told["patient"], story.asked, **WAYS[way])
    assert comparable(got) == expected


def test_the_command_line_reads_a_chart_by_its_id(hapi: Any, stories: Any, from_file: Any) -> None:
    story = stories["desmoid-clarithromycin"]
    words = ["evaluate", "--fhir", hapi.base, "--patient", story.told["patient"]]
    words += ["--on", story.told["day"], "--format", "json"]
    done = subprocess.run(
        [sys.executable, "-m", "cds.cli", *words],
        env={"TRIAL_CDS_FHIR_ALLOW": f"{hapi.base}={hapi.alias or hapi.base}", "HOME": "."},
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == from_file(story.as_a_server_gives_it(), story.asked)
    assert done.stderr == ""
