"""Rows of the service: real server processes under load, ours and the floor in turn."""

from __future__ import annotations

import shutil
import tempfile
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from cds.content.bundled import bundled_content
from tests.benchmarks import patient
from tests.benchmarks.charts import RHABDOMYOSARCOMA
from tests.benchmarks.rows import Row, at_most, median, spread
from tests.benchmarks.servers import Load, Server, cpu_per_request, floor, service, wrk

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_PATIENTS = 16
_WARM = 40


def _cpu(
    servers: Mapping[str, tuple[Server, Sequence[bytes]]], *, rounds: int, times: int
) -> dict[str, list[float]]:
    """Milliseconds of server CPU a request, round by round, the servers taking turns."""
    for server, bodies in servers.values():
        server.post(bodies, _WARM)
    found: dict[str, list[float]] = {name: [] for name in servers}
    for _ in range(rounds):
        for name, (server, bodies) in servers.items():
            found[name].append(cpu_per_request(server, bodies, times))
    return found


def request(rounds: int = 7, times: int = 120) -> Iterator[Row]:
    """CPU of a request of 391 resources, of one ten times as large, and of a dirty one."""
    clean = patient.bodies(_PATIENTS)
    large = patient.bodies(3, scale=10)
    dirty = patient.bodies(_PATIENTS, dirty=0.05)
    with floor(workers=1) as bare, service(workers=1) as ours:
        got = _cpu({"floor": (bare, clean), "ours": (ours, clean)}, rounds=rounds, times=times)
        ratio = median(got["ours"]) / median(got["floor"])
        figure = f"{spread(got['ours'], 'ms')}; ({spread(got['floor'], 'ms')})"
        what = "prefetch request of 391 resources: server CPU per request"
        yield at_most("request", what, 2, figure, ratio)
        more = _cpu(
            {"large": (ours, large), "clean": (ours, clean), "dirty": (ours, dirty)},
            rounds=rounds,
            times=times // 4,
        )
        ratio = median(more["large"]) / median(more["clean"])
        figure = f"{spread(more['large'], 'ms')}; ({spread(more['clean'], 'ms')})"
        yield at_most("request", "record 10 × larger, against its own CPU", 12, figure, ratio)
        ratio = median(more["dirty"]) / median(more["clean"])
        figure = f"{spread(more['dirty'], 'ms')}; ({spread(more['clean'], 'ms')})"
        yield at_most("request", "dirty chart (5 % broken entries)", 1.5, figure, ratio)


def without_pages(rounds: int = 7, times: int = 120) -> Iterator[Row]:
    """What the page behind the cards costs: the same request with links switched off."""
    clean = patient.bodies(_PATIENTS)
    with floor(workers=1) as bare, service(workers=1, PAGE_MINUTES="0") as ours:
        got = _cpu({"floor": (bare, clean), "ours": (ours, clean)}, rounds=rounds, times=times)
    ratio = median(got["ours"]) / median(got["floor"])
    figure = f"{spread(got['ours'], 'ms')}; ({spread(got['floor'], 'ms')})"
    yield at_most("without-pages", "the same without links to pages", 2, figure, ratio)


def latency(rounds: int = 5, seconds: float = 4) -> Iterator[Row]:
    """p99 with 16 connections, the floor and ours in turn."""
    clean = patient.bodies(_PATIENTS)
    found: dict[str, list[Load]] = {"floor": [], "ours": []}
    with floor() as bare, service() as ours:
        servers = {"floor": bare, "ours": ours}
        for server in servers.values():
            server.post(clean, _WARM)
        for _ in range(rounds):
            for name, server in servers.items():
                found[name].append(wrk(server, clean, connections=16, seconds=seconds))
    wrong = {load.errors for loads in found.values() for load in loads if load.errors}
    p99 = {name: [load.p99 for load in loads] for name, loads in found.items()}
    rate = {name: median([load.rate for load in loads]) for name, loads in found.items()}
    ratio = median(p99["ours"]) / median(p99["floor"])
    figure = (
        f"{spread(p99['ours'], 'ms', 0)}, {rate['ours']:.0f} requests/s; "
        f"({spread(p99['floor'], 'ms', 0)}, {rate['floor']:.0f} requests/s)"
    )
    if wrong:
        figure += f"; errors: {', '.join(sorted(wrong))}"
    yield at_most("latency", "same, p99 at 16 connections", 2, figure, ratio)


