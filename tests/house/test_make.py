"""The commands of the Makefile."""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MAKEFILE = (ROOT / "Makefile").read_text("utf-8")

TOO_OLD = "#!/bin/sh\nexit 1\n"
WITHOUT_VENV = '#!/bin/sh\ncase "$2" in *ensurepip*) exit 1 ;; esac\n'


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `command` in `cwd` as a person would, outside of any make that runs the tests."""
    outer = {key: value for key, value in os.environ.items() if not key.startswith("MAKE")}
    return subprocess.run(
        command,
        cwd=cwd,
        env=outer | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def test_bare_make_lists_every_target() -> None:
    targets = re.findall(r"^([a-z][a-z-]*):", MAKEFILE, re.MULTILINE)
    listed = re.findall(r"^make (\S+)", run("make", cwd=ROOT).stdout, re.MULTILINE)
    assert {"demo", "test", "lint", "types", "contracts"} <= set(targets)
    assert sorted(listed) == sorted(targets)


@pytest.mark.parametrize(
    ("python", "says"),
    [(TOO_OLD, "needs Python 3.11 or newer"), (WITHOUT_VENV, "has no venv module")],
    ids=["an older Python", "no venv module"],
)
def test_a_machine_that_cannot_run_it_is_told_so_in_one_sentence(
    python: str, says: str, tmp_path: Path
) -> None:
    for name in ("Makefile", "tools/setup.sh", "pyproject.toml", "requirements-dev.lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    fake = tmp_path / "python"
    fake.write_text(python, "utf-8")
    fake.chmod(0o755)
    for command in (("sh", "tools/setup.sh"), ("make", "demo"), ("make", "test")):
        result = run(*command, cwd=tmp_path, PYTHON=str(fake))
        sentences = [
            line for line in result.stderr.splitlines() if not line.startswith("make: ***")
        ]
        assert result.returncode != 0
        assert len(sentences) == 1
        assert says in sentences[0]
        assert result.stdout == ""
        assert not (tmp_path / ".venv").exists()
