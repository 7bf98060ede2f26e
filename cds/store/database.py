"""Opening the store: SQLite by default, PostgreSQL by URL, moved to today's shape at the start."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, create_engine, event, make_url, text
from sqlalchemy.exc import ArgumentError, NoSuchModuleError, SQLAlchemyError

from cds.store.fault import StoreFault
from cds.store.prepared import Driving

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

MIGRATIONS = Path(__file__).parent / "migrations"
_LOCK_SECONDS = 2.0


class Store:
    """One database for all workers of the service, opened when it is first needed.

    `open` ends without an open connection, so that worker processes may be forked afterwards.
    """

    def __init__(self, url: str) -> None:
        """Touch nothing yet."""
        self._url = url
        self._engine: Engine | None = None
        self._kinds: dict[str, Engine] = {}
        self._lock = threading.Lock()
        self._writing = threading.Lock()

    def open(self) -> None:
        """Make the database file and tables where they are missing, and move older ones on.

        Raises:
            StoreFault: the URL is none, or the database cannot be opened or written.
        """
        with self._lock:
            if self._engine is None:
                self._engine = _opened(self._url)

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        """A transaction that is on the disk when the context ends without an error.

        Raises:
            StoreFault: the database cannot be reached or written now; nothing was kept.
        """
        with self._transaction() as connection:
            yield connection

    @contextmanager
    def begin_quick(self) -> Iterator[Connection]:
        """A transaction that outlives every process of ours once the context ended.

        In SQLite it is then with the operating system, which writes it down soon: a power failure
        may take the last of them, whole ones, and never harms the file. PostgreSQL writes all
        transactions down at once.

        Raises:
            StoreFault: the database cannot be reached or written now; nothing was kept.
        """
        with self._transaction(quick=True) as connection:
            yield connection

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """A transaction that only reads, and waits for no writer.

        Raises:
            StoreFault: the database cannot be reached now.
        """
        with self._transaction(reading=True) as connection:
            yield connection

    @contextmanager
    def drive(self, *, reading: bool = False) -> Iterator[Driving]:
        """The transaction of `begin_quick` (`reading`: of `read`) for prepared statements.

        In SQLite a reading one is no transaction: each statement sees what is there by then.

        Raises:
            StoreFault: as theirs.
        """
        with self._faults(), self._turn(reading=reading):
            engine = self._ready()
            lent = engine.raw_connection()
            try:
                driver: Any = lent.driver_connection
                if not reading and engine.dialect.name == "sqlite":
                    _begin_quick(driver)
                yield Driving(driver, engine.dialect)
                if not reading:
                    driver.commit()
            finally:
                lent.close()  # which rolls back what was not committed

    @contextmanager
    def _transaction(self, **options: bool) -> Iterator[Connection]:
        with (
            self._faults(),
            self._turn(reading="reading" in options),
            self._with(options).begin() as connection,
        ):
            yield connection

    @contextmanager
    def _faults(self) -> Iterator[None]:
        """Say of the database's faults their kind alone: the text may hold what was written."""
        engine = self._ready()
        try:
            yield
        except (SQLAlchemyError, _driver_error(engine)) as problem:
            message = f"the store cannot be used now ({type(problem).__name__})"
            raise StoreFault(message) from None

    def _ready(self) -> Engine:
        self.open()
        assert self._engine is not None  # noqa: S101 - open() saw to it
        return self._engine

    @contextmanager
    def _turn(self, *, reading: bool) -> Iterator[None]:
        """One writer of this process at a time, where the database takes only one in all.

        SQLite makes writers wait by sleeping and asking again; a crowd of threads doing so starves
        some of them for seconds.
        """
        if reading or not self._url.startswith("sqlite"):
            yield
            return
        if not self._writing.acquire(timeout=_LOCK_SECONDS):
            message = "the store cannot be used now (another call is writing)"
            raise StoreFault(message)
        try:
            yield
        finally:
            self._writing.release()

    def _with(self, options: dict[str, bool]) -> Engine:
        """The engine for transactions of one kind; made once, it costs as much as a statement."""
        kind = next(iter(options), "")
        engine = self._kinds.get(kind)
        if engine is None:
            engine = self._kinds[kind] = self._ready().execution_options(**options)
        return engine

    def is_reachable(self) -> bool:
        """Whether the database answers and lets us write: no answer is given without a record."""
        try:
            with self.begin_quick() as connection:
                if connection.dialect.name == "postgresql":
                    return bool(connection.scalar(text("SHOW transaction_read_only")) == "off")
                connection.execute(text("SELECT 1"))  # the write lock was there
        except StoreFault:
            return False
        return True

    def close(self) -> None:
        """Let go of every connection; the next use opens anew."""
        with self._lock:
            if self._engine is not None:
                self._engine.dispose()
                self._engine = None
                self._kinds = {}


