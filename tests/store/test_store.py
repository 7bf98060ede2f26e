"""The store: made at the start, moved on, shared by processes, honest where it cannot be used."""

from __future__ import annotations

import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import create_engine

from cds.store.database import MIGRATIONS, Store
from cds.store.fault import StoreFault
from cds.store.seen import SeenTokens
from cds.store.tables import metadata

if TYPE_CHECKING:
    from pathlib import Path


def test_the_migrations_make_exactly_the_tables_that_the_code_knows(url: str) -> None:
    store = Store(url)
    with store.begin() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    store.close()


def test_opening_twice_changes_nothing(url: str) -> None:
    store = Store(url)
    assert SeenTokens(store).is_first("iss", "jti", expires=9, now=1)
    store.close()
    again = Store(url)
    assert not SeenTokens(again).is_first("iss", "jti", expires=9, now=1)
    again.close()


def test_a_token_is_first_once_whichever_process_sees_it(url: str) -> None:
    Store(url).open()
    program = (
        "import sys\n"
        "from cds.store.database import Store\n"
        "from cds.store.seen import SeenTokens\n"
        "seen = SeenTokens(Store(sys.argv[1]))\n"
        "print(sum(seen.is_first('iss', str(n), expires=9, now=1) for n in range(100)))\n"
    )
    running = [
        subprocess.Popen([sys.executable, "-c", program, url], stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    firsts = [int(process.communicate()[0]) for process in running]
    assert sum(firsts) == 100


def test_a_token_is_first_once_among_threads(url: str) -> None:
    store = Store(url)
    seen = SeenTokens(store)
    firsts: list[bool] = []

    def use() -> None:
        firsts.append(seen.is_first("iss", "jti", expires=9, now=1))

    threads = [threading.Thread(target=use) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    store.close()
    assert firsts.count(True) == 1


def test_issuers_do_not_share_their_token_ids(url: str) -> None:
    store = Store(url)
    seen = SeenTokens(store)
    assert seen.is_first("ab", "c", expires=9, now=1)
    assert seen.is_first("a", "bc", expires=9, now=1)
    store.close()


def test_tokens_are_forgotten_when_nobody_would_accept_them_anyway(url: str) -> None:
    store = Store(url)
    assert SeenTokens(store).is_first("iss", "old", expires=100, now=50)
    later = SeenTokens(store)
    assert later.is_first("iss", "new", expires=300, now=200)
    with store.begin() as connection:
        kept = connection.exec_driver_sql("SELECT count(*) FROM seen_tokens").scalar_one()
    store.close()
    assert kept == 1


def test_a_store_of_a_newer_release_is_left_alone(url: str) -> None:
    store = Store(url)
    with store.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    store.close()
    with pytest.raises(StoreFault, match="newer release"):
        Store(url).open()


def test_every_step_of_the_tables_history_can_be_taken_back(url: str) -> None:
    Store(url).open()
    engine = create_engine(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    for step in ("base", "head"):
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            (command.downgrade if step == "base" else command.upgrade)(config, step)
    engine.dispose()


def test_workers_that_start_together_make_the_tables_once(url: str) -> None:
    program = "import sys; from cds.store.database import Store; Store(sys.argv[1]).open()"
    running = [subprocess.Popen([sys.executable, "-c", program, url]) for _ in range(4)]
    assert [process.wait() for process in running] == [0, 0, 0, 0]


@pytest.mark.parametrize(
    "address", ["sqlite://", "sqlite:///:memory:", "nothing", "", "oracle://x/y", "sqlite:////"]
)
def test_an_address_that_cannot_be_a_store_is_refused_with_a_sentence(address: str) -> None:
    with pytest.raises(StoreFault, match=r"^TRIAL_CDS_DATABASE_URL: .+\.$"):
        Store(address).open()


def test_a_password_in_the_address_is_in_no_message() -> None:
    with pytest.raises(StoreFault) as fault:
        Store("postgresql+nodriver://me:geheim@127.0.0.1/x").open()
    assert "geheim" not in str(fault.value)


def test_a_store_that_has_todays_shape_is_opened_without_the_migrations(tmp_path: Path) -> None:
    """They are a tenth of a worker's memory, and of the time to start."""
    program = (
        "import sys; from cds.store.database import Store; Store(sys.argv[1]).open(); "
        "print('alembic' in sys.modules)"
    )
    command = [sys.executable, "-c", program, f"sqlite:///{tmp_path / 'store.db'}"]
    said = [subprocess.run(command, check=True, capture_output=True).stdout for _ in range(2)]
    assert [one.strip() for one in said] == [b"True", b"False"]
