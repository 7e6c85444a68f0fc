"""What is SQL Server's own: row versions, kinds of time, locks, and its messages. See also `test_sql_database`."""

from pathlib import Path
from typing import Any

import pymssql
import pytest
from pysqlbridge.logins import Login, LoginStore

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources import sql_database
from staged_assets.sources.connectors import marks
from staged_assets.sources.marks import Question
from staged_assets_tests.sources.described import batches, last_cursor, records, until_error
from staged_assets_tests.sources.shops import Shop, sql_server_shop
from staged_assets_tests.sql_server import PASSWORD, SqlServer

NEWER = "select id, name, cast(version as bigint) as version from dbo.versioned"


@pytest.fixture
def shop(sql_server: SqlServer) -> Any:
    with sql_server_shop(sql_server) as found:
        found.run("create table visit (id int primary key, name varchar(60), text varchar(60), changed datetime2)")
        yield found


def test_a_row_version_is_a_change_cursor(tmp_path: Path, shop: Shop) -> None:
    shop.run("create table versioned (id int primary key, name nvarchar(60), version rowversion)")
    shop.run("insert into versioned (id, name) values (1, N'a'), (2, N'b'), (3, N'c')")
    sources = shop.sources(tmp_path, **{"from": None}, query=NEWER, updated_at="version", overlap=0)
    whole = batches(sources)
    first, *_, newest = [int(record["version"]) for record in records(whole)]
    assert (newest - first, last_cursor(whole)) == (2, {"since": {"number": str(newest)}})
    shop.run("update versioned set name = N'z' where id = 1")
    changed = records(batches(sources, last_cursor(whole)))
    assert [(record["id"], record["name"]) for record in changed] == [("3", "c"), ("1", "z")]


@pytest.mark.parametrize("kind", ["datetime", "smalldatetime", "datetime2", "datetimeoffset"])
def test_every_kind_of_time_is_a_change_cursor(tmp_path: Path, shop: Shop, kind: str) -> None:
    """No row of the moment that was reached is passed over, whatever part of a second its kind of time keeps."""
    shop.run(f"create table timed (id int, changed {kind})", "insert into timed values (1, '2024-05-13T10:00:00.127')")
    sources = shop.sources(tmp_path, **{"from": "timed"}, updated_at="changed", overlap="0s")
    cursor = last_cursor(batches(sources))
    shop.run("insert into timed values (2, '2024-05-13T10:00:00.127'), (3, '2024-05-12T10:00:00')")
    assert [record["id"] for record in records(batches(sources, cursor))] == ["1", "2"]


@pytest.mark.parametrize("table", ["erp.dbo.visit", "erp.dbo.Visits"])
def test_a_table_can_be_named_with_its_database(tmp_path: Path, shop: Shop, table: str) -> None:
    shop.run("insert into visit (id) values (7)", "create view Visits as select * from visit")
    assert records(batches(shop.sources(tmp_path, **{"from": table}))) == [{"id": "7"}]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("select nope from visit", r"Invalid column name 'nope' \(207\)"),
        ("select id from visit limit 3", r"Incorrect syntax near 'limit' \(102\)"),
    ],
)
def test_what_the_server_refuses_is_said_in_its_words(tmp_path: Path, shop: Shop, query: str, expected: str) -> None:
    with pytest.raises(SourceError, match=f"could not be read from SQL Server: {expected}: see connection.url"):
        batches(shop.sources(tmp_path, **{"from": None}, query=query))


def test_a_password_that_was_changed_is_said(tmp_path: Path, shop: Shop, sql_server: SqlServer) -> None:
    sql_server.logins = LoginStore([Login("staging", "another", hashed=False)])
    with pytest.raises(SourceError, match=r"SQL Server: Login failed for user 'staging' \(18456\): see") as caught:
        batches(shop.sources(tmp_path))
    assert PASSWORD not in str(caught.value)


def test_a_reading_goes_on_after_the_server_went_away(
    tmp_path: Path, shop: Shop, sql_server: SqlServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.add("visit", [f"{n}, 'x', '', '2024-05-01T00:{n // 60:02}:{n % 60:02}'" for n in range(3_000)])
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 1_000)
    monkeypatch.setattr(sql_database, "CHUNK_RECORDS", 1_000)
    sources = shop.sources(tmp_path, updated_at="changed")
    sql_server.goes_away_after = 60_000
    before, said = until_error(sources)
    assert "could not be read from SQL Server: " in said
    assert "the next run goes on from here" in said
    sql_server.goes_away_after = None
    after = batches(sources, last_cursor(before))
    assert 0 < len(records(before)) < 3_000
    assert len(records(after)) <= 3_001 - len(records(before))
    assert len({record["id"] for record in records([*before, *after])}) == 3_000


def test_a_question_waits_for_no_lock(tmp_path: Path, shop: Shop, sql_server: SqlServer) -> None:
    system = shop.sources(tmp_path, updated_at="changed").resolve("shop")
    with (
        sql_server.locked("visit"),
        pytest.raises(SourceError, match=r"Lock request time out period exceeded \(1222\)"),
    ):
        marks(system, [Question(system.feeds[0])])


@pytest.mark.parametrize(
    ("statement", "number"),
    [
        ("select id from visit limit 3", 102),
        ("select id > 1 from visit", 102),
        ("select id::text from visit", 102),
        ("select true as t", 207),
        ("select s.id from (select id from visit order by id) s", 1033),
        ("select s.id from (with v as (select id from visit) select id from v) s", 156),
        ("select * from (select max(id) from visit) s", 8155),
        ("select id from visit where changed > '2024-05-13 10:00:00'", 242),
        ("insert into visit (id, changed) values (1, 'yesterday')", 241),
        ("select no_such(id) as v from visit", 195),
    ],
)
def test_the_stand_in_takes_t_sql_alone(shop: Shop, statement: str, number: int) -> None:
    with pytest.raises(pymssql.Error, match=rf"^\({number}, "):
        shop.run(statement)
