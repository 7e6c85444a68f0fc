"""A SQLite file, read-only: a table, a view or a query, whole or what changed since the cursor.

Change cursor: what is not older than the newest change seen before is read again (landing it twice is harmless), so
rows of the same moment are not missed. Times are compared as SQLite reads them (ISO 8601, with or without offset); a
time that SQLite can't read is read each time. The newest change is noted before reading starts and is never later than
now: neither a row that changes meanwhile nor one that is dated in the future hides another.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Batch, Cursor, Gathering
from staged_assets.sources.connections import SqliteConnection
from staged_assets.sources.expressions import literal, quoted
from staged_assets.sources.marks import Mark, Question, mark_of_database_file
from staged_assets.sources.models import SqliteFeed, SqliteSystem
from staged_assets.sources.tables import TableInfo, add_rows, check_columns, missing_columns, missing_table


def read(system: SqliteSystem, feed: SqliteFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`.

    Yields:
        batches whose cursor is `{"since": {"text": …, "number": …}}` and, until the reading is complete, `"until"` and
        `"after"` (the last row id read), by which an interrupted reading goes on.

    Raises:
        SourceError: the file, table or a column that the feed can't do without is missing, or SQLite can't read it.
    """
    with _opened(system.name, system.connection, feed.name) as connection:
        yield from _read(connection, _Table(connection, system, feed), cursor)


def read_keys(system: SqliteSystem, feed: SqliteFeed) -> Iterator[Batch]:
    """Read the columns of which the dataset's key is made, of all records that there are now."""
    with _opened(system.name, system.connection, feed.name) as connection:
        table = _Table(connection, system, feed)
        names = [name for name in table.columns if name in feed.key_columns]
        found = connection.execute(f"select {', '.join(map(quoted, names))} from {table.sql}")
        gathering = Gathering()
        while rows := found.fetchmany(gathering.room):
            add_rows(gathering, names, rows)
            if gathering.is_full:
                yield gathering.take(None)
                gathering = Gathering()
        yield gathering.take(None)


def marks(system: SqliteSystem, asked: Sequence[Question]) -> list[Mark]:
    """Size and modification time of the file: it costs the same at any size, and each commit changes them."""
    with _opened(system.name, system.connection, "the file"):
        mark = mark_of_database_file(Path(system.connection.path), "-wal")
    return [mark for _ in asked]


def describe(system: str, file: SqliteConnection) -> list[TableInfo]:
    """The tables and views of a file, by name."""
    with _opened(system, file, "the tables") as connection:
        connection.text_factory = str
        names = connection.execute(
            "select name from sqlite_master where type in ('table', 'view') and name not like 'sqlite_%' order by name"
        ).fetchall()
        tables = []
        for (name,) in names:
            columns = connection.execute(f"select name, type, pk from pragma_table_info({literal(name)})").fetchall()
            key = tuple(column for column, _, place in sorted(columns, key=lambda found: found[2]) if place)
            tables.append(TableInfo(name, {column: kind.lower() for column, kind, _ in columns}, key))
        return tables


@contextmanager
def _opened(system: str, file: SqliteConnection, what: str) -> Iterator[sqlite3.Connection]:
    path = Path(file.path)
    if not path.is_file():
        raise SourceError(f"{system}: there is no SQLite file {path}: create it, or correct connection.path.")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)
        try:
            connection.text_factory = bytes
            # One transaction: everything is read as of one moment.
            connection.execute("begin")
            yield connection
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise SourceError(f"{system}: {what} in {path} could not be read: {error}.") from error


class _Table:
    """What is read, with its columns."""

    def __init__(self, connection: sqlite3.Connection, system: SqliteSystem, feed: SqliteFeed) -> None:
        self._connection = connection
        self.system, self.feed = system, feed
        if feed.source is not None:
            self._check_exists(feed.source)
        self.sql = quoted(feed.source) if feed.source is not None else f"({feed.query})"
        found = connection.execute(f"select * from {self.sql} limit 0")
        self.columns = [str(column[0]) for column in found.description]
        check_columns(system.name, feed, self.columns)
        self.has_row_id = self._has_row_id()

    def _check_exists(self, table: str) -> None:
        found = self._connection.execute("select name from sqlite_master where type in ('table', 'view')")
        names = [name.decode() for (name,) in found]
        if table.lower() not in (name.lower() for name in names):
            raise missing_table(self.system.name, self.feed, names, self.system.connection.path)

    def _has_row_id(self) -> bool:
        if self.feed.source is None or "_rowid_" in (column.lower() for column in self.columns):
            return False
        kind = "select 1 from sqlite_master where type = 'table' and lower(name) = lower(?)"
        if self._connection.execute(kind, [self.feed.source]).fetchone() is None:
            return False
        try:
            self._connection.execute(f"select _rowid_ from {self.sql} limit 0")
        except sqlite3.OperationalError:
            return False  # made `without rowid`
        return True


def _read(connection: sqlite3.Connection, table: _Table, cursor: Cursor | None) -> Iterator[Batch]:
    started = cursor or {}
    since, after = started.get("since") or {}, started.get("after")
    until = started.get("until") or _newest_change(connection, table)
    warnings = missing_columns(table.system.name, table.feed, table.columns)
    columns = dict.fromkeys(table.columns, "")
    gathering = Gathering()
    found = _select(connection, table, since, after)
    while rows := found.fetchmany(gathering.room):
        if table.has_row_id:
            after = rows[-1][-1]
        add_rows(gathering, table.columns, rows)
        if gathering.is_full:
            partly = {"since": since, "until": until, "after": after} if until and table.has_row_id else None
            yield gathering.take(partly, warnings, columns)
            gathering, warnings = Gathering(), []
    finished = {"since": until} if until else None
    if gathering.records or warnings or finished != cursor:
        yield gathering.take(finished, warnings, columns)


def _newest_change(connection: sqlite3.Connection, table: _Table) -> dict[str, Any] | None:
    """The newest change there is now, of times and of numbers; None for a feed without change cursor."""
    if table.feed.updated_at is None:
        return None
    changed = quoted(table.feed.updated_at)
    text, number = connection.execute(
        f"select max(case when typeof({changed}) = 'text' then datetime({changed}) end),"
        f" max(case when typeof({changed}) in ('integer', 'real') then {changed} end) from {table.sql}"
    ).fetchone()
    now = datetime.now(UTC)
    local = now.astimezone(ZoneInfo(table.system.time_zone))
    latest = min(moment.strftime("%Y-%m-%d %H:%M:%S") for moment in (now, local))
    return {"text": min(text.decode(), latest) if text else None, "number": number}


def _select(connection: sqlite3.Connection, table: _Table, since: dict[str, Any], after: int | None) -> sqlite3.Cursor:
    columns = [
        f"case typeof({name}) when 'blob' then hex({name}) else {name} end" for name in map(quoted, table.columns)
    ]
    conditions = ["1"]
    if table.feed.updated_at is not None:
        changed = quoted(table.feed.updated_at)
        conditions.append(
            f"case when typeof({changed}) = 'text' then coalesce(datetime({changed}) >= :text, 1)"
            f" when typeof({changed}) in ('integer', 'real') then coalesce({changed} >= :number, 1) else 1 end"
        )
    order = ""
    if table.has_row_id:
        columns.append("_rowid_")
        order = "order by _rowid_"
        if after is not None:
            conditions.append("_rowid_ > :after")
    sql = f"select {', '.join(columns)} from {table.sql} where {' and '.join(conditions)} {order}"
    return connection.execute(sql, {"text": since.get("text"), "number": since.get("number"), "after": after})
