"""The wheel, installed into an empty environment, is whole."""

import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
TRIALS = {"NCT05490667", "NCT07137884"}
STATUSES = {"pass", "fail", "unknown", "review"}

pytestmark = pytest.mark.wheel


def run(*command: str | Path, cwd: Path) -> str:
    """What `command` writes to standard output; a failure shows what it wrote to the other."""
    result = subprocess.run(
        command, cwd=cwd, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the checkout."""
    out = tmp_path_factory.mktemp("dist")
    run(
        *(sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT),
        cwd=out,
    )
    (built,) = out.glob("trial_cds-*.whl")
    return built


@pytest.fixture(scope="module")
def environment(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An environment that holds the runtime lock and the wheel, and strays beside the package."""
    home = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", home, cwd=home)
    pip = (home / "bin" / "python", "-m", "pip", "install", "--quiet")
    run(*pip, "--require-hashes", "--requirement", ROOT / "requirements.lock", cwd=home)
    run(*pip, "--no-deps", wheel, cwd=home)
    (packages,) = home.glob("lib/python3*/site-packages")
    for stray in ("trials", "mappings", "fixtures"):
        (packages / stray).mkdir()
    return home


def test_the_wheel_carries_trials_mappings_and_fixtures_inside_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    top = {name.split("/")[0] for name in names}
    assert {name for name in top if not name.endswith(".dist-info")} == {"cds"}
    for folder in ("mappings", "trials", "fixtures"):
        checkout = {
            f"cds/_content/{path.relative_to(ROOT)}"
            for path in (ROOT / folder).rglob("*")
            if path.is_file()
        }
        assert checkout
        assert checkout <= names
    assert "cds/py.typed" in names


def test_the_wheel_carries_the_licence_and_the_notices(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    carried = {name.rsplit("/", 1)[1] for name in names if ".dist-info/licenses/" in name}
    assert carried == {"LICENSE", "NOTICE"}


def test_what_the_wheel_needs_is_what_the_lock_gives(environment: Path) -> None:
    run(environment / "bin" / "python", "-m", "pip", "check", cwd=environment)


def test_an_installed_wheel_reads_its_own_content_and_not_a_stray(
    environment: Path, tmp_path: Path
) -> None:
    (tmp_path / "trials").mkdir()
    program = "from cds.content import bundled as b; print(b.bundled_content())"
    says = run(environment / "bin" / "python", "-c", program, cwd=tmp_path)
    assert Path(says.strip()).parts[-2:] == ("cds", "_content")


def test_an_installed_wheel_evaluates_a_patient_from_any_folder(
    environment: Path, tmp_path: Path
) -> None:
    bundle = ROOT / "fixtures" / "desmoid-ready" / "bundle.json"
    says = run(
        *(environment / "bin" / "trial-cds", "evaluate", bundle),
        *("--on", "2026-03-01", "--format", "json"),
        cwd=tmp_path,
    )
    answer = json.loads(says)
    assert answer["on"] == "2026-03-01"
    assert answer["patient"].startswith("Patient/")
    assert {trial["trial"] for trial in answer["trials"]} == TRIALS
    for trial in answer["trials"]:
        assert {criterion["status"] for criterion in trial["criteria"]} <= STATUSES
        assert trial["criteria"]
