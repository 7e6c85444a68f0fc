"""A DuckDB file that another loader fills: its tables, views or queries, every value as text in full precision.

The file is opened read-only and only while it is read. It may be the warehouse itself: a loader's tables are then in a
schema of their own. The newest change is noted before rows are read, and the next reading starts an overlap before it;
rows come in the order of the change cursor, so an interrupted reading goes on where it stopped.
"""

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import duckdb
import pyarrow as pa

from staged_assets.errors import SourceError
from staged_assets.sources.batch import BATCH_RECORDS, Batch, Cursor, Gathering
from staged_assets.sources.expressions import literal, quoted
from staged_assets.sources.marks import Mark, Question, mark_of_database_file
from staged_assets.sources.models import DuckdbFeed, DuckdbSystem
from staged_assets.sources.queries import as_text
from staged_assets.sources.tables import (
    DEFAULT_NUMBER,
    DEFAULT_OVERLAP,
    check_columns,
    missing_columns,
    missing_table,
)

_NUMBER = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|DECIMAL.*|DOUBLE|FLOAT")
#: type of a change cursor → its newest value that counts: a change dated in the future must not hide others
_NOW = {
    "TIMESTAMP WITH TIME ZONE": "now()",
    "TIMESTAMP": "timezone({zone}, now())",
    "DATE": "timezone({zone}, now())::date",
}


