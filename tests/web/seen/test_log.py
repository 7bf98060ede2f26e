"""The log holds what is listed and nothing else, whoever writes to it."""

from __future__ import annotations

import io
import json
import logging
import subprocess
import sys
from typing import Any

import pytest

from cds.web.seen.log import NotListed, listed_only

SECRET = "Marker-of-a-chart"  # noqa: S105 - invented
PROGRAM = """
import io, logging, sys, threading, warnings
from cds.web.seen.log import begin_request, configure, log, note
configure()
{code}
"""


def lines_of(code: str) -> list[dict[str, Any]]:
    """What a process that is configured as the service is writes to standard error."""
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(code=code)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert SECRET not in done.stderr
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


def test_a_line_is_one_json_object_with_event_level_and_time() -> None:
    (line,) = lines_of("log.info('answered', route='/healthz', status=200, milliseconds=1.5)")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "event": "answered",
        "level": "info",
        "route": "/healthz",
        "status": 200,
        "milliseconds": 1.5,
    }


@pytest.mark.parametrize(
    "known",
    [
        {"patient": "p1"},
        {"hook_instance": SECRET},
        {"status": "200"},
        {"status": True},
        {"kind": "Some Error: text"},
        {"route": f"/determinations/{SECRET}?x"},
        {"event": f"bad value {{{SECRET}}}"},
        {"cards": [SECRET]},
    ],
)
def test_what_is_not_listed_or_looks_otherwise_is_dropped_and_a_test_hears_of_it(
    known: dict[str, Any],
) -> None:
    line = {"event": "answered", "level": "info"} | known
    (key,) = known
    assert key not in listed_only(dict(line))
    with pytest.raises(NotListed, match=key):
        listed_only(line, strict=True)


def test_every_line_of_a_request_says_its_hook_instance_and_the_next_request_does_not() -> None:
    name = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    first, second, third = lines_of(
        f"begin_request(); note(hook_instance='{name}'); log.info('one')\n"
        "log.warning('two'); begin_request(); log.info('three')"
    )
    assert first["hook_instance"] == second["hook_instance"] == name
    assert "hook_instance" not in third


def test_of_a_library_only_its_name_and_the_kind_of_error_are_said() -> None:
    (line,) = lines_of(
        "try:\n    int('Marker-of-a-chart')\n"
        "except ValueError:\n"
        "    logging.getLogger('urllib3.pool').exception('GET /Marker-of-a-chart')"
    )
    assert (line["event"], line["logger"], line["kind"]) == (
        "library",
        "urllib3.pool",
        "ValueError",
    )


def test_of_gunicorn_its_words_and_numbers_are_said_and_no_text() -> None:
    (line,) = lines_of(
        "log = logging.getLogger('gunicorn.error')\n"
        "log.error('Worker (pid:%s) had %s', 12, 'Marker-of-a-chart')"
    )
    assert line["reason"] == "Worker (pid 12) had something"


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError('Marker-of-a-chart')",
        "threading.Thread(target=lambda: int('Marker-of-a-chart')).start()",
        "class A:\n    def __del__(self): raise ValueError('Marker-of-a-chart')\nA()",
        "log.info('%s', 'Marker-of-a-chart', 1)",
        "logging.getLogger('x').warning('%d', 'Marker-of-a-chart')",
        "warnings.warn('Marker-of-a-chart')",
    ],
)
def test_no_text_of_an_error_or_warning_reaches_the_log(code: str) -> None:
    lines_of(code)


def test_our_modules_that_log_in_words_are_converted() -> None:
    (line,) = lines_of("logging.getLogger('trial-cds').warning('a caller was refused: %s', 'exp')")
    assert (line["event"], line["reason"]) == ("a caller was refused", "exp")


def test_the_log_is_quiet_until_the_service_configures_it() -> None:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    logging.getLogger().addHandler(handler)
    from cds.web.seen.log import log  # noqa: PLC0415 - what importing it does is the matter

    log.info("answered")
    logging.getLogger().removeHandler(handler)
    assert stream.getvalue() == ""
