"""Dagster's SQLite storage with connections that are kept.

Dagster's own opens a database anew for each statement, with a new SQLAlchemy engine that has to compile the statement
anew, and closes it, which writes the whole journal back. And whenever a process or a sensor's tick makes an instance,
Dagster's own loads all migrations of each database, only to find that it has its tables: two thirds of a tick.
"""

import os
import sqlite3
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from dagster._core.events.log import EventLogEntry
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sqlite import create_db_conn_string
from dagster._core.storage.sqlite_storage import (
    DagsterSqliteStorage,
    _event_logs_directory,
    _runs_directory,
    _schedule_directory,
)
from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

#: Event logs kept open at once: the index, and those of the last runs.
OPEN_LOGS = 8

#: Events of a batch that are written in one transaction.
EVENTS_AT_ONCE = 1_000

#: Seconds to wait for another process that writes the same log.
BUSY_TIMEOUT = 1000


class EventLogStorage(SqliteEventLogStorage):
    """One log for each run and an index of all, as Dagster's own lays them out; the last few stay open."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        super().__init__(base_dir, inst_data=inst_data)
        # Events that are stored together hold it while each of them asks for it.
        self._db_lock = threading.RLock()  # type: ignore[assignment]

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            together: dict[str, Connection] | None = self.__dict__.get("_together")
            if together is None:
                with self._engine(shard).begin() as connection:
                    yield connection
                return
            if shard not in together:
                together[shard] = self._stack.enter_context(self._engine(shard).begin())
            yield together[shard]

    def store_event_batch(self, events: Sequence[EventLogEntry]) -> None:
        """Store all of them or none: one transaction for each log instead of some for each event."""
        with self._db_lock, ExitStack() as self._stack:
            self._together: dict[str, Connection] = {}
            try:
                super().store_event_batch(events)
            finally:
                del self._together

    def has_table(self, table_name: str) -> bool:
        """Whether the index has a table; one that it has stays."""
        tables: set[str] = self.__dict__.setdefault("_tables", set())
        if table_name not in tables and super().has_table(table_name):
            tables.add(table_name)
        return table_name in tables

    def _has_asset_key_col_on_connection(self, conn: Connection, column_name: str) -> bool:
        columns: set[str] = self.__dict__.setdefault("_asset_key_columns", set())
        if column_name not in columns and super()._has_asset_key_col_on_connection(conn, column_name):
            columns.add(column_name)
        return column_name in columns

    def delete_events(self, run_id: str) -> None:
        """Delete a run's events, and its log."""
        super().delete_events(run_id)
        with self._db_lock:
            engine = self.__dict__.get("_engines", {}).pop(run_id, None)
            if engine is not None:
                engine.dispose()
            self._initialized_dbs.discard(run_id)
            log = Path(self.path_for_shard(run_id))
            for part in ("", "-wal", "-shm", "-journal"):
                log.with_name(log.name + part).unlink(missing_ok=True)

    def wipe(self) -> None:
        """Delete all logs."""
        self._close()
        super().wipe()

    def dispose(self) -> None:
        """Close what is open."""
        self._close()
        super().dispose()

    def _engine(self, shard: str) -> Engine:
        engines = self.__dict__.setdefault("_engines", OrderedDict())
        if shard not in engines:
            engine = create_engine(self.conn_string_for_shard(shard), connect_args={"timeout": BUSY_TIMEOUT})
            # A log loses nothing if a process dies; if the machine does, perhaps its last events.
            event.listen(engine, "connect", lambda connection, _: connection.execute("pragma synchronous = normal"))
            if shard not in self._initialized_dbs:
                # Dagster's own loads all of its migrations to find that out: a tenth of a second for each log.
                if not _is_made(engine):
                    self._make(shard, engine)
                self._initialized_dbs.add(shard)
            engines[shard] = engine
        engines.move_to_end(shard)
        while len(engines) > OPEN_LOGS:
            engines.popitem(last=False)[1].dispose()
        return engines[shard]

    def _make(self, shard: str, engine: Engine) -> None:
        """Give a new log the tables that the index has; Dagster's own takes two tenths of a second for each run."""
        if shard != INDEX_SHARD_NAME:
            try:
                return _make_like(self._engine(INDEX_SHARD_NAME), self.path_for_shard(shard))
            except sqlite3.OperationalError:
                # Two processes make it at once, or one was killed while it did: Dagster's own tries again and again.
                pass
        self._initdb(engine)

    def _close(self) -> None:
        with self._db_lock:
            for engine in self.__dict__.pop("_engines", {}).values():
                engine.dispose()


