"""Limits: refusals at once, with the time after which to come back."""

from __future__ import annotations

import io
import socket
import threading
from contextlib import ExitStack
from typing import Any

import pytest

from cds.web.errors import Refused
from cds.web.limits import Gate, Rate, discard_body, is_counted, read_body, waiting_gate
from cds.web.worker import Patience, broken_request


def test_the_gate_holds_so_many_and_tells_the_others_at_once() -> None:
    gate = Gate(2)
    with gate.entered(), gate.entered(), pytest.raises(Refused) as refused, gate.entered():
        pass
    assert (refused.value.status, refused.value.retry_after) == (503, 1)
    with gate.entered(), gate.entered():
        pass  # both places are free again


@pytest.mark.parametrize(("threads", "waiting"), [(1, 1), (2, 1), (8, 6), (32, 24)])
def test_some_places_are_left_to_calls_that_need_not_wait(threads: int, waiting: int) -> None:
    with ExitStack() as held:
        gate = waiting_gate(threads)
        for _ in range(waiting):
            held.enter_context(gate.entered())
        with pytest.raises(Refused), gate.entered():
            pass


def test_a_place_is_free_again_after_a_call_that_failed() -> None:
    gate = Gate(1)
    for _ in range(3):
        with pytest.raises(ZeroDivisionError), gate.entered():
            raise ZeroDivisionError


def test_a_client_may_call_in_a_burst_but_not_for_ever() -> None:
    now = [0.0]
    rate = Rate(10, clock=lambda: now[0])
    for _ in range(20):
        rate.admit("a")
    with pytest.raises(Refused) as refused:
        rate.admit("a")
    assert (refused.value.status, refused.value.retry_after) == (429, 1)
    rate.admit("b")  # another client is not concerned
    now[0] = 1.0
    for _ in range(10):
        rate.admit("a")
    with pytest.raises(Refused):
        rate.admit("a")


def test_refused_calls_do_not_prolong_the_wait() -> None:
    now = [0.0]
    rate = Rate(1, clock=lambda: now[0])
    for _ in range(2):
        rate.admit("a")
    for now[0] in (0.2, 0.4, 0.6, 0.8):
        with pytest.raises(Refused):
            rate.admit("a")
    now[0] = 1.1
    rate.admit("a")


def test_many_clients_take_no_more_memory_than_some() -> None:
    rate = Rate(1)
    for number in range(10_000):
        rate.admit(str(number))
    assert len(rate._left) <= 4_096


@pytest.mark.parametrize(
    ("address", "counted"),
    [
        ("127.0.0.1", False),
        ("::1", False),
        ("10.0.0.7", True),
        ("2001:db8::1", True),
        ("fe80::1%eth0", True),
        (None, True),
        ("unknown", True),
    ],
)
def test_this_machine_is_not_counted(address: str | None, *, counted: bool) -> None:
    assert is_counted(address) is counted


def test_a_client_that_does_not_finish_sending_is_cut_off() -> None:
    now = [0.0]
    patience = Patience(10, clock=lambda: now[0])
    ours, theirs = socket.socketpair()
    patience.begin(ours)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(ours.recv(10)))
    reader.start()
    now[0] = 9.0
    patience.cut()
    reader.join(timeout=0.1)
    assert reader.is_alive()
    now[0] = 11.0
    patience.cut()
    reader.join(timeout=2)
    assert got == [b""]
    ours.sendall(b"answer")  # what was worked out may still be said
    assert theirs.recv(10) == b"answer"
    now[0] = 21.0
    patience.cut()
    with pytest.raises(OSError, match="pipe"):
        ours.sendall(b"more")
    ours.close()
    theirs.close()


def test_who_was_answered_in_time_is_left_alone() -> None:
    now = [0.0]
    patience = Patience(10, clock=lambda: now[0])
    ours, theirs = socket.socketpair()
    patience.begin(ours)
    patience.end(ours)
    now[0] = 100.0
    patience.cut()
    theirs.sendall(b"next")
    assert ours.recv(10) == b"next"
    ours.close()
    theirs.close()


@pytest.mark.parametrize("status", [400, 414, 417, 431, 500])
def test_what_was_no_http_is_answered_in_the_contract_s_form(status: int) -> None:
    head, _, body = broken_request(status).partition(b"\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert f"Content-Length: {len(body)}".encode() in head
    assert b'"resourceType":"OperationOutcome"' in body


def environ(body: bytes, **more: Any) -> dict[str, Any]:
    return {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body))} | more


def test_a_body_is_read_whole_up_to_the_limit() -> None:
    assert read_body(environ(b"x" * 600_000), 600_000) == b"x" * 600_000
    chunked = environ(b"abc", CONTENT_LENGTH="") | {"wsgi.input_terminated": True}
    assert read_body(chunked, 3) == b"abc"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (environ(b"abcd"), 413),
        (environ(b"abcd", CONTENT_LENGTH="") | {"wsgi.input_terminated": True}, 413),
        (environ(b"ab", CONTENT_LENGTH="3"), 400),
    ],
)
def test_a_body_that_is_too_large_or_breaks_off_is_refused(
    sent: dict[str, Any], status: int
) -> None:
    with pytest.raises(Refused) as refused:
        read_body(sent, 3)
    assert refused.value.status == status


def test_without_length_or_end_there_is_no_body() -> None:
    assert read_body(environ(b"abc", CONTENT_LENGTH=""), 10) == b""


def test_what_a_refused_request_brought_is_taken_in_once() -> None:
    unread = environ(b"abc")
    discard_body(unread)
    assert unread["wsgi.input"].read() == b""
    huge = environ(b"abc", CONTENT_LENGTH="5000000")
    discard_body(huge)
    assert huge["wsgi.input"].read() == b"abc"  # the server closes that connection
    read = environ(b"abcdef", CONTENT_LENGTH="3")
    read_body(read, 10)
    discard_body(read)
    assert read["wsgi.input"].read() == b"def"  # the next request's, not ours to take
