"""A SQLite file, read-only: a table, a view or a query, whole or what changed since the cursor.

Change cursor: what is not older than the newest change seen before is read again (landing it twice is harmless), so
rows of the same moment are not missed. Times are compared as SQLite reads them (ISO 8601, with or without offset); a
time that SQLite can't read is read each time. The newest change is noted before reading starts and is never later than
now: neither a row that changes meanwhile nor one that is dated in the future hides another.
"""

import json
import sqlite3
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

import pyarrow as pa

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Batch, Cursor, Gathering
from staged_assets.sources.expressions import quoted
from staged_assets.sources.models import SqliteFeed, SqliteSystem, nearest


def read(system: SqliteSystem, feed: SqliteFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`.

    Yields:
        batches whose cursor is `{"since": {"text": …, "number": …}}` and, until the reading is complete, `"until"` and
        `"after"` (the last row id read), by which an interrupted reading goes on.

    Raises:
        SourceError: the file, table or a column that the feed can't do without is missing, or SQLite can't read it.
    """
    path = Path(system.connection.path)
    if not path.is_file():
        raise SourceError(f"{system.name}: there is no SQLite file {path}: create it, or correct connection.path.")
    try:
        connection = sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True, timeout=30)
        try:
            connection.text_factory = bytes
            # One transaction: everything is read as of one moment.
            connection.execute("begin")
            yield from _read(connection, _Table(connection, system, feed), cursor)
        finally:
            connection.close()
    except sqlite3.Error as error:
        raise SourceError(f"{system.name}: {feed.name} in {path} could not be read: {error}.") from error


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
        self._check_columns()
        self.has_row_id = self._has_row_id()

    def _check_exists(self, table: str) -> None:
        found = self._connection.execute("select name from sqlite_master where type in ('table', 'view')")
        names = [name.decode() for (name,) in found]
        if table.lower() not in (name.lower() for name in names):
            raise SourceError(
                f"{self.system.name}: there is no table {table!r} in {self.system.connection.path},"
                f" {nearest(table, names) if names else 'which is empty'}"
                + f"; correct `from` of the feed of {self.feed.dataset}, or restore the table."
            )

    def _check_columns(self) -> None:
        marker = self.feed.delete_marker
        for column in (*self.feed.key, self.feed.updated_at, marker.column if marker else None):
            if column is not None and column not in self.columns:
                raise SourceError(
                    f"{self.system.name}: {self.feed.name} has no column {column!r},"
                    f" {nearest(column, self.columns)}"
                    + f"; correct the feed of {self.feed.dataset}, or restore the column."
                )

    def warnings(self) -> list[str]:
        """Columns that the mapping names and the table has not."""
        return [
            f"{self.system.name}: {self.feed.name} has no column {column.source!r}: {target} of {self.feed.dataset} is"
            " NULL."
            for target, column in self.feed.columns.items()
            if column.source is not None and column.source not in self.columns
        ]

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
    warnings = table.warnings()
    gathering = Gathering()
    found = _select(connection, table, since, after)
    while rows := found.fetchmany(gathering.room):
        if table.has_row_id:
            after = rows[-1][-1]
        _add(gathering, table.columns, rows)
        if gathering.is_full:
            partly = {"since": since, "until": until, "after": after} if until and table.has_row_id else None
            yield gathering.take(partly, warnings)
            gathering, warnings = Gathering(), []
    finished = {"since": until} if until else None
    if gathering.records or warnings or finished != cursor:
        yield gathering.take(finished, warnings)


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


def _add(gathering: Gathering, names: Sequence[str], rows: list[tuple[Any, ...]]) -> None:
    try:
        gathering.add(_text_table(names, rows))
    except pa.ArrowInvalid:
        bad = {index: _as_bytes(names, row) for index, row in enumerate(rows) if not _is_text(row)}
        nothing = (None,) * len(rows[0])
        readable = [nothing if index in bad else row for index, row in enumerate(rows)]
        gathering.add(_text_table(names, readable), undecodable=bad)


def _text_table(names: Sequence[str], rows: list[tuple[Any, ...]]) -> pa.Table:
    columns = islice(zip(*rows, strict=True), len(names))
    return pa.table(dict(zip(names, map(_as_text, columns), strict=True)))


def _as_text(values: tuple[Any, ...]) -> pa.Array:
    """Numbers as their digits, or the shortest text that gives the same floating-point number."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        return pa.array(values, pa.int64()).cast(pa.string())
    if kinds - {bytes}:
        values = tuple(v if v is None or type(v) is bytes else repr(v).encode() for v in values)
    return pa.array(values, pa.binary()).cast(pa.string())


def _is_text(row: tuple[Any, ...]) -> bool:
    try:
        for value in row:
            if type(value) is bytes:
                value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_bytes(names: Sequence[str], row: tuple[Any, ...]) -> bytes:
    """A row with text that is not UTF-8: as a JSON object, the text's bytes as they are."""
    values = [v.decode("utf-8", "surrogateescape") if type(v) is bytes else v for v in row]
    record = {name: None if v is None else str(v) for name, v in zip(names, values, strict=False)}
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")
