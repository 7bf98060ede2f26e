"""What no file of the repository may hold."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ONE_MEGABYTE = 1_000_000

# A folder of somebody's machine: the first step of an absolute path, with something below it.
# Written in pieces, as is what follows, so that this file does not hold what it looks for.
MACHINE_FOLDERS = ("work", "root", "home", "tmp", "Users", "opt")
MACHINE_PATH = re.compile(rf"(?<![\w.:/$}}>~-])/(?:{'|'.join(MACHINE_FOLDERS)})/\w")

REGISTRY_HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("yarnpkg", "com"),
        ("maven", "org"),
        ("maven", "apache", "org"),
        ("docker", "io"),
        ("gcr", "io"),
        ("quay", "io"),
        ("anaconda", "org"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("proxy", "golang", "org"),
        ("deb", "debian", "org"),
        ("archive", "ubuntu", "com"),
    )
)

LEFT_UNDONE = re.compile(r"\b(?:{})\b".format("|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X"))))


def tracked_files() -> list[Path]:
    """Every file that git tracks and that still exists."""
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - git is wherever the machine keeps it
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


FILES = tracked_files()


def lines_with(pattern: re.Pattern[str]) -> list[str]:
    """`file:line` of each line of a tracked text file in which `pattern` is found."""
    found: list[str] = []
    for path in FILES:
        try:
            text = path.read_text("utf-8")
        except UnicodeDecodeError:
            continue  # an image or an archive has no lines
        found.extend(
            f"{path.relative_to(ROOT)}:{number}"
            for number, line in enumerate(text.splitlines(), start=1)
            if pattern.search(line)
        )
    return found


def test_git_tracks_the_files_that_are_looked_through() -> None:
    assert ROOT / "pyproject.toml" in FILES


def test_no_file_names_a_path_of_somebodys_machine() -> None:
    assert lines_with(MACHINE_PATH) == []


@pytest.mark.parametrize("folder", MACHINE_FOLDERS)
def test_a_path_of_a_machine_would_be_found(folder: str) -> None:
    assert MACHINE_PATH.search(f'open("/{folder}/somebody/notes.txt")')
    assert not MACHINE_PATH.search(f"https://example.org/{folder}/notes")


def test_no_file_names_the_host_of_a_package_registry() -> None:
    hosts = re.compile("|".join(re.escape(host) for host in REGISTRY_HOSTS))
    assert lines_with(hosts) == []


def test_nothing_is_marked_as_left_undone() -> None:
    assert lines_with(LEFT_UNDONE) == []


def test_no_file_is_larger_than_one_megabyte() -> None:
    assert [str(path) for path in FILES if path.stat().st_size > ONE_MEGABYTE] == []
