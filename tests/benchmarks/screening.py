"""How fast a screening is, against the floor in the same run, and how much memory it takes.

    python -m tests.benchmarks.screening 1000 10000
    python -m tests.benchmarks.screening --export export

Prints one line for each size: patients for each second of CPU of the floor, of judging alone (lines
in memory → determinations) and of `trial-cds screen` (the whole command with its start, all cores),
its ratio to the floor, and the peak of resident memory of all its processes together. The floor is
run before and after it: other work on the machine then slows down both alike.

`--plain` adds plain Spark SQL (see `plain_spark`), `--spark MASTER` the screening there; an export
is there already has files named after their type (`Patient.ndjson`, or `Patient.1.ndjson` and on).
"""

from __future__ import annotations

import argparse
import compileall
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from itertools import islice
from pathlib import Path
from typing import NamedTuple
from zoneinfo import ZoneInfo

import cds
from cds.assess import load_content
from cds.cohort.judging import Found, Judge
from cds.cohort.lines import read_line
from cds.cohort.scan import LATE
from cds.content.bundled import bundled_content
from cds.core.when import Evaluation
from cds.fhir.record import record_from_resources
from cds.fhir.retrieved import COMPLETE, KINDS
from tests.benchmarks.charts import DAY, HOSPITAL, write_export
from tests.benchmarks.floor import run_floor


class Spent(NamedTuple):
    """What a run took. `peak` is in MB, of all its processes together."""

    seconds: float
    cpu: float
    peak: float


def screened(export: Path, out: Path, workers: int, *more: str) -> Spent:
    """Run the command as a person would, with more options."""
    command = [str(Path(sys.executable).with_name("trial-cds")), "screen", str(export)]
    command += ["--on", DAY.isoformat(), "--out", str(out), "--workers", str(workers), *more]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        memory = _Memory(run.pid)
        memory.start()
        if run.wait():
            message = "trial-cds screen failed."
            raise SystemExit(message)
        memory.join()
    seconds = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Spent(seconds, cpu, memory.peak / 1e6)


_JUDGED = 3_000
"""Charts that are held in memory for judging alone."""


def judged(export: Path) -> float:
    """Charts for each second of CPU, from lines in memory to determinations; no file, no table."""
    content = load_content([bundled_content()])
    coverage = dict.fromkeys(KINDS.values(), COMPLETE)
    judge = Judge(content, Evaluation.of(DAY, ZoneInfo("UTC")), coverage)
    charts = _charts(export)
    began = time.process_time()
    found = Found()
    for patient, (early, late) in charts.items():
        if not judge.glance(patient, early, found):
            judge.add(record_from_resources(early + late, coverage), found)
    return len(charts) / (time.process_time() - began)


def _charts(export: Path) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """The lines of the first charts: those that may show a target diagnosis, and the others."""
    charts: dict[str, tuple[list[bytes], list[bytes]]] = {}
    patients = min(export.glob("Patient*.ndjson"))
    with patients.open("rb") as lines:
        for line in islice(lines, _JUDGED):
            charts[read_line(line).patient or ""] = ([line], [])
    for path in sorted(export.glob(f"*{patients.name.removeprefix('Patient')}")):
        with path.open("rb") as lines:
            for line in lines:
                read = read_line(line)
                if read.kind != "Patient" and read.patient in charts:
                    charts[read.patient][read.kind in LATE].append(line)
    return charts


class _Memory(threading.Thread):
    """Looks at the memory of a process and all below it, ten times a second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self._pid = pid
        self.peak = 0

    def run(self) -> None:
        while (now := _resident(self._pid)) > 0:
            self.peak = max(self.peak, now)
            time.sleep(0.1)


def _resident(pid: int) -> int:
    """Bytes that a process and those below it hold; 0 when it is gone."""
    page = os.sysconf("SC_PAGE_SIZE")
    try:
        total = int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * page
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        below = {
            child for task in tasks for child in (task / "children").read_text("ascii").split()
        }
    except (OSError, IndexError):
        return 0
    return total + sum(_resident(int(child)) for child in below)


def main() -> None:
    """Measure each size that was asked for."""
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    asked.add_argument("counts", type=int, nargs="*")
    asked.add_argument("--export", type=Path, help="an export that is there already")
    asked.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked.add_argument("--spark", metavar="MASTER", help="also there, by the wall clock")
    asked.add_argument("--plain", action="store_true", help="also plain Spark SQL")
    asked.add_argument("--targets", type=float, default=HOSPITAL, help="share with a diagnosis")
    given = asked.parse_args()
    compileall.compile_dir(str(Path(cds.__file__).parent), quiet=1)  # as an installation has it
    sys.stdout.write(
        "| charts | MB | floor | judging alone | screen | screen : floor | s | peak MB |\n"
        "| --- | --- | --- | --- | --- | --- | --- | --- |\n"
    )
    if given.export is not None:
        _measure(given.export, given)
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            export = Path(folder) / "export"
            write_export(export, count, targets=given.targets)
            _measure(export, given)


def _measure(export: Path, given: argparse.Namespace) -> None:
    """Print the figures of one export."""
    size = sum(path.stat().st_size for path in export.iterdir()) / 1e6
    before, count = _floor(export)
    with tempfile.TemporaryDirectory() as folder:
        spent = screened(export, Path(folder) / "out", given.workers)
        if given.spark:
            there = screened(export, Path(folder) / "there", 1, "--spark", given.spark)
            sys.stdout.write(f"{count} on Spark {given.spark}: {there.seconds:.1f} s\n")
    floor = (before + _floor(export)[0]) / 2
    sys.stdout.write(
        f"| {count} | {size:.0f} | {count / floor:.0f} | {judged(export):.0f} "
        f"| {count / spent.cpu:.0f} | {floor / spent.cpu:.2f} | {spent.seconds:.1f} "
        f"| {spent.peak:.0f} |\n"
    )
    if given.plain:
        from tests.benchmarks.plain_spark import run_plain  # noqa: PLC0415 - needs Java

        plain = run_plain(export, DAY, given.workers)
        sys.stdout.write(
            f"plain Spark SQL: {count / plain.cpu:.0f} patients/s/core when warm; "
            f"screen is {plain.cpu / spent.cpu:.2f} ×, and {plain.first / spent.cpu:.2f} × "
            "where both start anew\n"
        )
    sys.stdout.flush()


def _floor(export: Path) -> tuple[float, int]:
    """Seconds of CPU that the floor takes, and how many charts it answered for."""
    began = time.process_time()
    answers = run_floor(export, DAY)
    return time.process_time() - began, len(answers)


if __name__ == "__main__":
    main()
