"""Fetched keys: only from the listed address, bounded, and kept when the address fails."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from cds.web.jwks import FetchedKeys

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Answer = Callable[[BaseHTTPRequestHandler], None]


def jwk(kid: str) -> dict[str, Any]:
    key = ec.generate_private_key(ec.SECP384R1()).public_key()
    return jwt.algorithms.ECAlgorithm.to_jwk(key, as_dict=True) | {"kid": kid}


class Keys:
    """A server of keys whose answer can be changed, and which counts its requests."""

    def __init__(self) -> None:
        self.asked = 0
        self.answer: Answer = self.holding("first")

    @staticmethod
    def holding(*kids: str) -> Answer:
        """Answers with new keys of these names."""
        body = json.dumps({"keys": [jwk(kid) for kid in kids]}).encode()
        return lambda handler: send(handler, 200, body)


def send(handler: BaseHTTPRequestHandler, status: int, body: bytes, **headers: str) -> None:
    handler.send_response(status)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.send_header("Content-Length", str(len(body)))
    handler.end_headers()
    handler.wfile.write(body)


@contextmanager
def served(keys: Keys) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            keys.asked += 1
            try:
                keys.answer(self)
            except OSError:
                self.close_connection = True  # the client cut it off, as it should

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/jwks"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def keys() -> Keys:
    return Keys()


@pytest.fixture
def clock() -> list[float]:
    return [0.0]


@pytest.fixture
def fetched(keys: Keys, clock: list[float]) -> Iterator[FetchedKeys]:
    with served(keys) as address:
        yield FetchedKeys(address, clock=lambda: clock[0])


def test_keys_are_fetched_once_and_kept(fetched: FetchedKeys, keys: Keys) -> None:
    for _ in range(5):
        assert fetched.find("first", "ES384") is not None
    assert keys.asked == 1


def test_a_key_is_good_for_its_own_algorithm_only(fetched: FetchedKeys) -> None:
    assert fetched.find("first", "RS384") is None


def test_an_unknown_key_is_looked_for_again_but_not_at_every_call(
    fetched: FetchedKeys, keys: Keys, clock: list[float]
) -> None:
    assert fetched.find("first", "ES384") is not None
    keys.answer = Keys.holding("second")
    for clock[0] in (1.0, 10.0, 29.0):
        assert fetched.find("second", "ES384") is None
    assert keys.asked == 1
    clock[0] = 31.0
    assert fetched.find("second", "ES384") is not None
    assert fetched.find("first", "ES384") is None  # withdrawn
    assert keys.asked == 2


def test_old_keys_are_fetched_anew(fetched: FetchedKeys, keys: Keys, clock: list[float]) -> None:
    assert fetched.find("first", "ES384") is not None
    clock[0] = 3_601.0
    assert fetched.find("first", "ES384") is not None
    assert keys.asked == 2


def test_known_keys_stay_while_their_address_fails(
    fetched: FetchedKeys, keys: Keys, clock: list[float]
) -> None:
    assert fetched.find("first", "ES384") is not None
    keys.answer = lambda handler: send(handler, 503, b"")
    for clock[0] in (3_601.0, 3_602.0, 3_700.0):
        assert fetched.find("first", "ES384") is not None
    assert keys.asked == 3


def test_after_a_failure_it_is_tried_again_soon(
    fetched: FetchedKeys, keys: Keys, clock: list[float]
) -> None:
    sound = keys.answer
    keys.answer = lambda handler: send(handler, 500, b"")
    assert fetched.find("first", "ES384") is None
    keys.answer = sound
    assert fetched.find("first", "ES384") is None
    clock[0] = 6.0
    assert fetched.find("first", "ES384") is not None


def redirecting(handler: BaseHTTPRequestHandler) -> None:
    send(handler, 302, b"", Location=f"{handler.path}/elsewhere")


def endless(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(1_000):
        handler.wfile.write(b" " * 100_000)


def dripping(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.end_headers()
    for _ in range(100):
        handler.wfile.write(b" ")
        handler.wfile.flush()
        time.sleep(0.1)


@pytest.mark.parametrize(
    "answer",
    [
        redirecting,
        endless,
        dripping,
        lambda handler: send(handler, 200, b"<html>sign in</html>"),
        lambda handler: send(handler, 200, b"[" * 10_000),
        lambda handler: send(handler, 200, b'{"keys": [{"kty": "EC"}, 5]}'),
        lambda handler: send(handler, 204, b""),
    ],
    ids=["redirect", "endless", "dripping", "html", "deep", "no keys", "no content"],
)
def test_what_is_no_key_set_gives_no_key_in_bounded_time(
    fetched: FetchedKeys, keys: Keys, answer: Answer
) -> None:
    keys.answer = answer
    began = time.monotonic()
    assert fetched.find("first", "ES384") is None
    assert time.monotonic() - began < 5
    assert keys.asked == 1


def test_many_threads_fetch_once(fetched: FetchedKeys, keys: Keys) -> None:
    threads = [threading.Thread(target=fetched.find, args=("first", "ES384")) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert keys.asked == 1
