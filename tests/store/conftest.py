"""The store of a test: SQLite in a folder of its own, or a database in a real PostgreSQL.

`make test-postgres` sets TRIAL_CDS_TEST_DATABASE=postgresql and runs the same tests there, except
for those in test_sqlite.py, which look into SQLite's own files; test_postgresql.py is the other
way round.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import create_engine, make_url, text

if TYPE_CHECKING:
    from collections.abc import Iterator

POSTGRESQL = os.environ.get("TRIAL_CDS_TEST_DATABASE") == "postgresql"
ROOT = Path(__file__).resolve().parents[2]
_numbers = itertools.count()


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """SQLite's own tests are not PostgreSQL's, nor the other way round."""
    other = "test_sqlite.py" if POSTGRESQL else "test_postgresql.py"
    return True if collection_path.name == other else None


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server that ends with the tests."""
    program = [sys.executable, str(ROOT / "tools" / "postgresql.py"), "--fast"]
    server = subprocess.Popen(
        program, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True
    )
    assert server.stdout is not None
    url = server.stdout.readline().decode().strip()
    if not url:
        pytest.fail("the PostgreSQL server did not start; run tools/postgresql.py to see why")
    yield url
    server.send_signal(signal.SIGTERM)
    server.wait(timeout=90)
    server.stdout.close()


@pytest.fixture
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The address of an empty store."""
    if not POSTGRESQL:
        return f"sqlite:///{tmp_path / 'deep' / 'store.db'}"
    return new_database(request.getfixturevalue("postgresql"))


def new_database(server: str) -> str:
    """Make a database in a PostgreSQL server; gives its URL."""
    name = f"test_{os.getpid()}_{next(_numbers)}"
    engine = create_engine(server, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    engine.dispose()
    return make_url(server).set(database=name).render_as_string(hide_password=False)
