"""MySQL and MariaDB: every value as text, changes since the cursor, and what goes wrong on the way."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pymysql
import pytest

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources import sql_database
from staged_assets.sources.config import Sources
from staged_assets.sources.connections import DatabaseConnection
from staged_assets.sources.connectors import read_keys
from staged_assets.sources.database import describe
from staged_assets_tests.mariadb import mariadb_port
from staged_assets_tests.sources.described import batches, described, last_cursor, records

__all__ = ["mariadb_port"]


@pytest.fixture
def database(mariadb_port: int) -> Iterator["pymysql.connections.Connection[Any]"]:
    connection = pymysql.connect(host="127.0.0.1", port=mariadb_port, user="root", autocommit=True)
    with connection.cursor() as cursor:
        cursor.execute("create or replace database shop character set utf8mb4")
        cursor.execute("use shop")
        cursor.execute("create table visit (id int primary key, name varchar(60), text text, changed datetime)")
    yield connection
    connection.close()


def _run(database: Any, *statements: str) -> None:
    with database.cursor() as cursor:
        for statement in statements:
            cursor.execute(statement)


def _sources(folder: Path, database: Any, scheme: str = "mariadb", **feed: Any) -> Sources:
    connection = {"url": f"{scheme}://root@127.0.0.1:{database.port}/shop"}
    return described(folder, "database", connection, {"from": "visit", **feed}, time_zone="Europe/Berlin")


def _ids(sources: Sources, cursor: dict[str, Any] | None) -> set[str]:
    return {record["id"] for record in records(batches(sources, cursor))}


VALUES = {
    "decimal(20,6)": ("12345678901234.1", "12345678901234.100000"),
    "bigint unsigned": ("18446744073709551615", "18446744073709551615"),
    "double": ("0.1", "0.1"),
    "boolean": ("true", "1"),
    "date": ("'2024-02-29'", "2024-02-29"),
    "datetime(6)": ("'2024-05-01 10:00:00.5'", "2024-05-01 10:00:00.500000"),
    "time": ("'-30:15:00'", "-30:15:00"),
    "varbinary(5)": ("x'00ff'", "00FF"),
    "json": ("""'{"a": 1.50}'""", '{"a": 1.50}'),
    "enum('glad')": ("'glad'", "glad"),
    "varchar(9)": ("'Zoë 😀'", "Zoë 😀"),
}


@pytest.mark.parametrize("scheme", ["mysql", "mariadb"])
def test_values_of_every_type_come_as_text(tmp_path: Path, database: Any, scheme: str) -> None:
    columns = {f"c{number}": kind for number, kind in enumerate(VALUES)}
    _run(
        database,
        f"create table typed (id int, {', '.join(f'{name} {kind}' for name, kind in columns.items())})",
        f"insert into typed values (1, {', '.join(value for value, _ in VALUES.values())})",
        "insert into typed (id) values (2)",
    )
    found = records(batches(_sources(tmp_path, database, scheme, **{"from": "typed"})))
    assert found == [{"id": "1", **dict(zip(columns, (text for _, text in VALUES.values()), strict=True))}, {"id": "2"}]


def test_only_changes_are_read_with_an_overlap_before_them(tmp_path: Path, database: Any) -> None:
    sources = _sources(tmp_path, database, updated_at="changed", overlap="10m")
    _run(database, "insert into visit values (1, 'a', '', '2024-05-01 10:00'), (2, 'b', '', '2024-05-01 12:00')")
    cursor = last_cursor(batches(sources))
    assert cursor == {"since": {"moment": "2024-05-01T12:00:00"}}
    _run(
        database,
        "insert into visit values (3, 'c', '', '2024-05-01 11:51'), (4, 'd', '', '2024-05-01 11:49'),"
        " (5, 'e', '', null), (6, 'f', '', '2999-01-01')",
        "update visit set changed = '2024-05-02 09:00' where id = 1",
    )
    found = batches(sources, cursor)
    assert {record["id"] for record in records(found)} == {"1", "2", "3", "5", "6"}
    newest = last_cursor(found)
    assert newest is not None
    assert newest["since"]["moment"] < "2999"


@pytest.mark.parametrize(("kind", "expected"), [("bigint", "500"), ("decimal(9,2)", "500.00")])
def test_a_change_cursor_can_be_a_number(tmp_path: Path, database: Any, kind: str, expected: str) -> None:
    _run(
        database,
        f"create table numbered (id int, version {kind})",
        "insert into numbered select seq, seq from seq_1_to_500",
    )
    sources = _sources(tmp_path, database, **{"from": "numbered"}, updated_at="version", overlap=2)
    cursor = last_cursor(batches(sources))
    assert cursor == {"since": {"number": expected}}
    assert _ids(sources, cursor) == {"498", "499", "500"}


def test_a_change_day_is_read_again_whole(tmp_path: Path, database: Any) -> None:
    _run(database, "create table daily (id int, day date)", "insert into daily values (1, '2024-05-01')")
    sources = _sources(tmp_path, database, **{"from": "daily"}, updated_at="day")
    cursor = last_cursor(batches(sources))
    _run(database, "insert into daily values (2, '2024-05-01'), (3, '2024-04-29')")
    assert _ids(sources, cursor) == {"1", "2"}


def test_an_interrupted_reading_goes_on(tmp_path: Path, database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _run(
        database,
        "insert into visit"
        " select seq, 'x', '', timestamp '2024-05-01 00:00:00' - interval seq second from seq_1_to_5000",
    )
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 1_000)
    monkeypatch.setattr(sql_database, "CHUNK_RECORDS", 1_000)
    sources = _sources(tmp_path, database, updated_at="changed")
    whole = batches(sources)
    assert len(whole) >= 5
    for stopped in range(1, len(whole)):
        after = batches(sources, last_cursor(whole[:stopped]))
        assert len(records(after)) <= 5_001 - 1_000 * stopped
        assert len({record["id"] for record in records([*whole[:stopped], *after])}) == 5_000
        assert last_cursor(after) == last_cursor(whole)


@pytest.mark.parametrize(
    "source", [{"from": "shop.visit"}, {"from": "Visits"}, {"query": "select 7 as id, 'a:b' as t"}]
)
def test_tables_of_a_schema_views_and_queries_are_read(tmp_path: Path, database: Any, source: dict[str, str]) -> None:
    _run(database, "insert into visit (id) values (7)", "create view Visits as select * from visit")
    assert records(batches(_sources(tmp_path, database, **{"from": None, **source})))[0]["id"] == "7"


def test_keys_are_read_alone(tmp_path: Path, database: Any) -> None:
    _run(database, "insert into visit values (1, 'a', 'x', now()), (2, 'b', 'y', null)")
    sources = _sources(tmp_path, database, updated_at="changed", deletes="by_key_comparison")
    feed = sources.systems["shop"].feeds[0]
    assert records(read_keys(*sources.resolve_feed("shop", feed))) == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ({"from": "visits"}, "there is no table 'visits' in the database, perhaps 'visit' is meant"),
        ({"key": ["idd"]}, "visit has no column 'idd', perhaps 'id' is meant"),
        ({"from": None, "query": "select * from nowhere"}, "could not be read from MariaDB: .*nowhere' doesn't exist"),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, database: Any, feed: dict[str, Any], expected: str) -> None:
    with pytest.raises(SourceError, match=expected):
        batches(_sources(tmp_path, database, **feed))


@pytest.mark.parametrize(("scheme", "server"), [("mysql", "MySQL"), ("mssql", "SQL Server")])
def test_a_server_that_is_down_is_one_sentence_without_the_password(tmp_path: Path, scheme: str, server: str) -> None:
    connection = {"url": f"{scheme}://me:${{SECRET}}@127.0.0.1:1/shop"}
    sources = described(tmp_path, "database", connection, {"from": "visit"}, environ={"SECRET": "hunter2"})
    with pytest.raises(SourceError, match=rf"shop: visit could not be read from {server}: ") as caught:
        batches(sources)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_tables_are_described(database: Any) -> None:
    _run(database, "create view Visits as select id from visit")
    connection = DatabaseConnection(url=f"mysql://root@127.0.0.1:{database.port}/shop")
    tables = {table.name: table for table in describe("shop", connection)}
    assert tables["visit"].key == ("id",)
    assert list(tables["visit"].columns) == ["id", "name", "text", "changed"]
    assert tables["visit"].columns["changed"] == "datetime"
    assert tables["Visits"].key == ()
