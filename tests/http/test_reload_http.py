"""New content in a running service, from outside: calls go on, faults are refused, back again."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import pytest
import requests

from cds.content.bundled import bundled_content

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

TRIAL = "NCT05490667"


@pytest.fixture
def versions(tmp_path: Path) -> Path:
    """A folder with two versions of the content; `current` points to the first."""
    for name in ("first", "second"):
        folder = tmp_path / name / "trials" / TRIAL
        shutil.copytree(bundled_content() / "trials" / TRIAL, folder)
    head = tmp_path / "second" / "trials" / TRIAL / "trial.yaml"
    text = head.read_text("utf-8").replace('version: "1.0.0"', 'version: "2.0.0"')
    head.write_text(text.replace("status: Non Recruiting", "status: Recruiting"), "utf-8")
    (tmp_path / "current").symlink_to("first")
    return tmp_path


def point_to(versions: Path, name: str) -> None:
    """Another version, in one step, as a deployment does it."""
    (versions / "next").symlink_to(name)
    (versions / "next").replace(versions / "current")


class Callers:
    """Many callers at once; what went wrong, and which versions they were told."""

    def __init__(self, served: Any, request: Any) -> None:
        self.wrong: list[str] = []
        self.told: list[str] = []
        self.stopped = threading.Event()
        self._served, self._request = served, request
        self._threads = [threading.Thread(target=self._call, args=(n,)) for n in range(6)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self._threads:
            thread.join()

    def _call(self, number: int) -> None:
        with requests.Session() as session:  # half of them keep their connection
            caller: Any = session if number % 2 else requests
            while not self.stopped.is_set():
                try:
                    answer = caller.post(self._served.hook, json=self._request(), timeout=30)
                    answer.raise_for_status()
                    self.told += [_version(card) for card in answer.json()["cards"]]
                except requests.RequestException as problem:
                    self.wrong.append(repr(problem))

    def until_told(self, version: str, calls: int = 10) -> None:
        """Wait until that version was told so often in a row."""
        ends = time.monotonic() + 30
        while self.told[-calls:] != [version] * calls:
            assert time.monotonic() < ends, (version, self.told[-calls:], self.wrong[:3])
            time.sleep(0.05)


def _version(card: Any) -> str:
    return str(card["extension"]["org.trial-cds.assessment"]["version"])


def content_of(served: Any) -> str:
    return str(requests.get(f"{served.url}/readyz", timeout=10).json()["content"])


def logged(served: Any, words: str) -> None:
    """Wait until the log holds some words."""
    ends = time.monotonic() + 30
    while words not in served.log.read_text("utf-8"):
        assert time.monotonic() < ends, served.log.read_text("utf-8")
        time.sleep(0.05)


def test_sighup_takes_over_refuses_and_goes_back_while_calls_go_on(
    serve: Callable[..., Any], story: Any, versions: Path
) -> None:
    content = f"{bundled_content()}{os.pathsep}{versions / 'current'}"
    served = serve(CONTENT=content, ON=story.day, THREADS="16")
    first = content_of(served)
    with Callers(served, story.request) as callers:
        callers.until_told("1.0.0")

        point_to(versions, "second")
        served.process.send_signal(signal.SIGHUP)
        callers.until_told("2.0.0")

        broken = versions / "second" / "trials" / TRIAL / "inclusion.yaml"
        sound = broken.read_text("utf-8")
        broken.write_text(sound.replace("lab: ecog", "lab: ecogg"), "utf-8")
        served.process.send_signal(signal.SIGHUP)
        logged(served, "No concept is called 'ecogg'. Did you mean 'ecog'?")
        callers.until_told("2.0.0")

        point_to(versions, "first")
        served.process.send_signal(signal.SIGHUP)
        callers.until_told("1.0.0")
    assert callers.wrong == [], "no call is dropped or refused"
    assert len(callers.told) > 50
    assert content_of(served) == first
    assert served.stop() == 0


def test_with_watch_a_saved_file_takes_over_by_itself(
    serve: Callable[..., Any], versions: Path
) -> None:
    content = f"{bundled_content()}{os.pathsep}{versions / 'current'}"
    served = serve("--watch", CONTENT=content)
    first = content_of(served)
    path = versions / "first" / "trials" / TRIAL / "exclusion.yaml"
    ends = time.monotonic() + 30
    while content_of(served) == first:
        with path.open("a", encoding="utf-8") as file:  # until the watcher is there to see it
            file.write("# saved again\n")
        assert time.monotonic() < ends, served.log.read_text("utf-8")
        time.sleep(1)
    assert served.stop() == 0
