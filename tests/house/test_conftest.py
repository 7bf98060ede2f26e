"""What tests/conftest.py and the settings of pytest promise."""

import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

ROOT = Path(__file__).resolve().parents[2]
IN_A_TEST = "import pytest\n\ndef test_it() -> None:\n    pytest.skip('not today')\n"
OF_A_TEST = "import pytest\n\n@pytest.mark.skip\ndef test_it() -> None:\n    pass\n"
OF_A_FILE = "import pytest\n\npytest.importorskip('no_such_module')\n"
WARNS = "import warnings\n\ndef test_it() -> None:\n    warnings.warn('old', DeprecationWarning)\n"
PASSES = "def test_it() -> None:\n    assert True\n"


def outcome(test: str, folder: Path) -> tuple[int, str]:
    """Exit status and output of pytest, with the house's settings, on one test file."""
    for name in ("pyproject.toml", "tests/conftest.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    (folder / "tests" / "test_it.py").write_text(test, "utf-8")
    result = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


@pytest.mark.filterwarnings("ignore:A test tried to use socket:UserWarning")
def test_a_test_cannot_call_beyond_this_machine() -> None:
    outside = "192.0.2.1"  # an address that RFC 5737 keeps for documentation
    with socket.socket() as caller, pytest.raises(SocketConnectBlockedError):
        caller.connect((outside, 80))


@pytest.mark.parametrize(
    "test", [IN_A_TEST, OF_A_TEST, OF_A_FILE], ids=["in a test", "of a test", "of a file"]
)
def test_a_skip_is_a_failure(test: str, tmp_path: Path) -> None:
    status, says = outcome(test, tmp_path)
    assert status != 0
    assert "A skipped test proves nothing" in says


def test_a_warning_is_a_failure(tmp_path: Path) -> None:
    assert outcome(WARNS, tmp_path)[0] == 1


def test_a_test_that_holds_passes(tmp_path: Path) -> None:
    assert outcome(PASSES, tmp_path)[0] == 0
