"""A database behind SQL Server's protocol: sessions, the catalogue that drivers ask, and messages as SQL Server's."""

import re
import socketserver
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import duckdb
import pymssql
import pytest
from pysqlbridge.certificate import Certificate, self_signed
from pysqlbridge.logins import Login, LoginStore
from pysqlbridge.tds import Column, Connection, Query, QueryError, QueryResult, Version
from sqlglot import exp

from staged_assets_tests.sql_server.catalogue import CATALOGUE
from staged_assets_tests.sql_server.tsql import DATABASE, declared_columns, parsed, translated
from staged_assets_tests.sql_server.types import computed_type, wire_type

USER, PASSWORD = "staging", "s/cr@t"
_NOTHING = QueryResult([], [])


class SqlServer(socketserver.ThreadingTCPServer):
    """A server with one database, `erp`, its schema `dbo`, and one login.

    Every statement is a transaction of its own. Its clock, and every `datetimeoffset`, is that of Kolkata (+05:30).

    Attributes:
        goes_away_after: bytes that a client is sent before its connection is cut.
    """

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self, certificate: Certificate) -> None:
        super().__init__(("127.0.0.1", 0), _Client)
        self.certificate = certificate
        self.logins = LoginStore([Login(USER, PASSWORD, hashed=False)])
        self.goes_away_after: int | None = None
        self._locked: set[str] = set()
        self._database = duckdb.connect()
        self._database.execute("create schema dbo;" + CATALOGUE)

    @property
    def port(self) -> int:
        return int(self.server_address[1])

    @property
    def url(self) -> str:
        return f"mssql://{USER}:${{PASSWORD}}@127.0.0.1:{self.port}/{DATABASE}"

    def connect(self) -> "pymssql.Connection":
        return pymssql.connect(
            server="127.0.0.1", port=str(self.port), user=USER, password=PASSWORD, database=DATABASE, autocommit=True
        )

    @contextmanager
    def locked(self, table: str) -> Iterator[None]:
        """While another session holds a lock on the table."""
        self._locked.add(table)
        try:
            yield
        finally:
            self._locked.discard(table)

    def answer(self, query: Query) -> QueryResult:
        """What a batch gives: the rows of its last statement.

        Raises:
            QueryError: with the number and the words of SQL Server.
        """
        answered = _NOTHING
        for statement in parsed(query.sql):
            answered = self._answer_one(statement, query.session)
        return answered

    def _answer_one(self, statement: exp.Expression, session: dict[str, Any]) -> QueryResult:
        if isinstance(statement, exp.Set):
            session.update(_settings(statement))
        elif not isinstance(statement, exp.Use | exp.Transaction | exp.Commit | exp.Rollback):
            self._wait_for_locks(statement, session)
            with self._database.cursor() as cursor:
                cursor.execute("set schema = 'dbo'; set timezone = 'Asia/Kolkata'")
                try:
                    return _run(cursor, statement)
                except duckdb.Error as error:
                    raise _as_sql_server(error) from error
        return _NOTHING

    def _wait_for_locks(self, statement: exp.Expression, session: dict[str, Any]) -> None:
        """As long as the session's `lock_timeout`, for ever by default."""
        until = time.monotonic() + float(session.get("lock_timeout", "inf")) / 1000
        while self._locked & {table.name for table in statement.find_all(exp.Table)}:
            if time.monotonic() > until:
                raise QueryError("Lock request time out period exceeded.", number=1222, state=51)
            time.sleep(0.01)


class _Client(socketserver.BaseRequestHandler):
    server: SqlServer

    def handle(self) -> None:
        connection = Connection(
            self.server.certificate,
            version=Version(16, 0, 1000),
            query_handler=self.server.answer,
            database=DATABASE,
            logins=self.server.logins,
        )
        sent = 0
        while received := self.request.recv(65_536):
            for response in connection.receive(received):
                self.request.sendall(response)
                sent += len(response)
                if self.server.goes_away_after is not None and sent > self.server.goes_away_after:
                    return


def _settings(statement: exp.Set) -> dict[str, str]:
    found = (item.this for item in statement.expressions)
    return {item.left.name.lower(): item.right.name for item in found if isinstance(item, exp.EQ)}


def _run(cursor: duckdb.DuckDBPyConnection, statement: exp.Expression) -> QueryResult:
    if isinstance(statement, exp.Update) and (counter := _row_version(cursor, statement.this.name)):
        statement.set("expressions", [*statement.expressions, exp.EQ(this=exp.column(counter), expression=_NEXT)])
    cursor.execute(translated(statement))
    if isinstance(statement, exp.Select):
        return _rows(cursor, statement)
    if isinstance(statement, exp.Create) and statement.kind == "TABLE":
        table = statement.find(exp.Table)
        for column, kind in declared_columns(statement).items():
            cursor.execute(f"comment on column {table}.\"{column}\" is '{kind}'")
    return _NOTHING


_NEXT = exp.func("nextval", exp.Literal.string("sys.rowversions"))


def _row_version(cursor: duckdb.DuckDBPyConnection, table: str) -> str | None:
    found = "select column_name from duckdb_columns() where lower(table_name) = lower(?) and comment = 'rowversion'"
    return (cursor.execute(found, [table]).fetchone() or [None])[0]


def _rows(cursor: duckdb.DuckDBPyConnection, statement: exp.Select) -> QueryResult:
    """The rows, with the types that the columns are declared with where they are some table's own."""
    found = [(column[0], str(column[1])) for column in cursor.description or ()]
    rows = [list(row) for row in cursor.fetchall()]
    declared = _declared_kinds(cursor, [table.name.lower() for table in statement.find_all(exp.Table)])
    columns = []
    for place, (name, stored) in enumerate(found):
        shown = exp.column(name) if statement.is_star else statement.expressions[place]
        own = shown.this if isinstance(shown, exp.Max | exp.Min) else shown
        kind = declared.get((own.name.lower(), stored)) if isinstance(own, exp.Column) else None
        columns.append(Column(shown.alias_or_name, wire_type(kind or computed_type(stored))))
    return QueryResult(columns, rows)


def _declared_kinds(cursor: duckdb.DuckDBPyConnection, tables: list[str]) -> dict[tuple[str, str], str]:
    """(column, as it is stored) → as it is declared."""
    columns = "select lower(column_name), data_type, comment from duckdb_columns()"
    where = "where list_contains(?, lower(table_name)) and comment is not null"
    return {(name, stored): kind for name, stored, kind in cursor.execute(f"{columns} {where}", [tables]).fetchall()}


#: of DuckDB's messages → number and message of SQL Server's
_MESSAGES = (
    (r"Table with name (\S+) does not exist", 208, "Invalid object name '{}'."),
    (r'Referenced column "([^"]+)" not found', 207, "Invalid column name '{}'."),
    (r'does not have a column named "([^"]+)"', 207, "Invalid column name '{}'."),
    (r"Function with name (\S+) does not exist", 195, "'{}' is not a recognized built-in function name."),
    (r"invalid (date|timestamp)", 241, "Conversion failed when converting date and/or time from character string."),
)


def _as_sql_server(error: duckdb.Error) -> QueryError:
    for pattern, number, message in _MESSAGES:
        if found := re.search(pattern, str(error)):
            return QueryError(message.format(found[1]), number=number)
    return QueryError(f"DuckDB: {error}")


@pytest.fixture(scope="session")
def certificate() -> Certificate:
    return self_signed()


@pytest.fixture
def sql_server(certificate: Certificate) -> Iterator[SqlServer]:
    """A server, empty."""
    with SqlServer(certificate) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()
