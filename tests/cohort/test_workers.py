"""Processes that share what was read before, and end with the one that began them."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from cds.cohort.workers import open_workers

_COUNT = """
import os, sys, time
from cds.cohort.workers import open_workers
read = set()
def tell(number):
    time.sleep(0.05)
    return os.getpid(), len(read)
if __name__ == "__main__":
    read.add("content")
    with open_workers(2) as workers:
        print(sorted(set(workers.map(tell, range(20)))))
"""


def test_what_was_read_before_is_there_in_every_process(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_COUNT, "utf-8")
    done = subprocess.run([sys.executable, program], check=True, capture_output=True, text=True)
    assert done.stdout.count(", 1)") == 2


def test_a_process_with_threads_is_not_forked() -> None:
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait)
    thread.start()
    try:
        with open_workers(2) as workers:
            done = sorted(workers.map(abs, range(-9, 0)))
    finally:
        stop.set()
        thread.join()
    assert done == list(range(1, 10))


_WAIT = """
import os, time
from cds.cohort.workers import open_workers
def wait(number):
    os.write(1, f"{os.getpid()}\\n".encode())  # in one piece, though both write
    time.sleep(60)
if __name__ == "__main__":
    with open_workers(2) as workers:
        list(workers.map(wait, range(2)))
"""


def test_no_process_outlives_a_killed_screening(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text(_WAIT, "utf-8")
    with subprocess.Popen([sys.executable, program], stdout=subprocess.PIPE, text=True) as run:
        assert run.stdout is not None
        workers = [int(run.stdout.readline()) for _ in range(2)]
        run.send_signal(signal.SIGKILL)
    latest = time.monotonic() + 10
    while any(_runs(process) for process in workers):
        assert time.monotonic() < latest
        time.sleep(0.02)


def _runs(process: int) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
