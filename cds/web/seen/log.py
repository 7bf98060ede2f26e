"""The log: one JSON object a line on standard error, made of listed keys and of nothing else.

A line may hold what stands in KEYS, in the form that stands there. Everything else is dropped: a
value that somebody logs by mistake, the message of a library, the text of an error, which may quote
a chart. What one hook call logs carries its `hook_instance`.
"""

from __future__ import annotations

import logging
import re
import sys
import threading
import warnings
from typing import IO, TYPE_CHECKING, Any

import msgspec
from gunicorn.glogging import Logger

from cds.web.seen.lean import structlog  # isort: skip - before structlog loads anything
from structlog.contextvars import bind_contextvars, clear_contextvars, merge_contextvars

if TYPE_CHECKING:
    from collections.abc import MutableMapping
    from types import TracebackType

_WORDS = re.compile(r"[A-Za-z0-9 ,'()-]{1,120}")
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,79}", re.ASCII)
_UUID = re.compile(r"(urn:uuid:)?[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
KEYS: dict[str, re.Pattern[str] | type] = {
    "event": _WORDS,
    "level": _NAME,
    "timestamp": re.compile(r"[0-9T:.Z-]{20,30}"),
    "hook_instance": _UUID,
    "call": _UUID,
    "route": re.compile(r"[A-Za-z0-9/<>:()=_.-]{1,120}"),
    "status": int,
    "milliseconds": float,
    "cards": int,
    "trials": int,
    "pid": int,
    "reason": _WORDS,
    "kind": _NAME,
    "logger": _NAME,
    "digest": re.compile(r"sha256:[0-9a-f]{64}"),
    "faults": int,
    "fault": re.compile(r"[^\x00-\x1f\x7f]{1,400}"),
    "version": re.compile(r"[0-9A-Za-z.+-]{1,40}"),
    "address": re.compile(r"https?://[A-Za-z0-9.:\[\]-]+(/[A-Za-z0-9/._-]*)?"),
}
"""Key → what its values look like. `event` and `reason` are words of ours, `kind` is the name of a
Python exception, `route` an address as the code writes it and never as it was called, `fault` a
sentence about a content file, which nothing about a patient has ever been in."""

_LINES = "trial-cds.line"
_OURS = "trial-cds"
_encoder = msgspec.json.Encoder()


class NotListed(ValueError):  # noqa: N818 - says what it is
    """A test logged something that may not be logged."""


def listed_only(
    line: MutableMapping[str, Any], *, strict: bool = False
) -> MutableMapping[str, Any]:
    """The line without what is not listed.

    Raises:
        NotListed: with `strict`, there is such a thing.
    """
    kept = {key: value for key, value in line.items() if _is_listed(key, value)}
    if strict and len(kept) < len(line):
        message = ", ".join(sorted(line.keys() - kept.keys()))
        raise NotListed(message)
    return kept


def _is_listed(key: str, value: object) -> bool:
    form = KEYS.get(key)
    if isinstance(form, re.Pattern):
        return isinstance(value, str) and form.fullmatch(value) is not None
    if form is float:
        return isinstance(value, int | float) and not isinstance(value, bool)
    return form is not None and type(value) is form


def _drop(_: object, __: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    return listed_only(line)


def _render(_: object, __: str, line: MutableMapping[str, Any]) -> str:
    return _encoder.encode(dict(line)).decode()


structlog.configure(
    processors=[
        structlog.stdlib.filter_by_level,
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _drop,
        _render,
    ],
    logger_factory=structlog.stdlib.LoggerFactory(),
    wrapper_class=structlog.stdlib.BoundLogger,
    cache_logger_on_first_use=True,
)
log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(_LINES)
"""Takes the event, and keys that are listed."""


def begin_request() -> None:
    """A new request: nothing of an earlier one is said of it."""
    clear_contextvars()


def note(**known: str | int) -> None:
    """What every further line of this request says too."""
    bind_contextvars(**known)


class _Converted(logging.Handler):
    """Lines that were not made here: of libraries, of Python itself, of our modules without keys.

    Of those nothing is said but who, how bad, and the kind of an exception. gunicorn's own words
    are repeated with the numbers in them, ours with a word.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Say it in our form."""
        known: dict[str, str] = {}
        if record.exc_info and record.exc_info[0] is not None:
            known["kind"] = record.exc_info[0].__name__
        template = record.msg if isinstance(record.msg, str) else ""
        if record.name == _OURS:
            event, _, _ = template.partition(": %s")
            reasons = record.args if isinstance(record.args, tuple) else ()
            if reasons:
                known["reason"] = str(reasons[0]).rstrip(".")
        elif record.name.startswith("gunicorn"):
            event, known["reason"] = "server", _with_numbers(template, record.args)
        else:
            event = "library"
        log.log(max(record.levelno, logging.INFO), event, logger=record.name, **known)


def _with_numbers(template: str, args: object) -> str:
    """A message of gunicorn with the numbers that belong in it and without anything else."""
    values = iter(args if isinstance(args, tuple) else ())

    def value(_: re.Match[str]) -> str:
        one = next(values, None)
        return str(one) if type(one) is int else "something"

    said = re.sub(r"%[sdr]", value, template)
    return re.sub(r"[^A-Za-z0-9 ,'()-]+", " ", said).strip()[:120]


def configure(stream: IO[str] | None = None, level: int = logging.INFO) -> None:
    """Write the log of this process, and of the workers forked from it, in our form only."""
    lines = logging.getLogger(_LINES)
    lines.handlers = [logging.StreamHandler(stream or sys.stderr)]
    lines.setLevel(level)
    lines.propagate = False
    root = logging.getLogger()
    root.handlers = [_Converted(logging.WARNING)]
    logging.raiseExceptions = False  # it would print what it could not format
    logging.captureWarnings(capture=True)
    warnings.simplefilter("ignore", ResourceWarning)
    sys.excepthook = _unexpected
    threading.excepthook = lambda args: _unexpected(args.exc_type, args.exc_value, None)
    sys.unraisablehook = lambda args: _unexpected(args.exc_type, args.exc_value, None)


def _unexpected(
    kind: type[BaseException], problem: BaseException | None, trace: TracebackType | None
) -> None:
    """In place of a traceback, whose texts may quote a chart."""
    del problem, trace
    if not issubclass(kind, SystemExit | KeyboardInterrupt):
        log.error("unexpected", kind=kind.__name__)


class ServerLog(Logger):  # type: ignore[misc] # gunicorn ships no types
    """gunicorn's loggers, which hand everything on to the log of this process."""

    def setup(self, cfg: Any) -> None:  # noqa: ANN401 - as gunicorn has it
        """Keep no handler of their own."""
        super().setup(cfg)
        self.error_log.handlers = []
        self.error_log.propagate = True
        self.access_log.handlers = []  # a request line may name a patient
