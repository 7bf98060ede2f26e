"""Write the lock files: exact versions with the hashes of their files.

    .venv/bin/python tools/lock.py             keep what is locked, add what is new
    .venv/bin/python tools/lock.py --upgrade   take the newest versions that fit

requirements.lock holds what runs the product; requirements-dev.lock adds its extras and the group
`dev` of pyproject.toml; requirements-spark.lock holds the extra `spark` alone, which is large and
which few need. None names the address of a package index: a hospital has its own mirror, and the
hashes say whether that mirror holds the same files.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "requirements.lock"
DEVELOPMENT = ROOT / "requirements-dev.lock"
SPARK = ROOT / "requirements-spark.lock"

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
    """Lock the runtime first; the locks that are installed beside it keep to the same versions."""
    extras = _extras()
    spark = extras.pop("spark")
    development = _runtime() + [each for listed in extras.values() for each in listed]
    _lock(RUNTIME, _runtime(), options)
    _lock(DEVELOPMENT, development + _development(), [*options, "--constraint", str(RUNTIME)])
    _lock(SPARK, spark, [*options, "--constraint", str(DEVELOPMENT)])


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


def _extras() -> dict[str, list[str]]:
    """What each optional part of the product requires."""
    listed: dict[str, list[str]] = _project()["project"]["optional-dependencies"]
    return dict(listed)


def _development() -> list[str]:
    """The requirements of those who work on it."""
    listed: list[str] = _project()["dependency-groups"]["dev"]
    return listed


def _project() -> dict[str, Any]:
    """The two tables of pyproject.toml that list requirements, and the others."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


if __name__ == "__main__":
    main(sys.argv[1:])