def _opened(url: str) -> Engine:
    try:
        address = make_url(url)
        engine = _engine(address)
    except (ArgumentError, NoSuchModuleError, ImportError):
        message = (
            "TRIAL_CDS_DATABASE_URL: no database of this kind can be used; write a SQLAlchemy URL "
            "such as sqlite:////var/lib/trial-cds/store.db, and install the driver that it names."
        )
        raise StoreFault(message) from None
    try:
        if not _is_current(engine):
            from cds.store.migrating import migrate  # noqa: PLC0415 - only where there is work

            migrate(engine)
    except (SQLAlchemyError, sqlite3.Error, StoreFault, OSError) as problem:
        message = (
            f"TRIAL_CDS_DATABASE_URL: the store ({address.get_backend_name()}) cannot be opened "
            f"({type(problem).__name__}); see that it exists, that this user may write to it, and "
            "that no newer release has changed it."
        )
        raise StoreFault(message) from None
    finally:
        engine.dispose()
    return engine


def _is_current(engine: Engine) -> bool:
    """Whether the tables have today's shape: then Alembic, 10 MB in each worker, stays unloaded."""
    newest = max(file.name[1:5] for file in (MIGRATIONS / "versions").glob("v[0-9]*.py"))
    try:
        with engine.execution_options(reading=True).connect() as connection:
            found = connection.execute(text("SELECT version_num FROM alembic_version"))
            return found.scalars().all() == [newest]
    except SQLAlchemyError:
        return False  # a new database has no such table; any other fault shows when it is migrated


def _engine(address: URL) -> Engine:
    if address.get_backend_name() != "sqlite":
        return create_engine(
            address, pool_pre_ping=True, hide_parameters=True, pool_timeout=_LOCK_SECONDS
        )
    if not address.database or ":memory:" in address.database:
        message = (
            "TRIAL_CDS_DATABASE_URL: a store in memory is lost and no two workers share it; "
            "name a file, for example sqlite:////var/lib/trial-cds/store.db."
        )
        raise StoreFault(message)
    _make_folder(Path(address.database).parent)
    engine = create_engine(
        address,
        hide_parameters=True,
        pool_timeout=_LOCK_SECONDS,
        connect_args={"timeout": _LOCK_SECONDS},
    )
    event.listen(engine, "connect", _prepare)
    event.listen(engine, "begin", _begin)
    return engine


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as problem:
        message = (
            f"TRIAL_CDS_DATABASE_URL: the folder of the store cannot be made "
            f"({type(problem).__name__}); name one that this user may write to."
        )
        raise StoreFault(message) from None


def _prepare(connection: DBAPIConnection, _: ConnectionPoolEntry) -> None:
    """Write-ahead log, so that readers never wait."""
    if not isinstance(connection, sqlite3.Connection):
        return
    connection.isolation_level = None  # transactions begin where _begin says so
    # Pages of the file that each connection keeps in memory: half a megabyte instead of two.
    for pragma in ("journal_mode=WAL", "foreign_keys=ON", "cache_size=-512"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    """Take the write lock at once: a transaction that would need it later could not wait for it.

    The driver is asked directly; by way of SQLAlchemy these words cost more than the rest.
    """
    driver: Any = connection.connection.dbapi_connection
    options = connection.get_execution_options()
    if options.get("reading"):
        driver.execute("BEGIN")
        return
    if options.get("quick"):
        _begin_quick(driver)
        return
    driver.execute("PRAGMA synchronous=FULL")
    driver.execute("BEGIN IMMEDIATE")


def _begin_quick(driver: sqlite3.Connection) -> None:
    driver.execute("PRAGMA synchronous=NORMAL")
    driver.execute("BEGIN IMMEDIATE")


def _driver_error(engine: Engine) -> type[Exception]:
    """What the driver raises, whatever it is; SQLAlchemy does not hold it in its own errors."""
    found: type[Exception] = engine.dialect.dbapi.Error  # type: ignore[union-attr]
    return found
