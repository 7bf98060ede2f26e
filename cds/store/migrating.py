"""Moving a store to today's shape with Alembic, which is loaded only where there is work for it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import text

from cds.store.fault import StoreFault

if TYPE_CHECKING:
    from sqlalchemy import Engine

MIGRATIONS = Path(__file__).parent / "migrations"
_MIGRATION_LOCK = 7_319_045_112  # any number, the same in every process of this product


def migrate(engine: Engine) -> None:
    """Bring the tables to the newest shape; processes that start together take turns.

    Raises:
        StoreFault: the tables are of a newer release; its text is the kind of error.
        SQLAlchemyError, sqlite3.Error, OSError: the database cannot be used.
    """
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            lock = text("SELECT pg_advisory_xact_lock(:lock)")
            connection.execute(lock, {"lock": _MIGRATION_LOCK})
        attributes: dict[str, Any] = config.attributes
        attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as problem:
            raise StoreFault(type(problem).__name__) from None
