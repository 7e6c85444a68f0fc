"""MySQL, MariaDB and SQL Server: a table, a view or a query, through SQLAlchemy and the server's Python driver.

Change cursor: the newest change is noted before rows are read, and the next reading starts an overlap before it, for
rows that were committed late. Rows come in the order of the change cursor, so a reading that was interrupted goes on
where it stopped.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from sqlalchemy.exc import SQLAlchemyError

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources.batch import CHUNK_RECORDS, Batch, Cursor, Gathering
from staged_assets.sources.connections import SCHEMES, DatabaseConnection
from staged_assets.sources.marks import LONGEST_QUESTION, Mark, Question, digest
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem
from staged_assets.sources.secrets import masked
from staged_assets.sources.tables import (
    DEFAULT_NUMBER,
    DEFAULT_OVERLAP,
    TableInfo,
    add_rows,
    check_columns,
    missing_columns,
    missing_table,
)

#: scheme → SQLAlchemy's name of dialect and driver, and the extra that installs the driver
DRIVERS = {
    "mysql": ("mysql+pymysql", "mysql"),
    "mariadb": ("mariadb+pymysql", "mysql"),
    "mssql": ("mssql+pymssql", "sqlserver"),
}


def read(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table, from the cursor on where the feed has `updated_at`.

    Yields:
        batches whose cursor is `{"since": value}` and, until the reading is complete, `"until"` and `"at"`, the change
        time that was reached; a value is `{"moment": ISO 8601}` or `{"number": digits}`.

    Raises:
        SourceError: the server can't be reached or refuses; the table or a column that the feed needs is missing.
        ConfigurationError: the driver is not installed.
    """
    with connected(system.name, system.connection, feed.name) as connection:
        yield from _read(Source(connection, system, feed), cursor)


def read_keys(system: DatabaseSystem, feed: DatabaseFeed) -> Iterator[Batch]:
    """Read the columns of which the dataset's key is made, of all records that there are now."""
    with connected(system.name, system.connection, f"the keys of {feed.name}") as connection:
        source = Source(connection, system, feed)
        names = [name for name in feed.key_columns if name in source.columns]
        gathering = Gathering()
        for rows in source.rows(names):
            add_rows(gathering, names, rows)
            if gathering.is_full:
                yield gathering.take(None)
                gathering = Gathering()
        yield gathering.take(None)


#: scheme → the statement by which a session's questions are given up when they take long; of SQL Server, when they wait
_LIMITS = {
    "mysql": f"set session max_execution_time = {LONGEST_QUESTION}",
    "mariadb": f"set session max_statement_time = {LONGEST_QUESTION / 1000}",
    "mssql": f"set lock_timeout {LONGEST_QUESTION}",
}


def marks(system: DatabaseSystem, asked: Sequence[Question]) -> list[Mark]:
    """The newest change, and those from an overlap before it on: rows committed late are seen, too.

    Needs an index on the change cursor, where the table is large.
    """
    with connected(system.name, system.connection, "the newest changes") as connection:
        scheme = "mariadb" if getattr(connection.dialect, "is_mariadb", False) else system.connection.scheme
        if scheme in _LIMITS:
            connection.execute(sa.text(_LIMITS[scheme]))
        return [Source(connection, system, question.feed).mark() for question in asked]


@contextmanager
def connected(system: str, connection: DatabaseConnection, what: str) -> Iterator[sa.Connection]:
    """A connection in one transaction; rows are streamed.

    Args:
        what: is being read, for messages.

    Raises:
        ConfigurationError: the driver is not installed.
        SourceError: the server can't be reached or refuses.
    """
    driver, extra = DRIVERS[connection.scheme]
    server = SCHEMES[connection.scheme]
    try:
        engine = sa.create_engine(driver + connection.url[len(connection.scheme) :], poolclass=sa.NullPool)
        with engine.connect() as opened:
            yield opened.execution_options(stream_results=True, max_row_buffer=CHUNK_RECORDS)
    except ImportError as error:
        raise ConfigurationError(
            f"{system}: the driver of {server} is not installed: pip install 'staged-assets[{extra}]'."
        ) from error
    except SQLAlchemyError as error:
        raise SourceError(
            f"{system}: {what} could not be read from {server}: {masked(_reason(error))}: see connection.url and the"
            " user's rights; the next run goes on from here."
        ) from error