def trials(rounds: int = 7, times: int = 80) -> Iterator[Row]:
    """An added trial, for a patient whom it concerns and for one whom it does not."""
    bodies = patient.bodies(_PATIENTS, targets=[RHABDOMYOSARCOMA])
    relevant, strange = 4, 60  # above 50 trials only those that may concern a patient have records
    with ExitStack() as stack:
        servers = {
            "one": stack.enter_context(_serving("NCT07137884")),
            "relevant": stack.enter_context(_serving("NCT07137884", "NCT07137884", relevant)),
            "strange": stack.enter_context(_serving("NCT07137884", "NCT05490667", strange)),
        }
        for name, cards in (("one", 1), ("relevant", 1 + relevant), ("strange", 1)):
            answer = msgspec.json.decode(servers[name].post(bodies))
            assert len(answer["cards"]) == cards, (name, len(answer["cards"]))
        both = {name: (server, bodies) for name, server in servers.items()}
        got = _cpu(both, rounds=rounds, times=times)
    base = median(got["one"])
    for name, count, most, what in (
        ("relevant", relevant, 8.0, "of 82 criteria on a relevant patient"),
        ("strange", strange, 0.2, "on a patient it does not concern"),
    ):
        added = (median(got[name]) - base) / count
        figure = f"{added * 1e3:.1f} µs; (one trial: {spread(got['one'], 'ms')})"
        share = added / base * 100
        says = f"added trial {what}, % of a one-trial request"
        yield Row("trials", says, f"≤ {most:g} %", figure, share, share <= most)


@contextmanager
def _serving(own: str, copied: str = "", copies: int = 0) -> Iterator[Server]:
    """The service with one trial, and copies of a trial under other registry numbers."""
    bundled = bundled_content()
    with tempfile.TemporaryDirectory() as folder:
        content = Path(folder)
        shutil.copytree(bundled / "mappings", content / "mappings")
        shutil.copytree(bundled / "trials" / own, content / "trials" / own)
        for number in range(copies):
            name = f"NCT9{number:07}"
            made = content / "trials" / name
            shutil.copytree(bundled / "trials" / copied, made)
            for file in made.rglob("*.yaml"):
                file.write_text(file.read_text("utf-8").replace(copied, name), "utf-8")
        with service(workers=1, CONTENT=folder) as server:
            yield server


def memory(requests: int = 10_000) -> Iterator[Row]:
    """Resident memory of each worker with both trials, after many requests.

    It is flat if it hardly grows once both workers have answered several at a time.
    """
    bodies = patient.bodies(_PATIENTS)
    with service(workers=2) as server:
        wrk_like(server, bodies, 1_000)
        early = server.memory()
        for _ in range(requests // 500):
            wrk_like(server, bodies, 500)
        late = server.memory()
    grown = max(late) - max(early)
    figure = f"{max(late):.0f} MB a worker ({max(early):.0f} MB after the first 1,000)"
    met = max(late) <= 120 and grown <= 0.05 * max(early)
    what = f"memory of one service worker with both trials, after {requests:,} requests"
    yield Row("memory", what, "≤ 120 MB and flat", figure, max(late), met)


def wrk_like(server: Server, bodies: Sequence[bytes], times: int) -> None:
    """So many requests over four connections at a time."""
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(server.post, bodies, times // 4) for _ in range(4)]:
            done.result()
