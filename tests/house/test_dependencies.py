"""Dependencies are few, justified and locked."""

import re
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
RUNTIME: list[str] = PROJECT["project"]["dependencies"]
DEVELOPMENT: list[str] = PROJECT["dependency-groups"]["dev"]
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
SMALL_EXTRAS = [each for name, listed in EXTRAS.items() if name != "spark" for each in listed]
# Each lock, and what it must hold.
WANTED = {
    "requirements.lock": RUNTIME,
    "requirements-dev.lock": RUNTIME + SMALL_EXTRAS + DEVELOPMENT,
    "requirements-spark.lock": EXTRAS["spark"],
}


def name_of(requirement: str) -> str:
    """The normalised name at the start of `requirement`: `PyJWT[crypto]>=2` is `pyjwt`."""
    found = re.match(r"[\w.-]+", requirement)
    assert found is not None, requirement
    return re.sub(r"[-_.]+", "-", found.group()).lower()


def locked(lock: str) -> dict[str, str]:
    """Name to version of everything in a lock file."""
    text = (ROOT / lock).read_text("utf-8")
    pins = re.findall(r"^([\w.-]+)==(\S+) \\$", text, re.MULTILINE)
    return {name_of(name): version for name, version in pins}


def table(heading: str) -> list[str]:
    """The first column of the table below `heading` in docs/dependencies.md."""
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    section = page.split(f"## {heading}\n")[1].split("\n## ")[0]
    return [name_of(cell) for cell in re.findall(r"^\| `([^`]+)`", section, re.MULTILINE)]


@pytest.mark.parametrize(
    ("heading", "requirements"),
    [("What the product needs", RUNTIME), ("What work on it needs", DEVELOPMENT)],
)
def test_every_direct_dependency_is_justified(heading: str, requirements: list[str]) -> None:
    assert sorted(table(heading)) == sorted(name_of(requirement) for requirement in requirements)


def test_every_package_of_an_extra_is_justified() -> None:
    page = (ROOT / "docs" / "dependencies.md").read_text("utf-8")
    section = page.split("## What the extras add\n")[1].split("\n## ")[0]
    rows = re.findall(r"^\| `([^`]+)` \| `([^`]+)` \|", section, re.MULTILINE)
    wanted = [(name, name_of(each)) for name, listed in EXTRAS.items() for each in listed]
    assert sorted(rows) == sorted(wanted)


@pytest.mark.parametrize("lock", WANTED)
def test_every_direct_dependency_is_locked(lock: str) -> None:
    assert {name_of(requirement) for requirement in WANTED[lock]} <= locked(lock).keys()


def test_tests_run_the_versions_that_hospitals_run() -> None:
    runtime = locked("requirements.lock")
    development = locked("requirements-dev.lock")
    assert {name: development.get(name) for name in runtime} == runtime


def test_the_locks_that_stand_side_by_side_agree() -> None:
    development = locked("requirements-dev.lock")
    spark = locked("requirements-spark.lock")
    assert {name: spark[name] for name in spark.keys() & development.keys()} == {
        name: development[name] for name in spark.keys() & development.keys()
    }


@pytest.mark.parametrize("lock", WANTED)
def test_a_lock_holds_versions_and_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text("utf-8")
    odd = [
        line
        for line in text.splitlines()
        if not re.fullmatch(
            r"|#.*|[\w.-]+==[\w.+!]+ \\|    --hash=sha256:[0-9a-f]{64}(?: \\)?", line
        )
    ]
    assert odd == []
    assert "://" not in text
