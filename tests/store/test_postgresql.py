"""What only a database server can do to its clients."""

from __future__ import annotations

from sqlalchemy import create_engine, text

from cds.store.database import Store


def test_connections_that_the_server_ended_are_made_anew(url: str) -> None:
    store = Store(url)
    assert store.is_reachable()
    other = create_engine(url)
    ended = text(
        "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    with other.connect() as connection:
        assert connection.scalar(ended) == 1
    other.dispose()
    assert store.is_reachable()
    store.close()


def test_a_database_that_can_only_be_read_is_not_ready(url: str) -> None:
    store = Store(url)
    store.open()
    other = create_engine(url, isolation_level="AUTOCOMMIT")
    with other.connect() as connection:
        name = connection.scalar(text("SELECT current_database()"))
        connection.execute(text(f"ALTER DATABASE {name} SET default_transaction_read_only = on"))
    other.dispose()
    assert not store.is_reachable()
    store.close()
