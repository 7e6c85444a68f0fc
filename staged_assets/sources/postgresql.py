"""PostgreSQL: a table, a view or a query in bulk, every value as the server writes it.

All queries of one reading see one moment. The newest change is noted before rows are read, and the next reading starts
an overlap before it, for rows that were committed late. The first reading of a plain table goes through its pages from
the front, so one that was interrupted goes on where it stopped: rows that moved meanwhile have a newer change time. Any
other reading is in the order of the change cursor, and goes on from there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta

import pyarrow as pa

from staged_assets.sources.batch import Batch, Cursor, Gathering
from staged_assets.sources.expressions import literal, quoted
from staged_assets.sources.marks import LONGEST_QUESTION, Mark, Question
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem
from staged_assets.sources.postgresql_session import Pages, Source, connected
from staged_assets.sources.tables import DEFAULT_NUMBER, DEFAULT_OVERLAP, missing_columns

#: type of a change cursor → its newest value that counts: a change dated in the future must not hide others
_NOW = {"timestamptz": "now()", "timestamp": "(now() at time zone {zone})", "date": "(now() at time zone {zone})::date"}
_NUMBERS = ("int2", "int4", "int8", "numeric", "float4", "float8")


def read(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`.

    Yields:
        batches whose cursor is `{"since": text}` and, until the reading is complete, `"until"` and either `"page"` and
        `"file"` (the table's next page, and the file that it is in) or `"at"` (the change time that was reached).

    Raises:
        SourceError: the server can't be reached or refuses; the table or a column that the feed needs is missing.
        ConfigurationError: the driver is not installed.
    """
    with connected(system.name, system.connection, feed.name) as connection:
        reading = _Reading(Source(connection, system, feed), dict(cursor or {}))
        yield from reading.read()


def read_keys(system: DatabaseSystem, feed: DatabaseFeed) -> Iterator[Batch]:
    """Read the columns of which the dataset's key is made, of all records that there are now."""
    with connected(system.name, system.connection, f"the keys of {feed.name}") as connection:
        source = Source(connection, system, feed)
        gathering = Gathering()
        for table in connection.tables(source.select([name for name in feed.key_columns if name in source.types])):
            source.add(gathering, table)
            if gathering.is_full:
                yield gathering.take(None)
                gathering = Gathering()
        yield gathering.take(None)


def marks(system: DatabaseSystem, asked: Sequence[Question]) -> list[Mark]:
    """The newest change, and how many rows there are in the overlap before it: rows committed late are seen, too.

    Needs an index on the change cursor, where the table is large.
    """
    with connected(system.name, system.connection, "the newest changes") as connection:
        connection.execute(f"set local statement_timeout = {LONGEST_QUESTION}")
        return [_mark(Source(connection, system, question.feed)) for question in asked]


def _mark(source: Source) -> Mark:
    changes = _Changes.of(source)
    return changes.mark() if changes is not None else None


