"""Statements that every hook call carries out, written down once and handed to the driver itself.

SQLAlchemy puts them in the words of either database and knows how values are passed. What it does
around each execution took longer than the four small statements of a call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from sqlalchemy import ClauseElement, Dialect

    Row = Mapping[str, Any]


class Driving(NamedTuple):
    """A transaction under way on a connection of the driver, as DB-API 2.0 has it."""

    connection: Any
    dialect: Dialect

    def run(self, statement: Prepared, row: Row) -> Sequence[Sequence[Any]]:
        """Carry out a statement; gives what it selects, as the driver reads it."""
        cursor = self.connection.cursor()
        written = statement.written(self.dialect)
        cursor.execute(written.text, written.given(row))
        found: Sequence[Sequence[Any]] = () if cursor.description is None else cursor.fetchall()
        cursor.close()
        return found

    def run_all(self, statement: Prepared, rows: Sequence[Row]) -> None:
        """Carry out a statement for each row."""
        cursor = self.connection.cursor()
        written = statement.written(self.dialect)
        cursor.executemany(written.text, [written.given(row) for row in rows])
        cursor.close()


class _Written(NamedTuple):
    """A statement in the words of one database.

    `columns` are its parameters with what the driver wants made of them. `in_order`: the driver
    takes them one after the other, else by name.
    """

    text: str
    columns: tuple[tuple[str, Callable[[Any], Any] | None], ...]
    in_order: bool

    def given(self, row: Row) -> list[Any] | dict[str, Any]:
        if self.in_order:
            return [row[name] if made is None else made(row[name]) for name, made in self.columns]
        return {name: row[name] if made is None else made(row[name]) for name, made in self.columns}


class Prepared:
    """A statement of SQLAlchemy's, all of whose parameters are given when it is carried out."""

    def __init__(self, statement: Callable[[str], ClauseElement]) -> None:
        """`statement` says it for a dialect by its name; nothing is written down yet."""
        self._statement = statement
        self._written: dict[str, _Written] = {}

    def written(self, dialect: Dialect) -> _Written:
        """The statement for a database."""
        found = self._written.get(dialect.name)
        if found is None:
            found = self._written[dialect.name] = _write(self._statement(dialect.name), dialect)
        return found


def _write(statement: ClauseElement, dialect: Dialect) -> _Written:
    compiled: Any = statement.compile(dialect=dialect)
    names = compiled.positiontup if compiled.positional else list(compiled.binds)
    columns = tuple(
        (name, compiled.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
        for name in names
    )
    return _Written(str(compiled), columns, compiled.positional)
