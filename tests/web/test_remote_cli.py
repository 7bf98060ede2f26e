"""`evaluate --fhir` at the command line: tokens from a file, one sentence where it cannot be."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner, Result

from cds.cli import main
from cds.content.bundled import bundled_fixtures
from cds.web.fhir_endpoint import Faults, create_fhir_app, load_fixtures, serving

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

TOKEN = "token-of-this-chart"  # noqa: S105 - opens nothing
STORE = load_fixtures(bundled_fixtures(), None)
STORY = bundled_fixtures() / "desmoid-clarithromycin" / "bundle.json"
ASKED = ["--on", "2026-03-01", "--format", "json"]


@pytest.fixture
def base() -> Iterator[str]:
    with serving(create_fhir_app(STORE, token=TOKEN)) as address:
        yield address


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["evaluate", *words])


def test_a_token_file_opens_the_chart_and_the_answer_is_that_of_the_file(
    base: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{TOKEN}\n", "utf-8")
    words = ["--fhir", base, "--patient", "desmoid-clarithromycin"]
    result = run(*words, "--token-file", str(tmp_path / "token"), *ASKED)
    assert (result.exit_code, result.stderr) == (0, "")
    assert json.loads(result.stdout) == json.loads(run(str(STORY), *ASKED).stdout)


@pytest.mark.parametrize("token", ["", "two words", "Bearer x", "ümlaut"])
def test_a_token_file_that_holds_something_else_is_refused_without_repeating_it(
    base: str, tmp_path: Path, token: str
) -> None:
    (tmp_path / "token").write_text(token, "utf-8")
    result = run("--fhir", base, "--patient", "p", "--token-file", str(tmp_path / "token"))
    assert result.exit_code == 2
    assert "holds the token alone" in result.stderr
    assert not token or token not in result.stderr


def test_a_wrong_token_ends_in_one_sentence_that_does_not_hold_it(
    base: str, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text("wrong-token", "utf-8")
    words = ["--fhir", base, "--patient", "desmoid-ready"]
    result = run(*words, "--token-file", str(tmp_path / "token"))
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "does not accept the access token" in result.stderr
    assert "wrong-token" not in result.stderr


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["--fhir", "https://e.example/r4"],
        ["--patient", "4711"],
        [str(STORY), "--fhir", "https://e.example/r4", "--patient", "4711"],
        [str(STORY), "--patient", "4711"],
        [str(STORY), "--client-id", "me"],
        ["--fhir", "https://e.example/r4", "--patient", "4711", "--client-id", "me"],
    ],
)
def test_options_that_do_not_belong_together_are_refused(words: list[str]) -> None:
    result = run(*words)
    assert (result.exit_code, result.stdout) == (2, "")
    assert result.stderr.count("\n") == 1
    assert "--help shows an example" in result.stderr


def test_what_one_category_did_not_give_is_named_and_nothing_else_suffers(tmp_path: Path) -> None:
    (tmp_path / "token").write_text(TOKEN, "utf-8")
    faults = Faults(forbidden_categories=frozenset({"vital-signs"}))
    with serving(create_fhir_app(STORE, token=TOKEN, faults=faults)) as base:
        words = ["--fhir", base, "--patient", "desmoid-ready", *ASKED]
        result = run(*words, "--token-file", str(tmp_path / "token"))
    said = json.loads(result.stdout)
    assert [one["says"] for one in said["problems"]] == [
        "Observation (vital-signs) not read: the FHIR server does not allow it"
    ]
    statuses = {one["id"]: one["status"] for one in said["trials"][0]["criteria"]}
    assert statuses["I07b"] == "pass"
