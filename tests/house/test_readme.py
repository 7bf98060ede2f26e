"""What README shows is true."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text("utf-8")
COMMANDS = re.findall(r"^\.venv/bin/trial-cds (.+)$", README, re.MULTILINE)


def test_the_card_in_readme_is_what_its_story_gives_today() -> None:
    """`python tools/golden.py` writes it."""
    spec = importlib.util.spec_from_file_location("golden", ROOT / "tools" / "golden.py")
    assert spec is not None
    assert spec.loader is not None
    golden = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(golden)
    assert golden.with_card(README) == README


@pytest.mark.parametrize("command", COMMANDS)
def test_each_command_in_readme_runs(command: str) -> None:
    """And says something."""
    words = [sys.executable, "-m", "cds.cli", *shlex.split(command)]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_readme_links_to_files_that_exist() -> None:
    """Relative links of README lead somewhere."""
    links = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_criterion_in_readme_is_the_one_in_the_trial() -> None:
    """E28a, word for word."""
    shown = re.search(r"```yaml\n(.*?)```", README, re.DOTALL)
    assert shown is not None
    trial = (ROOT / "trials/NCT05490667/exclusion.yaml").read_text("utf-8")
    shown_lines = [line.strip() for line in shown[1].splitlines()]
    assert "\n".join(shown_lines) in "\n".join(line.strip() for line in trial.splitlines())
