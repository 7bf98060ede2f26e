"""Inserting a row that may be there already, in the words of either database."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the row unless one with the same key is there; whether it was new.

    The database is asked for the row's key: not every driver counts what was inserted.
    """
    new = connection.execute(_insert_new(connection.dialect.name, table), row)
    return new.first() is not None


@lru_cache(maxsize=64)  # to write such a statement down costs as much as to carry it out
def _insert_new(dialect: str, table: Table) -> Any:  # noqa: ANN401 - either one's own kind
    statement = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    return statement.on_conflict_do_nothing().returning(*table.primary_key)


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert the row, in place of one with the same primary key."""
    keys = [column.name for column in table.primary_key]
    changed = {name: value for name, value in row.items() if name not in keys}
    statement = _insert(connection, table).values(row)
    connection.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def _insert(connection: Connection, table: Table) -> Any:  # noqa: ANN401 - either one's own kind
    return (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
