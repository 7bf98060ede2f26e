"""How fast a screening is, against the floor in the same run, and how much memory it takes.

    python -m tests.benchmarks.screening 1000 10000

Prints one line for each size: patients/s and CPU of the floor and of `trial-cds screen` (the whole
command with its start, all cores), the ratio for each core, and the peak of resident memory of all
its processes together.
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

from tests.benchmarks.charts import DAY, write_export
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
    asked.add_argument("counts", type=int, nargs="+")
    asked.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    asked.add_argument("--spark", metavar="MASTER", help="also there, by the wall clock")
    given = asked.parse_args()
    sys.stdout.write(
        "| charts | MB | floor, patients/s/core | screen, patients/s/core | ratio | s | peak MB |\n"
        "| --- | --- | --- | --- | --- | --- | --- |\n"
    )
    for count in given.counts:
        with tempfile.TemporaryDirectory() as folder:
            export = Path(folder) / "export"
            write_export(export, count)
            size = sum(path.stat().st_size for path in export.iterdir()) / 1e6
            began = time.process_time()
            answers = run_floor(export, DAY)
            floor = time.process_time() - began
            spent = screened(export, Path(folder) / "out", given.workers)
            if given.spark:
                on_spark = screened(export, Path(folder) / "there", 1, "--spark", given.spark)
                sys.stdout.write(f"{count} on Spark {given.spark}: {on_spark.seconds:.1f} s\n")
            if len(answers) != count:
                message = f"the floor answered for {len(answers)} of {count} charts."
                raise SystemExit(message)
            sys.stdout.write(
                f"| {count} | {size:.0f} | {count / floor:.0f} | {count / spent.cpu:.0f} "
                f"| {floor / spent.cpu:.2f} | {spent.seconds:.1f} | {spent.peak:.0f} |\n"
            )
            sys.stdout.flush()


if __name__ == "__main__":
    main()
