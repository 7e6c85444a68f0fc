"""MySQL, MariaDB and SQL Server: every value as text, changes since the cursor, and what goes wrong on the way."""

from pathlib import Path
from typing import Any

import pytest

from staged_assets.errors import SourceError
from staged_assets.sources import batch as batch_module
from staged_assets.sources import sql_database
from staged_assets.sources.config import Sources
from staged_assets.sources.connections import DatabaseConnection
from staged_assets.sources.connectors import read_keys
from staged_assets.sources.database import describe
from staged_assets_tests.sources.described import batches, described, last_cursor, records
from staged_assets_tests.sources.shops import Shop


def _ids(sources: Sources, cursor: dict[str, Any] | None) -> set[str]:
    return {record["id"] for record in records(batches(sources, cursor))}


VALUES = {
    "mariadb": {
        "decimal(20,6)": ("12345678901234.1", "12345678901234.100000"),
        "decimal(20,10)": ("0.0000000001", "0.0000000001"),
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
    },
    "mssql": {
        "decimal(20,6)": ("12345678901234.1", "12345678901234.100000"),
        "decimal(38,10)": ("-0.0000000001", "-0.0000000001"),
        "money": ("-922337203685477.5808", "-922337203685477.5808"),
        "tinyint": ("255", "255"),
        "smallint": ("-32768", "-32768"),
        "bigint": ("-9223372036854775808", "-9223372036854775808"),
        "float": ("0.1", "0.1"),
        "bit": ("1", "1"),
        "date": ("'2024-02-29'", "2024-02-29"),
        "datetime": ("'2024-05-01T10:00:00.007'", "2024-05-01 10:00:00.007000"),
        "datetime2": ("'2024-05-01T10:00:00.123456'", "2024-05-01 10:00:00.123456"),
        "datetimeoffset": ("'2024-05-01T10:00:00.5+05:30'", "2024-05-01 10:00:00.500000+05:30"),
        "time": ("'10:15:00.5'", "10:15:00.500000"),
        "varbinary(5)": ("0x00ff", "00FF"),
        "uniqueidentifier": ("'6F9619FF-8B86-D011-B42D-00C04FC964FF'", "6f9619ff-8b86-d011-b42d-00c04fc964ff"),
        "varchar(9)": ("'Zoë €'", "Zoë €"),
        "varchar(max)": ("''", ""),
        "nvarchar(9)": ("N'Zoë 😀'", "Zoë 😀"),
        "nvarchar(max)": ("N'Zoë 😀'", "Zoë 😀"),
    },
}


def test_values_of_every_type_come_as_text(tmp_path: Path, shop: Shop) -> None:
    values = VALUES[shop.scheme]
    columns = {f"c{number}": kind for number, kind in enumerate(values)}
    shop.run(
        f"create table typed (id int, {', '.join(f'{name} {kind}' for name, kind in columns.items())})",
        f"insert into typed values (1, {', '.join(value for value, _ in values.values())})",
        "insert into typed (id) values (2)",
    )
    expected = dict(zip(columns, (text for _, text in values.values()), strict=True))
    for scheme in ("mysql", "mariadb") if shop.scheme == "mariadb" else ("mssql",):
        found = records(batches(shop.sources(tmp_path, scheme, **{"from": "typed"})))
        assert found == [{"id": "1", **expected}, {"id": "2"}]


def test_only_changes_are_read_with_an_overlap_before_them(tmp_path: Path, shop: Shop) -> None:
    sources = shop.sources(tmp_path, updated_at="changed", overlap="10m")
    shop.run("insert into visit values (1, 'a', '', '2024-05-01T10:00:00'), (2, 'b', '', '2024-05-01T12:00:00')")
    cursor = last_cursor(batches(sources))
    assert cursor == {"since": {"moment": "2024-05-01T12:00:00"}}
    shop.run(
        "insert into visit values (3, 'c', '', '2024-05-01T11:51:00'), (4, 'd', '', '2024-05-01T11:49:00'),"
        " (5, 'e', '', null), (6, 'f', '', '2999-01-01T00:00:00')",
        "update visit set changed = '2024-05-02T09:00:00' where id = 1",
    )
    found = batches(sources, cursor)
    assert {record["id"] for record in records(found)} == {"1", "2", "3", "5", "6"}
    newest = last_cursor(found)
    assert newest is not None
    assert newest["since"]["moment"] < "2999"


@pytest.mark.parametrize(("kind", "expected"), [("bigint", "500"), ("decimal(9,2)", "500.00")])
def test_a_change_cursor_can_be_a_number(tmp_path: Path, shop: Shop, kind: str, expected: str) -> None:
    shop.run(f"create table numbered (id int, version {kind})")
    shop.add("numbered", [f"{number}, {number}" for number in range(1, 501)])
    sources = shop.sources(tmp_path, **{"from": "numbered"}, updated_at="version", overlap=2)
    cursor = last_cursor(batches(sources))
    assert cursor == {"since": {"number": expected}}
    assert _ids(sources, cursor) == {"498", "499", "500"}