class _Kept:
    """A database with one engine for all connections; migrations are loaded only where its tables are not there yet."""

    #: the name of its file, and a table that is made after its version
    _file: str
    _last_table = "alembic_version"
    _conn_string: str

    @classmethod
    def from_local(cls, base_dir: str, inst_data: Any = None) -> Any:
        """As Dagster's own."""
        Path(base_dir).mkdir(parents=True, exist_ok=True)
        kept: Any = cls(create_db_conn_string(base_dir, cls._file), inst_data)  # type: ignore[call-arg]
        if _is_made(kept.engine, cls._last_table):
            return kept
        kept.dispose()
        return super().from_local(base_dir, inst_data)  # type: ignore[misc]

    @contextmanager
    def connect(self) -> Iterator[Connection]:
        """A connection, in a transaction."""
        with self.engine.begin() as connection:
            yield connection

    def dispose(self) -> None:
        """Close what is open."""
        engine = self.__dict__.pop("engine", None)
        if engine is not None:
            engine.dispose()

    @cached_property
    def engine(self) -> Engine:
        """Made at its first use. It has as many connections as there are threads that use it at once."""
        return create_engine(self._conn_string, connect_args={"timeout": BUSY_TIMEOUT}, max_overflow=-1)


class ScheduleStorage(_Kept, SqliteScheduleStorage):
    """Sensors, schedules and their ticks."""

    _file = "schedules"


class RunStorage(_Kept, SqliteRunStorage):
    """Runs, and what daemons remember.

    Attributes:
        schedules: closed with it: Dagster closes an instance's runs and events, and forgets its schedules.
    """

    _file = "runs"
    _last_table = "instance_info"
    schedules: ScheduleStorage | None = None

    def dispose(self) -> None:
        """Close what is open."""
        super().dispose()
        if self.schedules is not None:
            self.schedules.dispose()


def _is_made(engine: Engine, last_table: str = "alembic_version") -> bool:
    """Whether a database has all of its tables: its version is written after all but the last, in one transaction."""
    with engine.connect() as connection:
        return {"alembic_version", last_table} <= set(inspect(connection).get_table_names()) and bool(
            connection.execute(text("select count(*) from alembic_version")).scalar()
        )


def _make_like(index: Engine, path: str) -> None:
    """Make a log's tables, all or none.

    Raises:
        sqlite3.OperationalError: some of them are there, or another process is making them.
    """
    with index.connect() as connection:
        made = "select sql from sqlite_master where sql is not null and name not like 'sqlite%' order by rowid"
        statements: Sequence[str] = connection.execute(text(made)).scalars().all()
        revisions: Sequence[str] = connection.execute(text("select version_num from alembic_version")).scalars().all()
    with closing(sqlite3.connect(path, isolation_level=None, timeout=BUSY_TIMEOUT)) as log:
        log.execute("pragma journal_mode = wal")
        log.execute("begin immediate")
        for statement in statements:
            log.execute(statement)
        log.executemany("insert into alembic_version values (?)", [(revision,) for revision in revisions])
        log.execute("commit")


class SqliteStorage(DagsterSqliteStorage):
    """Dagster's storage of runs, events and schedules in SQLite files, for `dagster.yaml`. Needs `base_dir`."""

    def __init__(self, base_dir: str, inst_data: Any = None) -> None:
        # Not Dagster's own, which would make its own storages first.
        super(DagsterSqliteStorage, self).__init__()
        # The events that announce what a run is going to do are written together: Dagster reads this each time.
        os.environ.setdefault("DAGSTER_EVENT_BATCH_SIZE", str(EVENTS_AT_ONCE))
        self.base_dir = base_dir
        self._inst_data = inst_data
        runs = RunStorage.from_local(_runs_directory(base_dir))
        runs.schedules = ScheduleStorage.from_local(_schedule_directory(base_dir))
        self._run_storage, self._schedule_storage = runs, runs.schedules
        self._event_log_storage = EventLogStorage(_event_logs_directory(base_dir))

    @classmethod
    def from_config_value(cls, inst_data: Any, config_value: Any) -> "SqliteStorage":
        """As Dagster makes it from its configuration."""
        return cls.from_local(inst_data=inst_data, **config_value)
