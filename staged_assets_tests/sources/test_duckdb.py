"""Tables that another loader has put into a DuckDB file, or into another schema of the warehouse."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.errors import SourceError
from staged_assets.landing.raw_area import prepare
from staged_assets.landing.warehouse import connect
from staged_assets.sources import batch as batch_module
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import read_keys
from staged_assets_tests.landing.raw_rows import land, raw
from staged_assets_tests.sources.described import batches, described, last_cursor, records


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Any]:
    """Runs statements in the file, as its loader does."""

    def statements(*sql: str) -> None:
        with duckdb.connect(tmp_path / "loaded.duckdb") as connection:
            for statement in sql:
                connection.execute(statement)

    statements("create table visit (id int, name varchar, text varchar, changed timestamptz)")
    return statements


def _sources(folder: Path, connection: dict[str, Any] | None = None, **feed: Any) -> Sources:
    said = connection or {"path": "loaded.duckdb"}
    return described(folder, "duckdb", said, {"from": "visit", **feed}, time_zone="Europe/Berlin")


def test_values_come_as_text_in_full_precision(tmp_path: Path, run: Any) -> None:
    run(
        "create table typed as select 1 as id, 12345678901234.10::decimal(20, 6) as d, true as b, 0.1::double as f,"
        " timestamptz '2024-05-01 10:00:00+02' as t, date '2024-02-29' as day, '\\x00\\xFF'::blob as x,"
        " [1, 2] as l, {'a': 1.50::decimal(5, 2)} as s, null as n, '' as e"
    )
    assert records(batches(_sources(tmp_path, **{"from": "typed"}))) == [
        {
            "id": "1",
            "d": "12345678901234.100000",
            "b": "true",
            "f": "0.1",
            "t": "2024-05-01 08:00:00+00",
            "day": "2024-02-29",
            "x": "00FF",
            "l": "[1,2]",
            "s": '{"a":"1.50"}',
            "e": "",
        }
    ]


@pytest.mark.parametrize(
    ("connection", "source"),
    [
        ({"schema": "loader"}, {"from": "seen"}),
        ({}, {"from": "loader.seen"}),
        ({}, {"from": None, "query": "select * from loader.seen;"}),
    ],
)
def test_tables_of_a_schema_and_queries_are_read(
    tmp_path: Path, run: Any, connection: dict[str, str], source: dict[str, Any]
) -> None:
    run("create schema loader", "create view loader.seen as select 7 as id")
    found = batches(_sources(tmp_path, {"path": "loaded.duckdb", **connection}, **source))
    assert records(found) == [{"id": "7"}]


@pytest.mark.parametrize(
    ("kind", "old", "new", "future"),
    [
        ("timestamptz", "2024-05-01 10:00+00", "2024-05-01 12:00+00", "2999-01-01 00:00+00"),
        ("timestamp", "2024-05-01 10:00", "2024-05-01 12:00", "2999-01-01 00:00"),
        ("date", "2024-04-01", "2024-05-01", "2999-01-01"),
        ("bigint", "100", "5000", "5001"),
    ],
)
def test_only_changes_are_read(tmp_path: Path, run: Any, kind: str, old: str, new: str, future: str) -> None:
    run(f"create table dated (id int, changed {kind})", f"insert into dated values (1, '{old}'), (2, '{new}')")
    sources = _sources(tmp_path, **{"from": "dated"}, updated_at="changed")
    cursor = last_cursor(batches(sources))
    run(f"insert into dated values (3, null), (4, '{future}'), (5, '{old}')")
    found = batches(sources, cursor)
    assert {record["id"] for record in records(found)} == {"2", "3", "4"}
    assert "2999" not in str(last_cursor(found))


def test_an_interrupted_reading_goes_on(tmp_path: Path, run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    run(
        "insert into visit select n, 'x', '', timestamptz '2024-05-01 00:00+00' - to_seconds(n)"
        " from range(1, 5001) as r(n)"
    )
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 1_000)
    sources = _sources(tmp_path, updated_at="changed")
    whole = batches(sources)
    for stopped in range(1, len(whole)):
        after = batches(sources, last_cursor(whole[:stopped]))
        assert len(records(after)) <= 5_001 - 1_000 * stopped
        assert len({record["id"] for record in records([*whole[:stopped], *after])}) == 5_000


def test_another_schema_of_the_warehouse_is_read_while_it_is_written(tmp_path: Path) -> None:
    sources = _sources(tmp_path, {"path": "warehouse.duckdb", "schema": "loader"}, updated_at="changed")
    with connect(tmp_path / "warehouse.duckdb") as warehouse:
        prepare(warehouse)
        warehouse.execute("create schema loader")
        warehouse.execute("create table loader.visit as select 1 as id, 'a' as name, now() as changed")
        assert land(warehouse, sources).landed == 1
        assert land(warehouse, sources).landed == 0
        assert raw(warehouse) == [("1", "a")]


def test_keys_are_read_alone(tmp_path: Path, run: Any) -> None:
    run("insert into visit values (1, 'a', 'x', now()), (2, 'b', 'y', null)")
    sources = _sources(tmp_path, updated_at="changed", deletes="by_key_comparison")
    feed = sources.systems["shop"].feeds[0]
    assert records(read_keys(*sources.resolve_feed("shop", feed))) == [{"id": "1"}, {"id": "2"}]


@pytest.mark.parametrize(
    ("connection", "feed", "expected"),
    [
        ({"path": "nowhere.duckdb"}, {}, "there is no DuckDB file .*nowhere.duckdb: create it"),
        (None, {"from": "visits"}, "there is no table 'visits' in .*loaded.duckdb, perhaps 'visit' is meant"),
        (None, {"key": ["idd"]}, "visit has no column 'idd', perhaps 'id' is meant"),
        (None, {"from": None, "query": "select nope"}, "touchpoints in .* could not be read: Binder Error"),
        ({"path": "sources.yaml"}, {}, "visit in .*sources.yaml could not be read"),
    ],
)
def test_what_is_missing_is_named(
    tmp_path: Path, run: Any, connection: dict[str, Any] | None, feed: dict[str, Any], expected: str
) -> None:
    with pytest.raises(SourceError, match=expected):
        batches(_sources(tmp_path, connection, **feed))


def test_nothing_can_be_written_through_a_query(tmp_path: Path, run: Any) -> None:
    with pytest.raises(SourceError):
        batches(_sources(tmp_path, **{"from": None}, query="delete from visit returning id"))