def test_a_change_day_is_read_again_whole(tmp_path: Path, shop: Shop) -> None:
    shop.run("create table daily (id int, day date)", "insert into daily values (1, '2024-05-01')")
    sources = shop.sources(tmp_path, **{"from": "daily"}, updated_at="day")
    cursor = last_cursor(batches(sources))
    shop.run("insert into daily values (2, '2024-05-01'), (3, '2024-04-29')")
    assert _ids(sources, cursor) == {"1", "2"}


def test_an_interrupted_reading_goes_on(tmp_path: Path, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    shop.add(
        "visit",
        [
            f"{n}, 'x', '', '2024-05-01T{n // 3600:02}:{n // 60 % 60:02}:{n % 60:02}.123456'"
            for n in range(5_000, 0, -1)
        ],
    )
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 1_000)
    monkeypatch.setattr(sql_database, "CHUNK_RECORDS", 1_000)
    sources = shop.sources(tmp_path, updated_at="changed")
    whole = batches(sources)
    assert len(whole) >= 5
    for stopped in range(1, len(whole)):
        after = batches(sources, last_cursor(whole[:stopped]))
        assert len(records(after)) <= 5_001 - 1_000 * stopped
        assert len({record["id"] for record in records([*whole[:stopped], *after])}) == 5_000
        assert last_cursor(after) == last_cursor(whole)


@pytest.mark.parametrize(
    "source", [{"from": "{schema}.visit"}, {"from": "Visits"}, {"query": "select 7 as id, 'a:b %s 5%' as t"}]
)
def test_tables_of_a_schema_views_and_queries_are_read(tmp_path: Path, shop: Shop, source: dict[str, str]) -> None:
    shop.run("insert into visit (id) values (7)", "create view Visits as select * from visit")
    feed = {"from": None, **{name: value.format(schema=shop.schema) for name, value in source.items()}}
    found = records(batches(shop.sources(tmp_path, **feed)))
    assert found[0]["id"] == "7"
    assert found[0].get("t") in (None, "a:b %s 5%")


def test_keys_are_read_alone(tmp_path: Path, shop: Shop) -> None:
    shop.run("insert into visit values (1, 'a', 'x', '2024-05-01T10:00:00'), (2, 'b', 'y', null)")
    sources = shop.sources(tmp_path, updated_at="changed", deletes="by_key_comparison")
    feed = sources.systems["shop"].feeds[0]
    assert records(read_keys(*sources.resolve_feed("shop", feed))) == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ({"from": "visits"}, "there is no table 'visits' in the database, perhaps 'visit' is meant"),
        ({"key": ["idd"]}, "visit has no column 'idd', perhaps 'id' is meant"),
        (
            {"from": None, "query": "select * from nowhere"},
            r"could not be read from MariaDB: Table 'shop\.nowhere' doesn't exist \(1146\): see connection\.url"
            r"|could not be read from SQL Server: Invalid object name 'nowhere' \(208\): see connection\.url",
        ),
    ],
)
def test_what_is_missing_is_named(tmp_path: Path, shop: Shop, feed: dict[str, Any], expected: str) -> None:
    with pytest.raises(SourceError, match=expected):
        batches(shop.sources(tmp_path, **feed))


@pytest.mark.parametrize(("scheme", "server"), [("mysql", "MySQL"), ("mssql", "SQL Server")])
def test_a_server_that_is_down_is_one_sentence_without_the_password(tmp_path: Path, scheme: str, server: str) -> None:
    connection = {"url": f"{scheme}://me:${{SECRET}}@127.0.0.1:1/shop"}
    sources = described(tmp_path, "database", connection, {"from": "visit"}, environ={"SECRET": "hunter2"})
    with pytest.raises(SourceError, match=rf"shop: visit could not be read from {server}: ") as caught:
        batches(sources)
    assert "hunter2" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "\\n" not in str(caught.value)


def test_tables_are_described(tmp_path: Path, shop: Shop) -> None:
    shop.run("create view Visits as select id from visit")
    connection = shop.sources(tmp_path).resolve("shop").connection
    assert isinstance(connection, DatabaseConnection)
    tables = {table.name: table for table in describe("shop", connection)}
    assert tables["visit"].key == ("id",)
    assert list(tables["visit"].columns) == ["id", "name", "text", "changed"]
    assert tables["visit"].columns["changed"] == shop.moment.partition("(")[0]
    assert tables["Visits"].key == ()
