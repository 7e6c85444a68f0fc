"""Databases that are read through SQLAlchemy: of each server one, `shop`, for the claims that hold for all of them."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pymysql
import pytest

from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import described
from staged_assets_tests.sql_server import PASSWORD, SqlServer


@dataclass(frozen=True)
class Shop:
    """A database with an empty table `visit`, and a person who may change it.

    Attributes:
        moment: the server's type of a time to the microsecond, as `visit` has it in the column `changed`.
        schema: where `visit` is.
    """

    scheme: str
    url: str
    connection: Any
    moment: str
    schema: str

    def run(self, *statements: str) -> None:
        with self.connection.cursor() as cursor:
            for statement in statements:
                cursor.execute(statement)

    def add(self, table: str, rows: list[str]) -> None:
        """Rows, each as it stands between the parentheses of `values`; SQL Server takes a thousand at once."""
        for start in range(0, len(rows), 1_000):
            self.run(f"insert into {table} values ({'), ('.join(rows[start : start + 1_000])})")

    def sources(self, folder: Path, scheme: str | None = None, **feed: Any) -> Sources:
        connection = {"url": self.url.replace(self.scheme, scheme or self.scheme, 1)}
        feed = {"from": "visit", **feed}
        environ = {"PASSWORD": PASSWORD}
        return described(folder, "database", connection, feed, environ=environ, time_zone="Europe/Berlin")


@contextmanager
def mariadb_shop(port: int) -> Iterator[Shop]:
    connection = pymysql.connect(host="127.0.0.1", port=port, user="root", autocommit=True)
    with connection:
        found = Shop("mariadb", f"mariadb://root@127.0.0.1:{port}/shop", connection, "datetime(6)", "shop")
        found.run("create or replace database shop character set utf8mb4", "use shop")
        yield found


@contextmanager
def sql_server_shop(server: SqlServer) -> Iterator[Shop]:
    with server.connect() as connection:
        yield Shop("mssql", server.url, connection, "datetime2", "dbo")


_SHOPS: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "mariadb": ("mariadb_port", mariadb_shop),
    "mssql": ("sql_server", sql_server_shop),
}


@pytest.fixture(params=_SHOPS)
def shop(request: pytest.FixtureRequest) -> Iterator[Shop]:
    """Of each server in turn."""
    server, opened = _SHOPS[request.param]
    with opened(request.getfixturevalue(server)) as found:
        found.run(
            f"create table visit (id int primary key, name varchar(60), text varchar(60), changed {found.moment})"
        )
        yield found
