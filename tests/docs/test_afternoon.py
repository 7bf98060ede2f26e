"""docs/a-trial-in-an-afternoon.md, followed from its first command to its last."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import yaml
from click.testing import CliRunner, Result

from cds.cli import main
from cds.content.bundled import bundled_content

if TYPE_CHECKING:
    import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "a-trial-in-an-afternoon.md").read_text("utf-8")
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
EDITS = [text for language, text in BLOCKS if language == "yaml"]
COMMANDS = [
    shlex.split(line)[1:]
    for language, text in BLOCKS
    for line in text.splitlines()
    if not language and line.startswith("trial-cds ")
]


def run(*words: str) -> Result:
    """One command of the page; a question is answered with yes."""
    return CliRunner().invoke(main, list(words), input="y\n")


def edit(folder: Path, block: str) -> None:
    """Put a block of the page where it belongs: a key of trial.yaml, or a criterion."""
    if block.startswith("short_title"):
        path, pattern = folder / "trial.yaml", r"^short_title: .*\n"
    else:
        (key,) = re.findall(r"- id: (\w+)", block)
        path = folder / ("inclusion.yaml" if key.startswith("I") else "exclusion.yaml")
        pattern = rf"^  - id: {key}\n(?:    .*\n)+"
    text, count = re.subn(pattern, lambda _: block, path.read_text("utf-8"), flags=re.MULTILINE)
    assert count == 1, f"the draft has no such place: {block}"
    path.write_text(text, "utf-8")


def test_the_afternoon_leads_to_a_signed_trial(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("docs", "fixtures"):
        (tmp_path / name).symlink_to(ROOT / name)
    monkeypatch.chdir(tmp_path)
    folder = Path("our-content/trials/NCT00000000")
    folder.parent.mkdir(parents=True)
    monkeypatch.setenv("TRIAL_CDS_CONTENT", f"{bundled_content()}:our-content")

    drafting, *others = COMMANDS
    told = run(*drafting)
    assert told.exit_code == 0, told.output
    assert all(line in told.output for line in BLOCKS[1][1].splitlines())
    for block in EDITS:
        edit(folder, block)
    for name in ("inclusion.yaml", "exclusion.yaml"):
        text = (folder / name).read_text("utf-8")
        (folder / name).write_text(text.replace("status: drafted", "status: reviewed"), "utf-8")
    shown: dict[str, str] = {}
    for words in others:
        if "--serve" in words:
            continue  # it waits for a browser; tests/web follows it
        told = run(*words)
        assert words[0] == "check" or told.exit_code == 0, f"{words}: {told.output}"
        shown[" ".join(words)] = told.output
    assert run("check", "--trial", folder.name).exit_code == 0
    assert yaml.safe_load((folder / "trial.yaml").read_text("utf-8"))["sign_off"]
    verdicts = [text for words, text in shown.items() if words.startswith("evaluate")]
    assert "E07" in verdicts[1]
    assert "ineligible" in verdicts[1].casefold()
