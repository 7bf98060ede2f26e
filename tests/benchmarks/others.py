"""Rows against other people's programs. Neither is a dependency: name where you have installed it.

    python -m venv healthchain && healthchain/bin/pip install healthchain uvicorn
    export BENCH_HEALTHCHAIN=$PWD/healthchain

    mkdir cql && cd cql && npm init -y && npm install cql-execution cql-exec-fhir @cqframework/cql
    export BENCH_CQL=$PWD

Without the variable the row says that it was not measured.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from contextlib import contextmanager
from datetime import UTC
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cds.assess import load_content
from cds.content.bundled import bundled_content
from cds.core.criterion import Status
from cds.core.when import Evaluation
from cds.engine.evaluate import decide
from cds.fhir.facts import facts_from
from cds.fhir.record import record_from_prefetch
from tests.benchmarks import patient
from tests.benchmarks.charts import DAY
from tests.benchmarks.rows import Row, median, spread, timed
from tests.benchmarks.servers import Server, free_port, running, service, wrk

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.benchmarks.servers import Load

# HealthChain's own example of a service, shortened: it evaluates nothing and gives one card.
_MINIMAL = """
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.models import Card, CDSResponse

hooks = CDSHooksService()

@hooks.hook("patient-view", id="benchmark")
def answer(request):
    return CDSResponse(cards=[Card(summary="ok", indicator="info", source={"label": "benchmark"})])

app = HealthChainAPI()
app.register_service(hooks)
"""
_HEALTHCHAIN_PATH = "/cds/cds-services/benchmark"
TWELVE = (
    "I01a", "I01b", "I02", "I04a", "I13a", "I13b", "I13c", "I13d", "I13e", "I13f", "E04a",
    "E20a", "E21",
)  # fmt: skip
"""Our ids of the twelve criteria in cql/Twelve.cql, whose last one is two of ours."""


def healthchain(rounds: int = 5, seconds: float = 4) -> Iterator[Row]:
    """HealthChain's minimal service under the same load: requests/s and CPU."""
    what = "against HealthChain's minimal service (evaluates nothing) at 16 connections"
    goal = "≥ 5 × the requests/s, ≤ 1/4 of the CPU"
    where = os.environ.get("BENCH_HEALTHCHAIN")
    if where is None:
        yield Row("healthchain", what, goal, "BENCH_HEALTHCHAIN names no installation", None, None)
        return
    bodies = patient.bodies(8)
    theirs: list[Load] = []
    ours: list[Load] = []
    with _healthchain(Path(where)) as other, service() as server:
        other.post(bodies, 20, _HEALTHCHAIN_PATH)
        server.post(bodies, 40)
        for _ in range(rounds):
            theirs.append(
                wrk(other, bodies, connections=16, seconds=seconds, path=_HEALTHCHAIN_PATH)
            )
            ours.append(wrk(server, bodies, connections=16, seconds=seconds))
    faster = median([load.rate for load in ours]) / median([load.rate for load in theirs])
    cpu = median([load.cpu for load in ours]) / median([load.cpu for load in theirs])
    figure = (
        f"{spread([load.rate for load in ours], 'requests/s', 0)}, "
        f"{median([load.cpu for load in ours]):.1f} ms CPU each; HealthChain "
        f"{spread([load.rate for load in theirs], 'requests/s', 1)}, "
        f"{median([load.cpu for load in theirs]):.1f} ms; {cpu:.2f} of its CPU"
    )
    yield Row("healthchain", what, goal, figure, faster, faster >= 5 and cpu <= 1 / 4)


@contextmanager
def _healthchain(where: Path) -> Iterator[Server]:
    """Its service in two processes, as ours has two."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "minimal.py").write_text(_MINIMAL)
        port = free_port()
        command = [str(where.resolve() / "bin" / "uvicorn"), "minimal:app", "--app-dir", folder]
        command += ["--port", str(port), "--workers", "2", "--log-level", "error"]
        with running([*command, "--no-access-log"], port) as server:
            yield server


class _Request(msgspec.Struct):
    prefetch: dict[str, msgspec.Raw]


def cql() -> Iterator[Row]:
    """The same twelve criteria in CQL, from a parsed chart to answers."""
    what = "against cql-execution, the same 12 criteria, from the parsed chart to answers"
    goal = "≥ 200 × the patients/s"
    where = os.environ.get("BENCH_CQL")
    if where is None:
        yield Row("cql", what, goal, "BENCH_CQL names no folder with cql-execution", None, None)
        return
    body = patient.body()
    with tempfile.NamedTemporaryFile(suffix=".json") as sent:
        sent.write(body)
        sent.flush()
        run = Path(__file__).with_name("cql") / "run.mjs"
        command = ["node", str(run), sent.name, "15"]
        done = subprocess.run(command, cwd=where, check=True, capture_output=True, text=True)
    said = json.loads(done.stdout.splitlines()[-1])
    content = load_content([bundled_content()], only=["NCT07137884"])
    criteria = [one for one in content.trials[0].criteria if one.id in TWELVE]
    prefetch = msgspec.json.decode(body, type=_Request).prefetch
    record = record_from_prefetch(prefetch, "p1")

    def answers() -> list[Status]:
        asked = Evaluation.of(DAY)
        facts = facts_from(record, content.terminology, UTC, content.units)
        return [decide(criterion, facts, asked).status for criterion in criteria]

    assert said["answers"] == [True] * 12, said["answers"]
    assert set(answers()) == {Status.PASS}
    ours = timed({"ours": answers})["ours"] * 1e3
    theirs = median(said["spent"])
    figure = f"{1e3 / ours:.0f} patients/s; cql-execution {1e3 / theirs:.2f} patients/s"
    yield Row("cql", what, goal, figure, theirs / ours, theirs / ours >= 200)
