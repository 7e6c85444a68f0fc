"""A connection to PostgreSQL for one reading, through ADBC: rows by `COPY` in binary, columns as the server's text."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.sources.batch import BATCH_RECORDS, Gathering
from staged_assets.sources.connections import DatabaseConnection
from staged_assets.sources.expressions import literal, quoted
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem
from staged_assets.sources.secrets import masked
from staged_assets.sources.tables import TableInfo, add_rows, check_columns, missing_table

_SETTINGS = (
    "set transaction isolation level repeatable read, read only",
    "set local datestyle to 'ISO, YMD'",
    "set local intervalstyle to 'iso_8601'",
    "set local timezone to 'UTC'",
    "set local extra_float_digits to 1",
    "set local standard_conforming_strings to on",
    "set local bytea_output to 'hex'",
    # A scan that joins another one's would not begin at the first page.
    "set local synchronize_seqscans to off",
)
_USERS_TABLES = "relkind in ('r', 'v', 'm', 'p', 'f') and nspname !~ '^pg_' and nspname <> 'information_schema'"
_TEXTS = frozenset({"text", "varchar", "bpchar", "name"})
#: the first version that finds a range of pages without reading the whole table
_PAGES_SINCE = 140_000
_PAGES_AT_LEAST = 8
#: ranges of pages that make a batch; one that is cut by the end of a batch is read again after an interruption
_READS_OF_BATCH = 8
_ADVICE = {
    "08": "see that the server is up and connection.url right",
    "28": "see the user and password in connection.url",
    "3D": "see the database in connection.url",
    "42501": "let the server's administrator grant select on it to the user in connection.url",
}
#: what a message holds → what to do, where the code alone does not say it
_ADVICE_ON = {
    "wal_level": "set wal_level = logical on the server, and start it again",
    "to use replication slots": "let an administrator give the user in connection.url the attribute REPLICATION",
    "replication slots are in use": "raise max_replication_slots on the server, or drop slots that nobody reads",
    "must be owner of": "let the table's owner create the publication",
    "permission denied for database": "let the table's owner create the publication",
}


@dataclass(frozen=True)
class Pages:
    """How a table lies in its file.

    Attributes:
        file: changes when the table is written anew.
        count: pages of the table.
        at_once: pages that are read by one query.
    """

    file: int
    count: int
    at_once: int


@contextmanager
def connected(
    system: str, connection: DatabaseConnection, what: str, *, autocommit: bool = False
) -> Iterator["Connection"]:
    """A connection in one read-only transaction that sees one moment.

    Args:
        what: is being read, for messages.
        autocommit: each statement is a transaction of its own instead, and may write.

    Raises:
        ConfigurationError: the driver is not installed.
        SourceError: the server can't be reached or refuses.
    """
    try:
        import adbc_driver_postgresql.dbapi as driver
    except ImportError as error:
        raise ConfigurationError(
            f"{system}: the driver of PostgreSQL is not installed: pip install 'staged-assets[postgresql]'."
        ) from error
    try:
        url = _with_time_limit(connection.url)
        with driver.connect(url, autocommit=autocommit) as opened, opened.cursor() as cursor:
            for setting in () if autocommit else _SETTINGS:
                cursor.execute(setting)
            if connection.schema_name is not None:
                scope = "" if autocommit else "local"
                cursor.execute(f"set {scope} search_path to {quoted(connection.schema_name)}")
            yield Connection(cursor)
    except (driver.Error, pa.ArrowException, OSError) as error:
        raise _source_error(system, what, error) from error


def describe(system: str, connection: DatabaseConnection) -> list[TableInfo]:
    """The tables and views of a database that the user may read, by name."""
    with connected(system, connection, "the tables") as opened:
        found = opened.rows(
            "select (case when pg_table_is_visible(c.oid) then '' else nspname || '.' end || relname)::text,"
            " attname::text, typname::text, coalesce(attnum = any(i.indkey), false)"
            " from pg_class as c join pg_namespace as n on n.oid = relnamespace"
            " join pg_attribute as a on a.attrelid = c.oid and attnum > 0 and not attisdropped"
            " join pg_type as t on t.oid = atttypid"
            " left join pg_index as i on i.indrelid = c.oid and indisprimary"
            f" where {_USERS_TABLES} and has_table_privilege(c.oid, 'select') order by 1, attnum"
        )
    tables: dict[str, TableInfo] = {}
    for name, column, kind, in_key in found:
        table = tables.setdefault(name, TableInfo(name, {}, ()))
        table.columns[column] = kind
        if in_key:
            tables[name] = replace(table, key=(*table.key, column))
    return list(tables.values())


def _with_time_limit(url: str) -> str:
    if "connect_timeout=" in url:
        return url
    return f"{url}{'&' if urlsplit(url).query else '?'}connect_timeout=10"


def _source_error(system: str, what: str, error: Exception) -> SourceError:
    message = masked(str(error))
    _, found, said = message.partition("ERROR:")
    if not found:
        _, found, said = message.partition("FATAL:")
    reason = (said if found else message).strip().partition("\n")[0].rstrip(".")
    state = getattr(error, "sqlstate", None) or ""
    advice = next((text for start, text in _ADVICE.items() if state.startswith(start)), None)
    advice = next((text for part, text in _ADVICE_ON.items() if part in reason), advice)
    if "could not connect" in message.lower() or "connection to server" in message:
        advice = _ADVICE["28"] if "password" in message or "role" in message else advice or _ADVICE["08"]
    return SourceError(
        f"{system}: {what} could not be read from PostgreSQL: {reason}: {advice or 'the next run goes on from here'}."
    )


class Connection:
    """Asks the server, within one transaction, one thing at a time: a query ends the one before.

    Attributes:
        is_utf8: whether all text that the server sends is UTF-8; a database in `SQL_ASCII` holds any bytes.
    """

    def __init__(self, cursor: Any) -> None:
        self._cursor = cursor
        self.is_utf8 = bool(self.row("select getdatabaseencoding() <> 'SQL_ASCII'")[0])

    def row(self, sql: str) -> tuple[Any, ...]:
        """A query's only row."""
        self._cursor.execute(sql)
        return tuple(self._cursor.fetchone())

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """A query's rows, of which there are few."""
        self._cursor.execute(sql)
        return list(self._cursor.fetchall())

    def execute(self, sql: str) -> None:
        """A statement whose rows, if any, are of no interest."""
        self._cursor.execute(sql)
        # The driver tells of an error only when rows are asked for.
        self._cursor.fetchall()

    @contextmanager
    def moment(self) -> Iterator[None]:
        """A read-only transaction that sees one moment, on a connection that is in none."""
        for statement in ("begin", *_SETTINGS):
            self.execute(statement)
        yield
        self.execute("commit")

    def types(self, relation: str) -> dict[str, str]:
        """Column → the server's name of its type, of anything that can stand after `from`."""
        self._cursor.execute(f"select * from {relation} limit 0")
        schema = self._cursor.fetch_arrow_table().schema
        return {found.name: (found.metadata or {}).get(b"POSTGRESQL:type", b"").decode() for found in schema}

    def tables(self, sql: str) -> Iterator[pa.Table]:
        """A query's rows, no more at once than a batch can hold."""
        self._cursor.execute(sql)
        for batch in self._cursor.fetch_record_batch():
            plain = pa.Table.from_arrays(batch.columns, names=batch.schema.names)
            for start in range(0, plain.num_rows, BATCH_RECORDS):
                yield plain.slice(start, BATCH_RECORDS)

    def table_names(self) -> list[str]:
        """Tables and views, with their schema where they are not found without."""
        return [
            name
            for (name,) in self.rows(
                "select (case when pg_table_is_visible(c.oid) then '' else nspname || '.' end || relname)::text"
                " from pg_class as c join pg_namespace as n on n.oid = relnamespace"
                f" where {_USERS_TABLES} order by 1"
            )
        ]