def read(system: DuckdbSystem, feed: DuckdbFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`.

    Yields:
        batches whose cursor is `{"since": text}` and, until the reading is complete, `"until"` and `"at"`, the change
        time that was reached.

    Raises:
        SourceError: the file, table or a column that the feed can't do without is missing, or it can't be read.
    """
    with _opened(system, feed.name) as connection:
        yield from _Reading(connection, system, feed, dict(cursor or {})).read()


def read_keys(system: DuckdbSystem, feed: DuckdbFeed) -> Iterator[Batch]:
    """Read the columns of which the dataset's key is made, of all records that there are now."""
    with _opened(system, f"the keys of {feed.name}") as connection:
        reading = _Reading(connection, system, feed, {})
        names = [name for name in feed.key_columns if name in reading.types]
        yield from reading.batches(reading.select(names), None)
        yield reading.batch(None)


def marks(system: DuckdbSystem, asked: Sequence[Question]) -> list[Mark]:
    """Size and modification time of the file, which is not opened: its loader may be writing it."""
    path = _existing(system)
    return [mark_of_database_file(path, ".wal") for _ in asked]


def _existing(system: DuckdbSystem) -> Path:
    path = Path(system.connection.path)
    if not path.is_file():
        raise SourceError(f"{system.name}: there is no DuckDB file {path}: create it, or correct connection.path.")
    return path


@contextmanager
def _opened(system: DuckdbSystem, what: str) -> Iterator[duckdb.DuckDBPyConnection]:
    path = _existing(system)
    try:
        with _connect(path) as connection:
            connection.execute("set TimeZone = 'UTC'")
            if system.connection.schema_name is not None:
                connection.execute(f"use {quoted(system.connection.schema_name)}")
            yield connection
    except duckdb.Error as error:
        reason = str(error).partition("\n")[0].rstrip(".")
        advice = "the next run goes on from here"
        if "Could not set lock" in reason:
            advice = "its loader is writing it: run again when it has ended"
        raise SourceError(f"{system.name}: {what} in {path} could not be read: {reason}: {advice}.") from error


def _connect(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        return duckdb.connect(path, read_only=True)
    except duckdb.ConnectionException:
        # It is the warehouse, which this process has open for writing.
        return duckdb.connect(path).cursor()


class _Reading:
    """One reading of a feed.

    Args:
        cursor: where it starts.
    """

    def __init__(
        self, connection: duckdb.DuckDBPyConnection, system: DuckdbSystem, feed: DuckdbFeed, cursor: Cursor
    ) -> None:
        self._connection, self._system, self._feed, self._cursor = connection, system, feed, cursor
        self._sql = self._relation()
        described = connection.execute(f"describe select * from {self._sql}").fetchall()
        self.types = {name: kind for name, kind, *_ in described}
        check_columns(system.name, feed, list(self.types))
        self._problems = missing_columns(system.name, feed, list(self.types))
        self._gathering = Gathering()

    def read(self) -> Iterator[Batch]:
        """Everything, or what changed."""
        finished: Cursor | None = None
        select = self.select(list(self.types))
        if self._feed.updated_at is None:
            yield from self.batches(select, None)
        else:
            since = self._cursor.get("since")
            until = self._cursor.get("until") or self._newest(since) or since
            condition = self._at_or_after(self._cursor["at"]) if "at" in self._cursor else self._since(since)
            order = f"order by {self._changed} nulls first"
            yield from self.batches(f"{select} where {condition} {order}", {"since": since, "until": until})
            finished = {"since": until} if until is not None else None
        if self._gathering.records or self._problems or (finished or {}) != self._cursor:
            yield self.batch(finished)

    def select(self, columns: list[str]) -> str:
        """A select of columns as text, under their own names."""
        texts = (f"{as_text(f'source.{quoted(name)}', self.types[name])} as {quoted(name)}" for name in columns)
        return f"select {', '.join(texts)} from {self._sql}"

    def batches(self, sql: str, reached: Cursor | None) -> Iterator[Batch]:
        """The rows of a query in full batches; what is left is gathered."""
        for found in self._connection.sql(sql).to_arrow_reader(BATCH_RECORDS):
            start = 0
            while start < found.num_rows:
                part = found.slice(start, self._gathering.left)
                start += part.num_rows
                self._gathering.add(pa.Table.from_batches([part]))
                if self._gathering.is_full:
                    at = part[str(self._feed.updated_at)][-1].as_py() if reached is not None else None
                    yield self.batch({**(reached or {}), "at": at} if at is not None else None)

    def batch(self, cursor: Cursor | None) -> Batch:
        """What was gathered."""
        batch = self._gathering.take(cursor, self._problems, self.types)
        self._gathering, self._problems = Gathering(), []
        return batch

    def _relation(self) -> str:
        if self._feed.source is None:
            return f"({str(self._feed.query).rstrip().rstrip(';')}\n) as source"
        schema, _, table = self._feed.source.rpartition(".")
        found = self._connection.execute(
            "select table_name from information_schema.tables where table_catalog = current_database()"
            f" and table_schema = {literal(schema) if schema else 'current_schema()'} order by 1"
        ).fetchall()
        names = [name for (name,) in found]
        if table.lower() not in (name.lower() for name in names):
            raise missing_table(self._system.name, self._feed, names, self._system.connection.path)
        return f"{quoted(schema)}.{quoted(table)} as source" if schema else f"{quoted(table)} as source"

    @property
    def _changed(self) -> str:
        return f"source.{quoted(str(self._feed.updated_at))}"

    @property
    def _kind(self) -> str:
        kind = self.types[str(self._feed.updated_at)]
        return "TIMESTAMP" if kind.startswith("TIMESTAMP_") else kind

    def _newest(self, since: str | None) -> str | None:
        newest = f"max({self._changed})"
        if self._kind in _NOW:
            newest = f"least({newest}, {_NOW[self._kind].format(zone=literal(self._system.time_zone))})"
        ((found,),) = self._connection.execute(
            f"select case when count({self._changed}) > 0 then {newest} end::varchar from {self._sql}"
            f" where {self._since(since)}"
        ).fetchall()
        return str(found) if found is not None else None

    def _since(self, since: str | None) -> str:
        if since is None or not (self._kind in _NOW or _NUMBER.fullmatch(self._kind)):
            return "true"
        overlap = self._feed.overlap
        if self._kind in _NOW:
            seconds = (overlap if isinstance(overlap, timedelta) else DEFAULT_OVERLAP).total_seconds()
            before = f"interval '{seconds:.0f} seconds'"
        else:
            before = str(DEFAULT_NUMBER if overlap is None or isinstance(overlap, timedelta) else overlap)
        return f"({self._changed} >= {literal(since)}::{self._kind} - {before} or {self._changed} is null)"

    def _at_or_after(self, at: str) -> str:
        return f"({self._changed} >= {literal(at)}::{self._kind} or {self._changed} is null)"