class _Reading:
    """One reading of a feed.

    Args:
        cursor: where it starts.
    """

    def __init__(self, source: Source, cursor: Cursor) -> None:
        self._source = source
        self._cursor = cursor
        self._select = source.select(list(source.types))
        self._changes = _Changes.of(source)
        self._problems = missing_columns(source.system.name, source.feed, list(source.types))
        self._gathering = Gathering()

    def read(self) -> Iterator[Batch]:
        changes, since = self._changes, self._cursor.get("since")
        if changes is None:
            yield from self._read(self._select, None)
            yield from self._rest(None)
            return
        until = self._cursor.get("until") or changes.newest(since) or since
        pages = self._source.pages() if since is None and "at" not in self._cursor else None
        if pages is not None:
            yield from self._read_pages(pages, until)
        else:
            yield from self._read_in_order(changes, since, until)
        yield from self._rest({"since": until} if until is not None else None)

    def _read_pages(self, pages: Pages, until: str | None) -> Iterator[Batch]:
        start = self._cursor["page"] if self._cursor.get("file") == pages.file else 0
        reached = {"since": None, "until": until, "page": start, "file": pages.file}
        for page in range(start, pages.count, pages.at_once):
            following = page + pages.at_once
            within = f"ctid >= '({page},0)'::tid and ctid < '({following},0)'::tid"
            yield from self._read(f"{self._select} where {within}", reached)
            reached["page"] = following

    def _read_in_order(self, changes: "_Changes", since: str | None, until: str | None) -> Iterator[Batch]:
        condition = changes.since(since) if "at" not in self._cursor else changes.at_or_after(self._cursor["at"])
        reached = {"since": since, "until": until, "at": None}
        yield from self._read(f"{self._select} where {condition} order by {changes.column} nulls first", reached)

    def _read(self, sql: str, reached: Cursor | None) -> Iterator[Batch]:
        """Read a query; `reached` is the cursor of what is complete before it, its `at` that of each row."""
        for table in self._source.connection.tables(sql):
            start = 0
            while start < table.num_rows:
                # A batch of exactly this size is written by the engine at once.
                part = table.slice(start, self._gathering.left)
                start += part.num_rows
                self._source.add(self._gathering, part)
                if self._gathering.is_full:
                    yield self._batch(self._reached(reached, part))

    def _reached(self, reached: Cursor | None, part: pa.Table) -> Cursor | None:
        if reached is None or "at" not in reached:
            return reached and dict(reached)
        at = part[str(self._source.feed.updated_at)][-1].as_py()
        return {**reached, "at": at} if at is not None else None

    def _rest(self, finished: Cursor | None) -> Iterator[Batch]:
        if self._gathering.records or self._problems or (finished or {}) != self._cursor:
            yield self._batch(finished)

    def _batch(self, cursor: Cursor | None) -> Batch:
        batch = self._gathering.take(cursor, self._problems, self._source.types)
        self._gathering, self._problems = Gathering(), []
        return batch


@dataclass(frozen=True)
class _Changes:
    """The change cursor's column."""

    source: Source
    kind: str

    @staticmethod
    def of(source: Source) -> "_Changes | None":
        """None for a feed that has none."""
        name = source.feed.updated_at
        return _Changes(source, source.types[name]) if name is not None else None

    @property
    def column(self) -> str:
        return f"source.{quoted(str(self.source.feed.updated_at))}"

    def newest(self, since: str | None) -> str | None:
        """The newest change that there is now, as text; None where there is none that is newer."""
        kept = "" if self.kind not in ("numeric", "float4", "float8") else f" filter (where {self.column} <> 'NaN')"
        newest = f"max({self.column}){kept}"
        if self.kind in _NOW:
            now = _NOW[self.kind].format(zone=literal(self.source.system.time_zone))
            newest = f"case when max({self.column}) is not null then least({newest}, {now}) end"
        found: str | None = self.source.connection.row(
            f"select ({newest})::text from {self.source.sql} where {self.since(since)}"
        )[0]
        return found

    def mark(self) -> str:
        """The newest change, and number and sum of those from an overlap before it on."""
        ask = self.source.connection.row
        newest: str | None = ask(f"select max({self.column})::text from {self.source.sql}")[0]
        if newest is None or not self._has_overlap:
            return str(newest)
        start, value = f"{literal(newest)}::{self.kind}", self.column
        if self.kind in _NOW:
            # A change that is dated in the future must not hide others.
            start = f"least({start}, {_NOW[self.kind].format(zone=literal(self.source.system.time_zone))})"
            value = f"extract(epoch from {self.column})"
        within = f"{self.column} >= {start} - {self._overlap}"
        (late,) = ask(f"select (count(*) || ' ' || sum({value}))::text from {self.source.sql} where {within}")
        return f"{newest} {late}"

    @property
    def _has_overlap(self) -> bool:
        return self.kind in _NOW or self.kind in _NUMBERS

    def since(self, since: str | None) -> str:
        """The condition for what may have changed since then."""
        if since is None or not self._has_overlap:
            return "true"
        return f"({self.column} >= {literal(since)}::{self.kind} - {self._overlap} or {self.column} is null)"

    @property
    def _overlap(self) -> str:
        overlap = self.source.feed.overlap
        if self.kind in _NOW:
            seconds = (overlap if isinstance(overlap, timedelta) else DEFAULT_OVERLAP).total_seconds()
            return f"interval '{seconds:.0f} seconds'"
        return str(DEFAULT_NUMBER if overlap is None or isinstance(overlap, timedelta) else overlap)

    def at_or_after(self, at: str) -> str:
        """The condition for what comes in order from there on."""
        return f"({self.column} >= {literal(at)}::{self.kind} or {self.column} is null)"