class Source:
    """What a feed reads, with its columns."""

    def __init__(self, connection: Connection, system: DatabaseSystem, feed: DatabaseFeed) -> None:
        self.connection, self.system, self.feed = connection, system, feed
        self.sql = self._relation()
        self.types = connection.types(self.sql)
        check_columns(system.name, feed, list(self.types))

    def select(self, columns: Sequence[str]) -> str:
        """A select of columns as text, under their own names."""
        return f"select {', '.join(f'{self._as_text(name)} as {quoted(name)}' for name in columns)} from {self.sql}"

    def add(self, gathering: Gathering, table: pa.Table, **where: Any) -> None:
        """Take rows of a select; `file` and `lines` say where they stand."""
        if self.connection.is_utf8:
            gathering.add(table, **where)
        else:
            columns = [column.cast(pa.binary()).to_pylist() for column in table.columns]
            add_rows(gathering, table.column_names, list(zip(*columns, strict=True)), **where)

    def pages(self) -> Pages | None:
        """How the table lies in its file; None for what can't be read page by page."""
        if self.feed.source is None:
            return None
        name = literal(self.table_name)
        is_plain, file, known, rows, count, version = self.connection.row(
            "select relkind in ('r', 'm') and not relhassubclass, coalesce(pg_relation_filenode(oid), 0)::int8,"
            " relpages::int8, reltuples::int8,"
            " coalesce(pg_relation_size(oid), 0) / current_setting('block_size')::int8,"
            f" current_setting('server_version_num')::int8 from pg_class where oid = to_regclass({name})"
        )
        if not is_plain or version < _PAGES_SINCE:
            return None
        at_once = BATCH_RECORDS // _READS_OF_BATCH * known // rows if rows > 0 else 0
        return Pages(file, count, max(at_once, _PAGES_AT_LEAST))

    def _relation(self) -> str:
        if self.feed.source is None:
            return f"({str(self.feed.query).rstrip().rstrip(';')}\n) as source"
        name = self.table_name
        if self.connection.row(f"select to_regclass({literal(name)}) is null")[0]:
            raise missing_table(self.system.name, self.feed, self.connection.table_names(), "the database")
        return f"{name} as source"

    @property
    def table_name(self) -> str:
        """The table's name in SQL."""
        return ".".join(map(quoted, str(self.feed.source).split(".")))

    def _as_text(self, name: str) -> str:
        kind, column = self.types[name], f"source.{quoted(name)}"
        if kind in _TEXTS:
            return column
        if kind == "bytea":
            return f"upper(encode({column}, 'hex'))"
        return f"to_json({column})::text" if kind.startswith("_") else f"{column}::text"