def _reason(error: SQLAlchemyError) -> str:
    """What the server said, with its number. The driver of SQL Server adds what its library has to say, in bytes."""
    said: tuple[Any, ...] = getattr(getattr(error, "orig", None), "args", ()) or (str(error),)
    if isinstance(said[0], tuple):
        said = said[0]
    text = said[-1].decode("utf-8", "replace") if isinstance(said[-1], bytes) else str(said[-1])
    servers, _, librarys = text.partition("DB-Lib error message")
    line = (servers or librarys.partition("\n")[2]).partition("\n")[0].rstrip(".")
    return f"{line} ({said[0]})" if isinstance(said[0], int) else line


class Source:
    """What a feed reads, with its columns."""

    def __init__(self, connection: sa.Connection, system: DatabaseSystem, feed: DatabaseFeed) -> None:
        self._connection = connection
        self.system, self.feed = system, feed
        self._quote = connection.dialect.identifier_preparer.quote_identifier
        self._sql = self._relation()
        with connection.execute(sa.text(f"select * from {self._sql} where 1 = 0")) as found:
            self.columns = list(found.keys())
        check_columns(system.name, feed, self.columns)
        self.changed = f"source.{self._quote(feed.updated_at)}" if feed.updated_at is not None else None

    def newest(self, since: Any) -> Any:
        """The newest change there is now, no later than now; None where there is none that is newer."""
        where, values = self._since(since)
        found = self._connection.execute(sa.text(f"select max({self.changed}) from {self._sql} where {where}"), values)
        return _until_now(found.scalar(), ZoneInfo(self.system.time_zone))

    def mark(self) -> Mark:
        """See `marks`."""
        if self.changed is None:
            return None
        newest = self._connection.execute(sa.text(f"select max({self.changed}) from {self._sql}")).scalar()
        start = self._overlap_before(_until_now(newest, ZoneInfo(self.system.time_zone)))
        late = f"select {self.changed}, count(*) from {self._sql} where {self.changed} >= :at group by {self.changed}"
        values = {"at": self._parameter(start)}
        found = self._connection.execute(sa.text(f"{late} order by 1"), values) if newest is not None else ()
        return digest((newest, *map(tuple, found)))

    def changes(self, since: Any, at: Any) -> Iterator[list[tuple[Any, ...]]]:
        """All columns of what may have changed since then, in order; `at` is how far a reading came before."""
        where, values = self._since(since) if at is None else self._after(at)
        return self.rows(self.columns, f" where {where} order by {self.changed}", values)

    def rows(
        self, columns: Sequence[str], tail: str = "", values: dict[str, Any] | None = None
    ) -> Iterator[list[tuple[Any, ...]]]:
        """Rows, no more at once than a batch can hold."""
        names = ", ".join(f"source.{self._quote(name)}" for name in columns)
        with self._connection.execute(sa.text(f"select {names} from {self._sql}{tail}"), values or {}) as found:
            while rows := found.fetchmany(CHUNK_RECORDS):
                yield [tuple(row) for row in rows]

    def _since(self, since: Any) -> tuple[str, dict[str, Any]]:
        if since is None:
            return "1 = 1", {}
        return self._after(self._overlap_before(since))

    def _overlap_before(self, since: Any) -> Any:
        overlap = self.feed.overlap
        if isinstance(since, date):
            return since - (overlap if isinstance(overlap, timedelta) else max(DEFAULT_OVERLAP, _day(since)))
        return since - (overlap if isinstance(overlap, int) else DEFAULT_NUMBER) if since is not None else None

    def _after(self, at: Any) -> tuple[str, dict[str, Any]]:
        return f"({self.changed} >= :at or {self.changed} is null)", {"at": self._parameter(at)}

    def _parameter(self, at: Any) -> Any:
        """SQL Server reads a time by the login's language unless there is a T, and a `datetime` has milliseconds."""
        if self.system.connection.scheme == "mssql" and isinstance(at, datetime):
            return at.isoformat(timespec="milliseconds")
        return at

    def _relation(self) -> str:
        if self.feed.source is None:
            return f"({str(self.feed.query).rstrip().rstrip(';')}\n) source".replace(":", r"\:")
        schema, _, table = self.feed.source.rpartition(".")
        schema = schema or self.system.connection.schema_name or ""
        names = table_names(self._connection, schema)
        if table.lower() not in (name.lower() for name in names):
            raise missing_table(
                self.system.name, self.feed, names, f"the schema {schema}" if schema else "the database"
            )
        # SQL Server's schema can stand in another database: `database.schema`.
        place = self._connection.dialect.identifier_preparer.quote_schema(schema) + "." if schema else ""
        return f"{place}{self._quote(table)} source"


