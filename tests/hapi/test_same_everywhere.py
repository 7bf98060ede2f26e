"""A chart comes to the same whether it is a file, in our small endpoint, or in a real HAPI."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest

from cds.content.bundled import bundled_fixtures
from cds.settings import FhirBase
from cds.web.fhir_endpoint import create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def endpoint() -> Iterator[FhirBase]:
    """The embedded endpoint over the same stories."""
    with serving(create_fhir_app(load_fixtures(bundled_fixtures(), None))) as base:
        yield FhirBase(base)


def comparable(said: dict[str, Any]) -> dict[str, Any]:
    """Without what a server was rightly not asked: the rest of a chart without any diagnosis."""
    problems = [one for one in said["problems"] if "nobody asked" not in one["says"]]
    return said | {"problems": problems}


@pytest.mark.parametrize("size", [1, 20, 200])
def test_hapi_says_what_the_file_says_whatever_the_page_size(
    story: Any, size: int, hapi: Any, from_file: Any, from_server: Any
) -> None:
    expected = from_file(story.as_a_server_gives_it(hapi.refused), story.asked)
    got = from_server(hapi.allowed(), story.told["patient"], story.asked, fhir_page_size=size)
    assert comparable(got) == expected


@pytest.mark.parametrize("size", [1, 20, 200])
def test_the_embedded_endpoint_says_what_the_file_says_whatever_the_page_size(
    story: Any, size: int, endpoint: FhirBase, from_file: Any, from_server: Any
) -> None:
    expected = from_file(story.as_a_server_gives_it(), story.asked)
    got = from_server(endpoint, story.told["patient"], story.asked, fhir_page_size=size)
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
