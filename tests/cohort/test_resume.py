"""Whatever ends a screening, the same command goes on, and the result is the same."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING, Any

import pytest

from cds.cohort import plan
from cds.cohort.output import WORK
from cds.cohort.progress import Silent
from cds.cohort.screen import screen

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

DAY = "2026-03-01"


class Interrupts:
    """Interrupts after some batches, as Ctrl-C does; counts the patients of the last run."""

    def __init__(self, after: int) -> None:
        self.after = after
        self.before = 0
        self.patients = 0

    def step(self, what: str, total: int, done: int = 0) -> Callable[[int], None]:
        """A step begins."""
        del total
        if what != "patients":
            return lambda _: None
        self.before = done
        return self._advance

    def _advance(self, number: int) -> None:
        self.patients += number
        self.after -= 1
        if self.after == 0:
            raise KeyboardInterrupt


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Some patients in each batch instead of hundreds."""
    monkeypatch.setattr(plan, "BATCH_BYTES", 250_000)


@pytest.mark.usefixtures("small_batches")
def test_an_interrupted_screening_goes_on_where_it_stopped(export: Path, screening: Any) -> None:
    _, whole = screening.run(export)
    order = screening.order(export)
    first = Interrupts(after=2)
    with pytest.raises(KeyboardInterrupt):
        screen(order, first)
    second = Interrupts(after=-1)
    screen(order, second)
    assert second.before == first.patients > 0
    assert second.before + second.patients == 22
    for name in ("determinations.csv", "manifest.json"):
        assert (screening.folder / order.out / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.usefixtures("small_batches")
def test_what_was_finished_for_other_files_is_not_taken_up(export: Path, screening: Any) -> None:
    order = screening.order(export)
    with pytest.raises(KeyboardInterrupt):
        screen(order, Interrupts(after=2))
    with (export / "Condition.ndjson").open("a", encoding="utf-8") as file:
        file.write("\n")
    again = Interrupts(after=-1)
    screen(order, again)
    assert again.before == 0


def test_a_killed_screening_is_completed_with_the_same_rows(
    export: Path, screening: Any, trial_cds: Path, tmp_path: Path
) -> None:
    """Kill -9 at whatever moment comes first, several times over."""
    many(export, 6)
    _, whole = screening.run(export)
    out = tmp_path / "killed"
    command = [str(trial_cds), "screen", str(export), "--on", DAY, "--out", str(out)]
    command += ["--complete", "Procedure", "--workers", "2"]
    for latest in (1.0, 2.5):
        with subprocess.Popen(command, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL) as run:
            time.sleep(random.uniform(0.1, latest))  # noqa: S311 - no secret
            run.send_signal(signal.SIGKILL)
    subprocess.run(command, check=True, capture_output=True)
    assert (out / "determinations.csv").read_bytes() == (whole / "determinations.csv").read_bytes()
    assert not (out / WORK).exists()


def many(export: Path, times: int) -> None:
    """The same people under many names."""
    patients = (export / "Patient.ndjson").read_text("utf-8")
    names = [json.loads(line)["id"] for line in patients.splitlines()]
    for path in export.iterdir():
        text = path.read_text("utf-8")
        copies = [text]
        for number in range(1, times):
            copy = text
            for name in names:
                copy = copy.replace(f'Patient/{name}"', f'Patient/{name}-{number}"')
                if path.name == "Patient.ndjson":
                    copy = copy.replace(f'"id": "{name}"', f'"id": "{name}-{number}"')
            copies.append(copy)
        path.write_text("".join(copies), "utf-8")


def test_two_screenings_do_not_write_into_one_folder(export: Path, screening: Any) -> None:
    order = screening.order(export)

    class Second(Silent):
        def step(self, what: str, total: int, done: int = 0) -> Callable[[int], None]:
            if what == "patients":
                with pytest.raises(Exception, match="another screening is writing"):
                    screen(order, Silent())
                seen.append(what)
            return super().step(what, total, done)

    seen: list[str] = []
    screen(order, Second())
    assert seen == ["patients"]
