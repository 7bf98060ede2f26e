"""Servers for the benchmarks: real processes, their CPU and memory, and requests sent to them."""

from __future__ import annotations

import http.client
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

HOOK = "/cds-services/trial-eligibility"
_PATIENCE = 30.0
_UNITS = {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}


class Server(NamedTuple):
    """A server that answers on loopback."""

    port: int
    process: psutil.Process

    def cpu(self) -> float:
        """Seconds of CPU (user and system) that it and its workers have spent so far."""
        spent = 0.0
        for one in (self.process, *self.process.children(recursive=True)):
            times = one.cpu_times()
            spent += times.user + times.system
        return spent

    def memory(self) -> list[float]:
        """Resident memory of each worker process in MB."""
        workers = self.process.children(recursive=True) or [self.process]
        return [one.memory_info().rss / 1e6 for one in workers]

    def post(self, bodies: Sequence[bytes], times: int = 1, path: str = HOOK) -> bytes:
        """Send so many requests over one connection, bodies in turn; the last answer.

        Raises:
            RuntimeError: it answered with another status than 200.
        """
        client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=_PATIENCE)
        answer = b""
        for number in range(times):
            body = bodies[number % len(bodies)]
            client.request("POST", path, body, {"Content-Type": "application/json"})
            response = client.getresponse()
            answer = response.read()
            if response.status != 200:
                message = f"status {response.status}: {answer[:200]!r}"
                raise RuntimeError(message)
        client.close()
        return answer


class Load(NamedTuple):
    """What wrk measured: answers/s, milliseconds, and CPU milliseconds of the server a request.

    `errors` says how many requests were refused; those are not in the rate.
    """

    rate: float
    p50: float
    p99: float
    cpu: float
    errors: str


def free_port() -> int:
    """A port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def running(command: Sequence[str], port: int, **environment: str) -> Iterator[Server]:
    """A server process with its workers, from when it listens until the block ends."""
    with tempfile.TemporaryFile() as log:
        kept = {name: value for name, value in os.environ.items() if "TRIAL_CDS" not in name}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=kept | environment)
        try:
            _wait_for(port, process)
            yield Server(port, psutil.Process(process.pid))
        except Exception:
            log.seek(0)
            sys.stderr.write(log.read().decode(errors="replace"))
            raise
        finally:
            _end(process)


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a server and its workers; some servers wait for ever for a thread that hangs."""
    if process.poll() is not None:
        return
    below = psutil.Process(process.pid).children(recursive=True)
    process.terminate()
    try:
        process.wait(40)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for worker in psutil.wait_procs(below, timeout=0)[1]:
        worker.kill()


@contextmanager
def service(*, workers: int = 2, threads: int = 32, **settings: str) -> Iterator[Server]:
    """`trial-cds serve` on the day of the benchmark, with more settings (without their prefix)."""
    with tempfile.TemporaryDirectory() as folder:
        port = free_port()
        store = f"sqlite:///{folder}/store.db"
        # A service finds its store as the last one left it.
        made = f"from cds.store.database import Store; Store({store!r}).open()"
        subprocess.run([sys.executable, "-c", made], check=True)
        own = {
            "ON": "2026-03-01",
            "DATABASE_URL": store,
            "WORKERS": str(workers),
            "THREADS": str(threads),
            **settings,
        }
        command = [sys.executable, "-m", "cds.cli", "serve", "--port", str(port)]
        environment = {f"TRIAL_CDS_{name}": value for name, value in own.items()}
        with running(command, port, **environment) as server:
            yield server


@contextmanager
def floor(*, workers: int = 2, threads: int = 32) -> Iterator[Server]:
    """The bare service under the same server as `trial-cds serve`."""
    port = free_port()
    command = [sys.executable, "-m", "tests.benchmarks.bare", "--port", str(port)]
    command += ["--workers", str(workers), "--threads", str(threads)]
    with running(command, port) as server:
        yield server


def cpu_per_request(server: Server, bodies: Sequence[bytes], times: int, path: str = HOOK) -> float:
    """Milliseconds of CPU that a request costs the server, one after the other."""
    before = server.cpu()
    server.post(bodies, times, path)
    return (server.cpu() - before) / times * 1e3


_SCRIPT = """
local bodies, turn = {}, 0
for number = 1, %d do
  local file = io.open(string.format("%s/%%d.json", number), "rb")
  bodies[number] = file:read("*a")
  file:close()
end
wrk.method = "POST"
wrk.headers["Content-Type"] = "application/json"
function request()
  turn = turn %% #bodies + 1
  return wrk.format(nil, nil, nil, bodies[turn])
end
"""


def wrk(
    server: Server,
    bodies: Sequence[bytes],
    *,
    connections: int,
    seconds: float,
    path: str = HOOK,
) -> Load:
    """Load from wrk, a C program that spends little CPU of its own; bodies in turn."""
    with tempfile.TemporaryDirectory() as folder:
        for number, body in enumerate(bodies, start=1):
            Path(folder, f"{number}.json").write_bytes(body)
        script = Path(folder, "post.lua")
        script.write_text(_SCRIPT % (len(bodies), folder))
        command = ["wrk", "-t1", f"-c{connections}", f"-d{round(seconds)}s", "--timeout", "30s"]
        command += ["--latency", "-s", str(script), f"http://127.0.0.1:{server.port}{path}"]
        before = server.cpu()
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        spent = server.cpu() - before
    latency = dict(re.findall(r"^\s+(50|99)%\s+(\S+)", said, re.MULTILINE))
    wrong = re.search(r"Non-2xx.*|Socket errors.*", said)
    done, rate = _found(r"(\d+) requests in", said), _found(r"Requests/sec:\s+([\d.]+)", said)
    refused = int(wrong[0].rpartition(" ")[2]) if wrong and wrong[0].startswith("Non") else 0
    return Load(
        rate * (1 - refused / max(1.0, done)),
        _milliseconds(latency["50"]),
        _milliseconds(latency["99"]),
        spent / max(1.0, done) * 1e3,
        wrong[0].strip() if wrong else "",
    )


def _found(pattern: str, text: str) -> float:
    match = re.search(pattern, text)
    if match is None:
        message = f"wrk said nothing like {pattern}: {text}"
        raise RuntimeError(message)
    return float(match[1])


def _milliseconds(text: str) -> float:
    match = re.fullmatch(r"([\d.]+)(\w+)", text)
    if match is None:
        message = f"wrk gave no time: {text}"
        raise RuntimeError(message)
    return float(match[1]) * _UNITS[match[2]]


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _PATIENCE
    while time.monotonic() < until:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if process.poll() is not None:
                break
            time.sleep(0.05)
        else:
            return
    message = "the server did not start"
    raise RuntimeError(message)
