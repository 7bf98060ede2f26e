"""Rows of a whole process: how long `trial-cds evaluate` takes for one bundle."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.benchmarks import patient
from tests.benchmarks.rows import Row, at_most, median, spread

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def _cpu(command: Sequence[str]) -> float:
    """Milliseconds of CPU of a whole process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    spent = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return spent * 1e3


def cold_start(rounds: int = 15) -> Iterator[Row]:
    """`trial-cds evaluate` on one bundle, against two imports."""
    with tempfile.TemporaryDirectory() as folder:
        bundle = Path(folder, "bundle.json")
        bundle.write_text(json.dumps(patient.bundle_of(patient.request())))
        ours = [sys.executable, "-m", "cds.cli", "evaluate", str(bundle), "--on", "2026-03-01"]
        bare = [sys.executable, "-c", "import msgspec, yaml"]
        got: dict[str, list[float]] = {"floor": [], "ours": []}
        for _ in range(rounds):
            got["floor"].append(_cpu(bare))
            got["ours"].append(_cpu(ours))
    ratio = median(got["ours"]) / median(got["floor"])
    figure = f"{spread(got['ours'], 'ms', 0)}; ({spread(got['floor'], 'ms', 0)})"
    what = "cold start of `trial-cds evaluate` on one bundle, whole process"
    yield at_most("cold-start", what, 8, figure, ratio)
