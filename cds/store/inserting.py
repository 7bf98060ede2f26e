"""Inserting a row that may be there already, in the words of either database."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection, Table


def insert_new(connection: Connection, table: Table, row: Mapping[str, Any]) -> bool:
    """Insert the row unless one with the same key is there; whether it was new.

    The database is asked for the row's key: not every driver counts what was inserted.
    """
    new = connection.execute(_insert_new(connection.dialect.name, table), row)
    return new.first() is not None


@lru_cache(maxsize=64)  # to write such a statement down costs as much as to carry it out
def _insert_new(dialect: str, table: Table) -> Any:  # noqa: ANN401 - either one's own kind
    return _of(dialect).insert(table).on_conflict_do_nothing().returning(*table.primary_key)


def put(connection: Connection, table: Table, row: Mapping[str, Any]) -> None:
    """Insert the row, in place of one with the same primary key."""
    connection.execute(putting(table, row, connection.dialect.name), row)


def putting(table: Table, columns: Iterable[str], dialect: str) -> Any:  # noqa: ANN401 - either one's own kind
    """The statement that inserts some columns, or puts them in place of those that are there."""
    keys = [column.name for column in table.primary_key]
    statement = _of(dialect).insert(table).values({name: bindparam(name) for name in columns})
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def _of(dialect: str) -> Any:  # noqa: ANN401 - a module
    return postgresql if dialect == "postgresql" else sqlite
