"""A day on the command line is written in one way."""

from __future__ import annotations

from datetime import date
from importlib import import_module

import click
import pytest

from cds.cli import COMMANDS
from cds.cli.site import Day


def days_of(name: str) -> list[click.Parameter]:
    """The parameters of a command that take a day."""
    module = name.replace("-", "_")
    command: click.Command = getattr(import_module(f"cds.cli.{module}"), module)
    return [one for one in command.params if "--on" in one.opts]


@pytest.mark.parametrize("name", [name for name in COMMANDS if days_of(name)])
def test_every_command_reads_its_day_in_the_same_way(name: str) -> None:
    assert all(isinstance(one.type, Day) for one in days_of(name))


@pytest.mark.parametrize(
    "written",
    ["20260301", "2026-W09-7", "2026-3-1", "2026-03-01T00:00", " 2026-03-01", "٢٠٢٦-٠٣-٠١", ""],
)
def test_a_day_written_otherwise_is_refused_with_an_example(written: str) -> None:
    with pytest.raises(click.BadParameter, match=r"write it as 2026-03-01\."):
        Day().convert(written, None, None)


@pytest.mark.parametrize("written", ["2026-02-29", "2026-13-01"])
def test_a_day_that_no_calendar_has_is_refused(written: str) -> None:
    with pytest.raises(click.BadParameter, match="no calendar date"):
        Day().convert(written, None, None)


def test_a_day_as_the_contract_writes_it_is_read() -> None:
    assert Day().convert("2026-03-01", None, None) == date(2026, 3, 1)
