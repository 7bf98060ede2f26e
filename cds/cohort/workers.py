"""Tasks in all cores; in this process where there is one core to use or little to do."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import threading
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TypeVar

from cds.cohort.fault import CohortFault

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

Task = TypeVar("Task")
Result = TypeVar("Result")

_AHEAD = 2
"""Tasks for each process that are handed out before their turn."""


class Workers(Protocol):
    """Runs a function over tasks; results come in the order in which they are ready."""

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        """The result of every task."""
        ...


class _Here:
    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        for task in tasks:
            yield function(task)


class _Processes:
    def __init__(self, pool: ProcessPoolExecutor, count: int) -> None:
        self._pool = pool
        self._most = count * (1 + _AHEAD)

    def map(self, function: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
        running: set[Future[Result]] = set()
        try:
            for task in tasks:
                running.add(self._pool.submit(function, task))
                while len(running) >= self._most:
                    done, running = wait(running, return_when=FIRST_COMPLETED)
                    yield from (future.result() for future in done)
            while running:
                done, running = wait(running, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        except BrokenProcessPool:
            message = (
                "a worker process was ended from outside (often for want of memory); "
                "run the same command again, it goes on where it stopped."
            )
            raise CohortFault(message) from None


@contextmanager
def open_workers(count: int) -> Iterator[Workers]:
    """As many processes as asked for; none beside this one if that is 1.

    Where this process has one thread they are forked from it, at once: what it has imported and
    read is theirs too, and costs neither time nor memory again. They hold the files that are open
    now. A process with more threads (a notebook, say) cannot be forked safely; then they are
    started anew.
    """
    # What is there now stays. To look through it again and again takes time, and in a forked
    # process a copy of all that is shared.
    gc.freeze()
    try:
        if count <= 1:
            yield _Here()
        else:
            with _processes(count) as workers:
                yield workers
    finally:
        gc.unfreeze()


@contextmanager
def _processes(count: int) -> Iterator[_Processes]:
    how = "fork" if threading.active_count() == 1 else "spawn"
    context = multiprocessing.get_context(how)
    pool = ProcessPoolExecutor(count, mp_context=context, initializer=_begin)
    try:
        pool.submit(os.getpid)  # the first task starts all processes, before any thread
        yield _Processes(pool, count)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _begin() -> None:
    """Leave Ctrl-C to the parent, and end when it is gone, however it went."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
