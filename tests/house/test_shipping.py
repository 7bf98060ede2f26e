"""What ships: image, compose file, unit and bill of materials agree with the checkout."""

from __future__ import annotations

import configparser
import json
import re
import shutil
import subprocess
import sys
import zipfile
from dataclasses import fields
from pathlib import Path
from typing import Any

import pytest
import yaml

from cds.settings import Settings, variable

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8")
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
UNIT = (ROOT / "deploy" / "trial-cds.service").read_text("utf-8")
COPIED = [
    source
    for line in re.findall(r"^COPY (?!--from)(.+)$", DOCKERFILE, re.MULTILINE)
    for source in line.split()[:-1]
]


@pytest.mark.wheel
def test_what_the_image_copies_is_all_that_the_wheel_needs(tmp_path: Path) -> None:
    source = tmp_path / "src"
    source.mkdir()
    for name in COPIED:
        if (ROOT / name).is_dir():
            shutil.copytree(
                ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(ROOT / name, source / name)
    names = [_wheel(folder, tmp_path / out) for folder, out in ((source, "a"), (ROOT, "b"))]
    assert names[0] == names[1]
    assert any(name.endswith("trial.yaml") for name in names[0])
    assert any(name.endswith("_attestation.html") for name in names[0])
    assert any(name.endswith("trial-cds.mo") for name in names[0])


def _wheel(folder: Path, out: Path) -> set[str]:
    """The files of the wheel that is built of a folder."""
    command = (sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, folder)
    subprocess.run(command, check=True, capture_output=True)
    (wheel,) = out.glob("*.whl")
    return {name for name in zipfile.ZipFile(wheel).namelist() if "__pycache__" not in name}


def test_the_image_gets_nothing_that_the_dockerfile_does_not_copy() -> None:
    lines = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    kept = {line[1:] for line in lines if line.startswith("!")}
    assert "*" in lines
    assert kept == {name.rstrip("/") for name in COPIED}


def test_the_image_runs_without_rights_and_checks_what_it_installs() -> None:
    last = DOCKERFILE.rpartition("\nFROM ")[2]
    assert re.search(r"^USER 10001$", last, re.MULTILINE)
    installs = [line for line in DOCKERFILE.splitlines() if "pip install" in line and "-r " in line]
    assert len(installs) == 3
    assert all("--require-hashes" in line for line in installs)
    assert "PASSWORD" not in DOCKERFILE


@pytest.mark.parametrize(
    ("pattern", "packages"),
    [
        (r"/^psycopg/", {"psycopg", "psycopg-binary"}),
        (
            r"/^(hatchling|packaging|pathspec|pluggy|trove-classifiers)==/",
            {"hatchling", "packaging", "pathspec", "pluggy", "trove-classifiers"},
        ),
    ],
)
def test_the_image_takes_locked_packages_with_their_hashes(
    pattern: str, packages: set[str]
) -> None:
    program = f"/^[a-z]/ {{ keep = {pattern} }} keep"
    assert program in DOCKERFILE
    taken = subprocess.run(
        ["awk", program, ROOT / "requirements-dev.lock"],  # noqa: S607 - as in the image
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert set(re.findall(r"^([a-z-]+)==", taken, re.MULTILINE)) == packages
    assert taken.count("--hash=sha256:") >= len(packages)


def test_the_compose_file_names_the_service_a_postgresql_and_a_hapi() -> None:
    services = COMPOSE["services"]
    assert set(services) == {"trial-cds", "database", "hapi"}
    assert services["database"]["image"].startswith("postgres:")
    assert services["hapi"]["image"].startswith("hapiproject/hapi:v")
    assert set(COMPOSE["volumes"]) == {"site", "database"}


def test_the_compose_file_opens_nothing_beyond_this_machine() -> None:
    for name, service in COMPOSE["services"].items():
        for port in service.get("ports", []):
            assert str(port).startswith("127.0.0.1:"), name
    assert COMPOSE["services"]["trial-cds"]["read_only"] is True
    assert COMPOSE["services"]["trial-cds"]["cap_drop"] == ["ALL"]


def test_every_setting_of_image_and_compose_file_exists() -> None:
    named = set(re.findall(r"TRIAL_CDS_[A-Z_]+", DOCKERFILE)) | {
        name for name in COMPOSE["services"]["trial-cds"]["environment"] if "TRIAL_CDS" in name
    }
    assert named <= {variable(one.name) for one in fields(Settings)}


def test_the_unit_starts_the_service_as_nobody_special() -> None:
    unit = configparser.RawConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign] # systemd tells case apart
    unit.read_string(UNIT)
    service = unit["Service"]
    assert service["User"] == "trial-cds"
    assert service["ExecStart"].split()[1:2] == ["serve"]
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert int(service["TimeoutStopSec"]) > 30  # calls in flight get as long


def test_the_bill_of_materials_is_the_lock_with_licences_and_hashes(tmp_path: Path) -> None:
    target = tmp_path / "bill.json"
    program = ROOT / "tools" / "sbom.py"
    subprocess.run([sys.executable, program, target], check=True, capture_output=True)
    bill = json.loads(target.read_bytes())
    assert (bill["bomFormat"], bill["specVersion"]) == ("CycloneDX", "1.6")
    lock = (ROOT / "requirements.lock").read_text("utf-8")
    pinned = set(re.findall(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)", lock, re.MULTILINE))
    listed = {(_same(one["name"]), one["version"]) for one in bill["components"]}
    assert listed == {(_same(name), version) for name, version in pinned}
    for one in bill["components"]:
        assert one["externalReferences"][0]["hashes"], one["name"]
    assert sum("licenses" in one for one in bill["components"]) > 0.9 * len(pinned)
    assert "file:" not in target.read_text("utf-8")


def _same(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_the_service_starts_without_the_packages_that_the_image_leaves_out() -> None:
    (left_out,) = re.findall(r"pip uninstall --yes (pyarrow .+);", DOCKERFILE)
    modules = [name.replace("-python", "").replace("-", "_") for name in left_out.split()]
    program = (
        "import sys\n"
        f"for name in {modules!r}: sys.modules[name] = None\n"
        "import cds.web.app, cds.web.serving, cds.cli.serve, cds.cli.evaluate, cds.cli.shadow\n"
        "from cds.cohort.shadow import recorded, report\n"
        "from cds.cli import main\n"
        "main(['screen', 'nowhere', '--on', '2026-03-01', '--out', 'nowhere'])\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert re.fullmatch(r".*this command needs the package \w+, .*leaves out\.\n", ended.stderr)
