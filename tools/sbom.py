"""The bill of materials of a release, as CycloneDX 1.6: what requirements.lock installs.

    python tools/sbom.py [FILE]

Licences and who needs whom come from the installed packages, versions and hashes from the lock:
exactly the packages of the lock are listed. The same checkout gives the same file.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

import cds

_ROOT = Path(__file__).resolve().parent.parent
_LOCK = _ROOT / "requirements.lock"
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==(\S+)")
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")


def main() -> None:
    """Write the bill."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else _ROOT / "dist" / "trial-cds.cdx.json"
    text = json.dumps(bill(), indent=2, sort_keys=True) + "\n"
    problem = JsonStrictValidator(SchemaVersion.V1_6).validate_str(text)
    if problem is not None:
        sys.exit(f"sbom: what was made is no CycloneDX 1.6: {problem}")
    target.parent.mkdir(exist_ok=True)
    target.write_text(text, "utf-8")
    print(f"Bill of materials: {target.name}, {len(locked())} packages")


def locked() -> dict[str, tuple[str, list[str]]]:
    """Package → its version and the hashes of its files, as the lock has them."""
    found: dict[str, tuple[str, list[str]]] = {}
    name = ""
    for line in _LOCK.read_text("utf-8").splitlines():
        pinned = _PINNED.match(line)
        if pinned is not None:
            name = _same(pinned[1])
            found[name] = (pinned[2], [])
        found.get(name, ("", []))[1].extend(_HASH.findall(line))
    return found


def bill() -> dict[str, Any]:
    """The bill: the packages of the lock, and what of them needs what."""
    whole, lock = _installed(), locked()
    kept = []
    for component in whole["components"]:
        version, hashes = lock.get(_same(component["name"]), ("", []))
        if component.get("version") == version:
            files = {
                "type": "distribution",
                "url": _LOCK.name,
                "comment": "the files that may be installed",
                "hashes": [{"alg": "SHA-256", "content": one} for one in hashes],
            }
            kept.append({**component, "externalReferences": [files, *_addresses(component)]})
    missing = lock.keys() - {_same(component["name"]) for component in kept}
    if missing:
        names = ", ".join(sorted(missing))
        sys.exit(f"sbom: not installed as the lock has it: {names}; 'make setup' puts that right.")
    root = whole["metadata"]["component"]
    root["version"] = cds.__version__
    there = {root["bom-ref"], *(component["bom-ref"] for component in kept)}
    whole["components"] = kept
    whole["dependencies"] = [
        {**one, "dependsOn": [ref for ref in one.get("dependsOn", []) if ref in there]}
        for one in whole["dependencies"]
        if one["ref"] in there
    ]
    return whole


def _installed() -> dict[str, Any]:
    """What CycloneDX's own tool says of this environment."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "environment.json"
        tool = Path(sys.executable).parent / "cyclonedx-py"
        subprocess.run(
            [
                tool, "environment", "--pyproject", _ROOT / "pyproject.toml",
                "--output-reproducible", "--no-validate", "-o", out, sys.executable,
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        read: dict[str, Any] = json.loads(out.read_bytes())
    return read


def _addresses(component: dict[str, Any]) -> list[dict[str, Any]]:
    """Where a package lives, without the machine that it was installed on."""
    listed: list[dict[str, Any]] = component.get("externalReferences", [])
    return [one for one in listed if one["url"].startswith("https://")]


def _same(name: str) -> str:
    """A package's name in its one spelling (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()


if __name__ == "__main__":
    main()
