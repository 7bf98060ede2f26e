"""Inserting a row that may be there already, in the words of either database."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the row unless one with the same key is there; whether it was new."""
    if connection.dialect.name == "postgresql":
        statement: Any = postgresql.insert(table).values(row).on_conflict_do_nothing()
    else:
        statement = sqlite.insert(table).values(row).on_conflict_do_nothing()
    return bool(connection.execute(statement).rowcount)


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert the row, in place of one with the same primary key."""
    insert: Any = (postgresql if connection.dialect.name == "postgresql" else sqlite).insert(table)
    keys = [column.name for column in table.primary_key]
    changed = {name: value for name, value in row.items() if name not in keys}
    connection.execute(insert.values(row).on_conflict_do_update(index_elements=keys, set_=changed))