def describe(system: str, connection: DatabaseConnection) -> list[TableInfo]:
    """The tables and views of a database's schema, by name."""
    schema = connection.schema_name
    with connected(system, connection, "the tables") as opened:
        found = sa.inspect(opened)
        return [
            TableInfo(
                name,
                {column["name"]: str(column["type"]).lower() for column in found.get_columns(name, schema)},
                tuple(found.get_pk_constraint(name, schema)["constrained_columns"]) if name in tables else (),
            )
            for tables in [set(found.get_table_names(schema))]
            for name in table_names(opened, schema or "")
        ]


def table_names(connection: sa.Connection, schema: str = "") -> list[str]:
    """Tables and views of a schema, by default of the connection's own one."""
    found = sa.inspect(connection)
    return sorted([*found.get_table_names(schema or None), *found.get_view_names(schema or None)])


def _read(source: Source, cursor: Cursor | None) -> Iterator[Batch]:
    problems = missing_columns(source.system.name, source.feed, source.columns)
    columns = dict.fromkeys(source.columns, "")
    started = cursor or {}
    since = _read_value(started.get("since"))
    until = _read_value(started.get("until"))
    if source.changed is None:
        found, place = source.rows(source.columns), None
    else:
        if until is None:
            newest = source.newest(since)
            until = since if newest is None else newest
        found = source.changes(since, _read_value(started.get("at")))
        place = source.columns.index(str(source.feed.updated_at))
    gathering = Gathering()
    for rows in found:
        add_rows(gathering, source.columns, [tuple(map(_as_stored, row)) for row in rows])
        if gathering.is_full:
            at = _write_value(rows[-1][place]) if place is not None else None
            partly = {"since": _write_value(since), "until": _write_value(until), "at": at} if at is not None else None
            yield gathering.take(partly, problems, columns)
            gathering, problems = Gathering(), []
    finished = {"since": _write_value(until)} if until is not None else None
    if gathering.records or problems or (finished or {}) != started:
        yield gathering.take(finished, problems, columns)


def _until_now(value: Any, zone: ZoneInfo) -> Any:
    now = datetime.now(UTC)
    if isinstance(value, datetime):
        return min(value, now if value.tzinfo else now.astimezone(zone).replace(tzinfo=None))
    return min(value, now.astimezone(zone).date()) if isinstance(value, date) else value


def _day(since: date) -> timedelta:
    """A change day holds what is still to come on it."""
    return timedelta() if isinstance(since, datetime) else timedelta(days=1)


def _write_value(value: Any) -> dict[str, str] | None:
    if value is None:
        return None
    return {"moment": value.isoformat()} if isinstance(value, date) else {"number": str(value)}


def _read_value(written: dict[str, str] | None) -> Any:
    if written is None:
        return None
    if "number" in written:
        return Decimal(written["number"])
    return (
        datetime.fromisoformat(written["moment"]) if "T" in written["moment"] else date.fromisoformat(written["moment"])
    )


def _as_stored(value: Any) -> Any:
    """A driver's value as `add_rows` takes it."""
    if value is None or type(value) is float or (type(value) is int and value.bit_length() < 64):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return bytes(value).hex().upper().encode()
    if isinstance(value, bool):
        return b"1" if value else b"0"
    if isinstance(value, datetime):
        return value.isoformat(" ").encode()
    if isinstance(value, Decimal):
        return format(value, "f").encode()
    if isinstance(value, timedelta):
        return _time_of_day(value).encode()
    return str(value).encode("utf-8", "surrogateescape")


def _time_of_day(value: timedelta) -> str:
    """A time as MySQL's driver gives it."""
    sign, whole = ("-", -value) if value < timedelta() else ("", value)
    minutes, seconds = divmod(whole.seconds, 60)
    fraction = f".{whole.microseconds:06}" if whole.microseconds else ""
    return f"{sign}{whole.days * 24 + minutes // 60:02}:{minutes % 60:02}:{seconds:02}{fraction}"
