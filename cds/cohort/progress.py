"""How far a screening is: a bar on a terminal, plain lines in a log."""

from __future__ import annotations

import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol, TextIO

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_EVERY = 10.0
"""Seconds between two lines in a log."""


class Progress(Protocol):
    """Is told what is done."""

    def step(self, what: str, total: int, done: int = 0) -> Callable[[int], None]:
        """A step begins; the answer is called with every further number done."""
        ...


class Silent:
    """Says nothing."""

    def step(self, what: str, total: int, done: int = 0) -> Callable[[int], None]:
        """A step begins."""
        del what, total, done
        return lambda _: None


class Lines:
    """Plain lines: at the begin, every so many seconds, and at the end of a step."""

    def __init__(self, out: TextIO, every: float = _EVERY) -> None:
        self._out = out
        self._every = every

    def step(self, what: str, total: int, done: int = 0) -> Callable[[int], None]:
        """A step begins."""
        began = said = time.monotonic()
        first = done
        before = f" ({done} done before)" if done else ""
        print(f"{what}: {total} to do{before}", file=self._out, flush=True)

        def advance(number: int) -> None:
            nonlocal done, said
            done += number
            now = time.monotonic()
            if done < total and now - said < self._every:
                return
            said = now
            rate = (done - first) / max(now - began, 1e-6)
            left = f", {(total - done) / rate:.0f} s left" if rate and done < total else ""
            line = f"{what}: {done} of {total}, {rate:.0f}/s{left}"
            print(line, file=self._out, flush=True)

        return advance


@contextmanager
def progress_on(out: TextIO) -> Iterator[Progress]:
    """A bar with rate and time left where `out` is a terminal, else plain lines."""
    if not out.isatty():
        yield Lines(out)
        return
    from cds.cohort.bars import bars_on  # noqa: PLC0415 - a log needs none of it

    with bars_on(out) as bars:
        yield bars
