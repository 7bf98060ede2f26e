"""SQLite's own files: where they lie, how they are made, what is no database."""

from __future__ import annotations

import sqlite3
import threading
from typing import TYPE_CHECKING

import pytest

from cds.store.database import Store
from cds.store.fault import StoreFault

if TYPE_CHECKING:
    from pathlib import Path


def test_the_folder_and_the_tables_are_made_where_they_are_missing(
    url: str, tmp_path: Path
) -> None:
    Store(url).open()
    with sqlite3.connect(tmp_path / "deep" / "store.db") as direct:
        names = {name for (name,) in direct.execute("SELECT name FROM sqlite_master")}
        (journal,) = direct.execute("PRAGMA journal_mode").fetchone()
    direct.close()
    assert {"feedback", "seen_tokens", "alembic_version"} <= names
    assert journal == "wal"


def test_a_file_that_is_no_database_is_refused_without_its_path_or_content(
    tmp_path: Path,
) -> None:
    (tmp_path / "store.db").write_text("something else entirely, and long enough " * 50)
    with pytest.raises(StoreFault) as fault:
        Store(f"sqlite:///{tmp_path / 'store.db'}").open()
    assert str(tmp_path) not in str(fault.value)


def test_a_database_that_somebody_else_keeps_locked_is_not_ready(url: str, tmp_path: Path) -> None:
    store = Store(url)
    store.open()
    other = sqlite3.connect(tmp_path / "deep" / "store.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    assert not store.is_reachable()
    other.execute("COMMIT")
    other.close()
    assert store.is_reachable()
    store.close()


def test_writers_of_one_process_take_turns(url: str) -> None:
    store = Store(url)
    store.open()
    begun = []

    def write() -> None:
        with store.begin_quick():
            begun.append("second")

    second = threading.Thread(target=write)
    with store.begin_quick():
        second.start()
        with store.read():  # readers wait for no writer
            begun.append("reader")
        begun.append("first")
    second.join()
    assert begun == ["reader", "first", "second"]
    store.close()


def test_a_writer_whose_turn_does_not_come_is_told_so(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("cds.store.database._LOCK_SECONDS", 0.01)
    store = Store(url)
    store.open()
    with (
        store.begin(),
        pytest.raises(StoreFault, match="another call is writing"),
        store.begin_quick(),
    ):
        pass
    with store.begin_quick():
        pass
    store.close()
