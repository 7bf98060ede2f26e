"""Ten, a hundred, a thousand, ten thousand trials: start, memory, and what a request costs.

    python -m tests.benchmarks.many_trials 10 100 1000 10000

Each generated trial is one of the bundled trials (95 or 82 criteria) under another id. Three ask
for the diagnosis and the age of the benchmark patient; one in a hundred of the others for the same
diagnosis at another age; the rest for other diagnoses, in turn. Every figure is seconds or
milliseconds of CPU, each taken in a process of its own.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from datetime import UTC
from pathlib import Path

import psutil

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_bundle
from tests.benchmarks import patient
from tests.benchmarks.servers import cpu_per_request, service

RELEVANT = 3
_TARGETS = {"NCT05490667": "desmoid_tumor", "NCT07137884": "rhabdomyosarcoma"}
_ROUNDS = 5
_REQUESTS = 40

_PARSE = """
import sys, yaml, pathlib
for file in sorted(pathlib.Path(sys.argv[1]).glob("trials/*/*.yaml")):
    yaml.load(file.read_text("utf-8"), Loader=yaml.CSafeLoader)
"""
_IMPORT = "import cds.assess"
_COMPILE = """
import sys, pathlib, cds.assess, cds.content.compiled
folders = [pathlib.Path(sys.argv[1])]
digest = cds.assess.load_terminology(folders).digest
cds.content.compiled.write_compiled(folders, digest, pathlib.Path(sys.argv[2]))
"""
_USED = """
import resource
used = resource.getrusage(resource.RUSAGE_SELF)
print(used.ru_utime + used.ru_stime, used.ru_maxrss / 1e3)
"""
_START = """
import sys, pathlib, cds.assess
folder = pathlib.Path(sys.argv[1])
compiled = pathlib.Path(sys.argv[2]) if len(sys.argv) > 2 else None
content = cds.assess.load_content([folder], compiled=compiled)
assert len(content.heads) == len(list(folder.glob("trials/*")))
"""


def generate(folder: Path, count: int) -> None:
    """Write a content folder with the bundled mappings and `count` trials.

    Raises:
        ValueError: a bundled trial no longer looks as expected.
    """
    shutil.copytree(bundled_content() / "mappings", folder / "mappings")
    sources = {name: _files(bundled_content() / "trials" / name) for name in _TARGETS}
    others = _other_diagnoses()
    for number in range(count):
        name = list(_TARGETS)[number % 2] if number >= RELEVANT else "NCT07137884"
        files = dict(sources[name])
        trial = f"NCT9{number:07d}"
        files["trial.yaml"] = _changed(files["trial.yaml"], f"id: {name}", f"id: {trial}")
        if number >= RELEVANT:
            page = files["inclusion.yaml"]
            if number % 100 == 0:
                files["inclusion.yaml"] = _changed(page, "at_least: ", "at_least: 9")
            else:
                other = f"finding: {others[number % len(others)]}"
                files["inclusion.yaml"] = _changed(page, f"finding: {_TARGETS[name]}", other)
        target = folder / "trials" / trial
        target.mkdir(parents=True)
        for file, text in files.items():
            (target / file).write_text(text, "utf-8")


def _files(folder: Path) -> dict[str, str]:
    names = ("trial.yaml", "inclusion.yaml", "exclusion.yaml")
    return {name: (folder / name).read_text("utf-8") for name in names}


def _changed(text: str, old: str, new: str) -> str:
    """The text with the first `old`, which stands at the end of a line or before its value."""
    changed, count = re.subn(re.escape(old), new, text, count=1)
    if not count:
        message = f"'{old}' does not stand in the trial"
        raise ValueError(message)
    return changed


def _other_diagnoses() -> list[str]:
    """The findings of which the benchmark patient has none."""
    content = load_content([bundled_content()])
    record = record_from_bundle(json.dumps(patient.bundle_of(patient.request())).encode())
    facts = facts_from(record, content.terminology, UTC, content.units)
    findings = [
        key
        for key, concept in content.terminology.lists.concepts.items()
        if concept.domain == "finding"
    ]
    return sorted(set(findings) - set(facts.conditions))


def spent(script: str, *arguments: Path | str) -> tuple[float, float]:
    """Seconds of CPU and peak memory in MB of a Python script in a process of its own."""
    words = [sys.executable, "-c", script + _USED, *map(str, arguments)]
    said = subprocess.run(words, capture_output=True, text=True, check=True).stdout
    cpu, memory = said.split()
    return float(cpu), float(memory)


def request_cost(folder: Path, compiled: Path, few: Path) -> tuple[float, float, float]:
    """Milliseconds of CPU of a request with all trials and with the relevant ones; worker MB."""
    body = [patient.body()]
    costs: dict[str, list[float]] = {"all": [], "few": []}
    with (
        service(workers=1, CONTENT=str(folder), COMPILED=str(compiled)) as everything,
        service(workers=1, CONTENT=str(few)) as relevant,
    ):
        for server in (everything, relevant):
            server.post(body, 5)
        for _ in range(_ROUNDS):
            costs["all"].append(cpu_per_request(everything, body, _REQUESTS))
            costs["few"].append(cpu_per_request(relevant, body, _REQUESTS))
        memory = max(everything.memory())
    return statistics.median(costs["all"]), statistics.median(costs["few"]), memory


def row(count: int) -> str:
    """The figures for so many trials as a row of a Markdown table."""
    with tempfile.TemporaryDirectory() as name:
        folder, compiled, few = (Path(name, part) for part in ("all", "compiled", "few"))
        generate(folder, count)
        generate(few, RELEVANT)
        parse, _ = spent(_PARSE, folder)
        cold, _ = spent(_START, folder)
        spent(_COMPILE, folder, compiled)
        warm, memory = spent(_START, folder, compiled)
        size = sum(file.stat().st_size for file in compiled.iterdir()) / 1e6
        everything, relevant, worker = request_cost(folder, compiled, few)
    return (
        f"| {count:,} | {parse:.2f} | {cold:.2f} | {warm:.2f} | {warm / parse:.2f} | {memory:.0f} "
        f"| {size:.1f} | {relevant:.2f} | {everything:.2f} | {everything / relevant:.2f} "
        f"| {worker:.0f} |"
    )


def main() -> None:
    """Print the table."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("counts", nargs="+", type=int)
    importing, _ = spent(_IMPORT)
    print(f"Importing alone: {importing:.2f} s; {psutil.cpu_count()} cores.")  # noqa: T201
    print(  # noqa: T201
        "| trials | YAML, C loader (s) | start, parsed (s) | start, compiled (s) | ratio to the "
        "C loader | memory at start (MB) | file (MB) | request, 3 trials (ms) | request, all (ms) "
        "| ratio | worker (MB) |\n" + "| ---: " * 11 + "|"
    )
    for count in asked.parse_args().counts:
        print(row(count), flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
