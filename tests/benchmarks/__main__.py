"""The rows of the table of goals: `make bench`, or some: `make bench ROWS="request units"`.

    python -m tests.benchmarks [--out FOLDER] [ROW …]

Prints the rows as they are measured, and writes `results.md` and `results.json` into the folder.
Nothing here asserts a time; what is asserted is that the right work was done.
"""

from __future__ import annotations

import argparse
import platform
import sys
from datetime import UTC, datetime
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

import cds
from tests.benchmarks.answers import check_answers
from tests.benchmarks.engine_rows import conversion, evaluation
from tests.benchmarks.others import cql, healthchain
from tests.benchmarks.rows import HEAD, Row
from tests.benchmarks.service_rows import latency, memory, request, trials, without_pages
from tests.benchmarks.start_rows import cold_start
from tests.benchmarks.waiting import servers, waiting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROWS: dict[str, Callable[[], Iterator[Row]]] = {
    "request": request,
    "without-pages": without_pages,
    "latency": latency,
    "trials": trials,
    "healthchain": healthchain,
    "cql": cql,
    "units": conversion,
    "evaluation": evaluation,
    "cold-start": cold_start,
    "memory": memory,
}
TABLES = {"waiting": waiting, "servers": servers}
_PACKAGES = ("msgspec", "flask", "gunicorn", "sqlalchemy", "cryptography")


def machine() -> str:
    """What the figures were measured on, in one line."""
    model = next(
        (
            line.partition(":")[2].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.machine(),
    )
    packages = ", ".join(f"{name} {version(name)}" for name in _PACKAGES)
    python = platform.python_version()
    return f"{model}, Linux {platform.release()}, Python {python}, {packages}"


def main() -> None:
    """Measure the rows that were asked for, all by default."""
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("rows", nargs="*", choices=[*ROWS, *TABLES, []], metavar="ROW")
    asked.add_argument("--out", type=Path, default=Path("build/benchmarks"))
    given = asked.parse_args()
    check_answers()
    day = datetime.now(UTC).date().isoformat()
    about = f"trial-cds {cds.__version__} on {day}: {machine()}"
    given.out.mkdir(parents=True, exist_ok=True)
    rows: list[Row] = []
    with (given.out / "results.md").open("w", encoding="utf-8") as page:

        def say(line: str) -> None:
            for where in (sys.stdout, page):
                where.write(f"{line}\n")
                where.flush()

        wanted = given.rows or [*ROWS, *TABLES]
        say(f"{about}\n\n{HEAD}")
        for name, measured in ROWS.items():
            for row in measured() if name in wanted else ():
                rows.append(row)
                say(row.line())
        for name, table in TABLES.items():
            for line in chain([""], table()) if name in wanted else ():
                say(line)
    found = {"about": about, "rows": msgspec.to_builtins(rows)}
    (given.out / "results.json").write_bytes(msgspec.json.format(msgspec.json.encode(found)))


if __name__ == "__main__":
    main()
