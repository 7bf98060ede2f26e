"""Write requirements.lock and requirements-dev.lock: exact versions with the hashes of their files.

    .venv/bin/python tools/lock.py             keep what is locked, add what is new
    .venv/bin/python tools/lock.py --upgrade   take the newest versions that fit

The first lock holds what runs the product; the second adds the group `dev` of pyproject.toml.
Neither names the address of a package index: a hospital installs from its own mirror, and the
hashes say whether that mirror holds the same files.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"

_COMPILE = [
    sys.executable,
    "-m",
    "piptools",
    "compile",
    "--quiet",
    "--generate-hashes",
    "--allow-unsafe",
    "--strip-extras",
    "--no-header",
    "--no-annotate",
    "--no-emit-index-url",
    "--no-emit-trusted-host",
    "--no-emit-find-links",
    "--no-emit-options",
]


def main(options: list[str]) -> None:
    """Lock the runtime first; the development lock then keeps to the same versions."""
    _lock(RUNTIME, _runtime(), options)
    _lock(DEVELOPMENT, _runtime() + _development(), [*options, "--constraint", str(RUNTIME)])


def _lock(target: Path, requirements: list[str], options: list[str]) -> None:
    """Resolve `requirements` into `target`, starting from the versions that stand there."""
    with tempfile.TemporaryDirectory() as folder:
        wanted = Path(folder) / "requirements.in"
        wanted.write_text("\n".join(requirements) + "\n", "utf-8")
        command = [*_COMPILE, *options, "--output-file", str(target), str(wanted)]
        subprocess.run(command, check=True, cwd=ROOT)


def _runtime() -> list[str]:
    """The requirements of the product."""
    listed: list[str] = _project()["project"]["dependencies"]
    return listed


def _development() -> list[str]:
    """The requirements of those who work on it."""
    listed: list[str] = _project()["dependency-groups"]["dev"]
    return listed


def _project() -> dict[str, dict[str, list[str]]]:
    """The two tables of pyproject.toml that list requirements, and the others."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
