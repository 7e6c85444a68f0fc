"""Change data capture from PostgreSQL: what is committed in the source lands, once, in its order."""

import threading
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import duckdb
import pytest

from staged_assets.landing.raw_area import prepare
from staged_assets.sources import batch as batch_module
from staged_assets.sources import database as connector
from staged_assets.sources import postgresql_changes
from staged_assets_tests.landing.change_feeds import change_feed, changes, state, table
from staged_assets_tests.landing.raw_rows import extras, land, raw
from staged_assets_tests.postgres import Database, PostgresServer

Warehouse = duckdb.DuckDBPyConnection
LARGE = "x" * 9000


def test_a_snapshot_then_each_change(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a'), (2, 'b')")
    assert land(warehouse, sources).landed == 2
    database.execute("insert into visit values (3, 'c'); update visit set name = 'B' where id = 2")
    database.execute("delete from visit where id = 1")
    assert land(warehouse, sources).landed == 3
    assert changes(warehouse) == [
        ("1", "a", "upsert"), ("2", "b", "upsert"), ("3", "c", "upsert"), ("2", "B", "upsert"), ("1", None, "delete"),
    ]  # fmt: skip
    assert (land(warehouse, sources).read, extras(warehouse)) == (0, [None] * 5)


def test_what_is_rolled_back_does_not_land(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    land(warehouse, sources)
    database.execute("begin; insert into visit values (1); rollback; begin; insert into visit values (2);")
    database.execute("savepoint s; insert into visit values (3); rollback to s; commit")
    land(warehouse, sources)
    assert changes(warehouse) == [("2", None, "upsert")]


def test_another_key_is_a_delete_and_an_upsert(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a')")
    land(warehouse, sources)
    database.execute("update visit set id = 2")
    land(warehouse, sources)
    assert changes(warehouse)[1:] == [("1", None, "delete"), ("2", "a", "upsert")]


def test_changes_back_and_forth_within_a_transaction_all_land(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database)
    land(warehouse, sources)
    database.execute("begin; insert into visit values (1, 'a')")
    for name in "bab":
        database.execute("update visit set name = %s", [name])
    database.execute("commit")
    land(warehouse, sources)
    assert [name for _, name, _ in changes(warehouse)] == ["a", "b", "a", "b"]


def test_a_truncate_deletes_what_was_there_before_it(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a'), (2, 'b')")
    land(warehouse, sources)
    database.execute("delete from visit where id = 2")
    database.execute("begin; insert into visit values (3, 'c'); truncate visit; insert into visit values (1, 'A');")
    database.execute("truncate visit; insert into visit values (4, 'd'); commit")
    landed = land(warehouse, sources)
    assert changes(warehouse)[2:] == [
        ("2", None, "delete"), ("3", "c", "upsert"), ("1", None, "delete"), ("3", None, "delete"),
        ("1", "A", "upsert"), ("1", None, "delete"), ("4", "d", "upsert"),
    ]  # fmt: skip
    assert (landed.read, landed.vanished, landed.landed, landed.already_landed) == (4, 3, 7, 0)
    assert state(warehouse) == table(database)


def test_a_truncate_of_another_table_is_none_of_it(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("create table other (id int primary key); insert into visit values (1, 'a')")
    land(warehouse, sources)
    database.execute("insert into other values (9); truncate other")
    assert land(warehouse, sources).landed == 0


def test_an_added_column_lands_and_is_said(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a')")
    land(warehouse, sources)
    database.execute("insert into visit values (2, 'b'); alter table visit add color text default 'red'")
    database.execute("insert into visit values (3, 'c'); alter table visit drop name; insert into visit values (4)")
    landed = land(warehouse, sources)
    assert changes(warehouse) == [(str(n), name, "upsert") for n, name in enumerate(("a", "b", "c", None), 1)]
    assert extras(warehouse) == [None, None, {"color": "red"}, {"color": "red"}]
    assert [sentence.partition(":")[2].strip()[:28] for sentence in landed.drift] == [
        "visit has a new column 'colo", "visit has lost its column 'n",
    ]  # fmt: skip


def test_a_large_value_that_a_change_left_as_it_was_is_kept(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a', %s), (2, 'a', %s)", [LARGE, LARGE + "2"])
    land(warehouse, sources)
    database.execute("update visit set name = 'b'")
    database.execute("update visit set name = 'c', text = %s where id = 1", [LARGE + "new"])
    database.execute("update visit set name = 'd', id = 11 where id = 1")
    database.execute("update visit set name = 'd', id = 12 where id = 2")
    assert land(warehouse, sources).problems == []
    database.execute("update visit set name = 'e' where id = 12")
    assert land(warehouse, sources).problems == []
    versions = raw(warehouse, "touchpoint_id, touchpoint_name, substr(description, 9001)")
    assert versions == [
        ("1", "a", ""), ("2", "a", "2"), ("1", "b", ""), ("2", "b", "2"), ("1", "c", "new"),
        ("1", None, None), ("11", "d", "new"), ("2", None, None), ("12", "d", "2"), ("12", "e", "2"),
    ]  # fmt: skip


def test_a_large_value_that_no_column_is_mapped_to_is_kept_for_expressions(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    columns = {"touchpoint_id": "id", "touchpoint_name": {"expression": "name || length(text)"}}
    sources = change_feed(tmp_path, database, columns=columns)
    database.execute('alter table visit rename text to "a/b~""c"')
    columns["touchpoint_name"] = {"expression": 'name || length("a/b~""c")'}
    sources = change_feed(tmp_path, database, columns=columns)
    database.execute("insert into visit values (1, 'a', %s)", [LARGE])
    land(warehouse, sources)
    database.execute("update visit set name = 'b'")
    land(warehouse, sources)
    assert raw(warehouse, "touchpoint_name") == [("a9000",), ("b9000",)]
    assert extras(warehouse)[1] == {'a/b~"c': LARGE, "name": "b"}


def test_a_large_value_whose_last_version_raw_has_not_is_said(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a', %s)", [LARGE])
    land(warehouse, sources)
    warehouse.execute("delete from raw.touchpoints")
    database.execute("update visit set name = 'b'")
    (problem,) = land(warehouse, sources).problems
    assert "1 values of visit that a change left as they were are not known in raw" in problem


def test_whole_old_rows_need_nothing_of_raw(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    database.execute("alter table visit drop constraint visit_pkey; alter table visit replica identity full")
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a', %s)", [LARGE])
    land(warehouse, sources)
    warehouse.execute("delete from raw.touchpoints")
    database.execute("update visit set name = 'b'; update visit set id = 2")
    assert land(warehouse, sources).problems == []
    assert raw(warehouse, "touchpoint_id, description = repeat('x', 9000), _operation") == [
        ("1", True, "upsert"), ("1", True, "delete"), ("2", True, "upsert"),
    ]  # fmt: skip


def test_values_of_the_stream_are_written_as_those_of_the_snapshot(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    database.execute("create type mood as enum ('glad'); create domain flag as boolean; create domain tags as text[]")
    values = {
        "bool": "true", "flag": "false", "bytea": "\\x00ff", "timestamptz": "2024-05-01 10:00+02", "char(4)": "AB",
        "text[]": '{a,"b,\'c",NULL}', "numeric[]": "{1.50,2}", "mood[]": "{glad}", "tags": "{x}", "float8": "0.1",
        "interval": "1 day 2 hours", "jsonb": '{"a": 1.50}', "money": "1234.5", "text": "Zoë\n\\N",
    }  # fmt: skip
    for number, kind in enumerate(values):
        database.execute(f"alter table visit add c{number} {kind}")
    sources = change_feed(tmp_path, database, columns={"touchpoint_id": "id"})
    insert = f"insert into visit values (%s, null, null, {', '.join(['%s'] * len(values))})"
    database.execute(insert, [1, *values.values()])
    land(warehouse, sources)
    database.execute(insert, [2, *values.values()])
    database.execute("insert into visit values (3)")
    land(warehouse, sources)
    first, second, third = extras(warehouse)
    assert first
    assert len(first) == len(values)
    assert (second, third) == (first, None)


def test_a_transaction_larger_than_a_batch_lands_whole_or_not_at_all(
    tmp_path: Path, database: Database, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit select n from generate_series(1, 25) as n")
    land(warehouse, sources)
    database.execute("begin; update visit set name = 'b'; truncate visit; insert into visit values (1); commit")
    database.execute("insert into visit values (2)")
    sizes: list[tuple[int, bool]] = []
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    monkeypatch.setattr(connector.postgresql_changes, "read", _recorded(postgresql_changes.read, sizes))
    land(warehouse, sources)
    assert sizes == [(10, True), (10, True), (5, True), (1, False), (1, False)]
    assert warehouse.execute("select landed from control.landings order by landed_at").fetchall()[-2:] == [(51,), (1,)]
    assert state(warehouse) == table(database)


def _recorded(read: Any, sizes: list[tuple[int, bool]]) -> Any:
    def recorded(*given: Any) -> Any:
        for batch in read(*given):
            sizes.append((len(batch), batch.continued))
            yield batch

    return recorded


def _write(server: PostgresServer, name: str, seed: int, until: threading.Event) -> None:
    """Change rows of one's own, and some that others change, too; `name` counts the versions of a row."""
    dice = Random(seed)
    connection = server.connect(name)
    with connection.cursor() as cursor:
        while not until.is_set():
            key = dice.choice([dice.randrange(5), 10 * seed + dice.randrange(5)])
            for _ in range(dice.randrange(1, 3)):
                cursor.execute(
                    "insert into visit values (%s, '1') on conflict (id) do update set name = visit.name::int + 1",
                    [key],
                )
            connection.commit() if dice.random() < 0.9 else connection.rollback()
    connection.close()


def test_snapshot_and_stream_join_without_a_gap_or_a_double(
    tmp_path: Path, database: Database, postgres_server: PostgresServer
) -> None:
    sources, enough = change_feed(tmp_path, database), threading.Event()
    with closing(duckdb.connect()) as first, closing(duckdb.connect()) as second:
        prepare(first)
        prepare(second)
        writers = [
            threading.Thread(target=_write, args=(postgres_server, database.name, seed, enough)) for seed in (1, 2, 3)
        ]
        for writer in writers:
            writer.start()
        land(first, sources)
        land(first, sources)
        # Its snapshot is taken long after the slot was made: the stream has much that the snapshot has, too.
        database.execute("select pg_sleep(0.2)")
        land(second, sources)
        enough.set()
        for writer in writers:
            writer.join()
        land(second, sources)
        assert state(second) == table(database)
        for warehouse in (first, second):
            versions: dict[str, list[int]] = {}
            for key, version in raw(warehouse, "touchpoint_id, touchpoint_name::int"):
                versions.setdefault(key, []).append(version)
            assert max(map(len, versions.values())) > 3
            for found in versions.values():
                assert found == list(range(found[0], found[-1] + 1))


@pytest.mark.parametrize("seed", range(2))
def test_raw_and_table_agree_after_any_changes(
    tmp_path: Path, database: Database, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    sources, dice = change_feed(tmp_path, database), Random(seed)
    for _ in range(6):
        monkeypatch.setattr(batch_module, "BATCH_RECORDS", dice.choice([3, 1000]))
        assert land(warehouse, sources).problems == []
        assert state(warehouse) == table(database)
        for _ in range(dice.randrange(1, 6)):
            database.execute("begin")
            for _ in range(dice.randrange(1, 8)):
                _change(database, dice)
            database.execute(dice.choice(["commit", "commit", "rollback"]))
    land(warehouse, sources)
    assert state(warehouse) == table(database)


def _change(database: Database, dice: Random) -> None:
    key, other = dice.randrange(6), dice.randrange(6)
    value = dice.choice([None, "", str(dice.random()), LARGE + str(dice.random())])
    match dice.randrange(12):
        case 0:
            database.execute("truncate visit")
        case 1 | 2:
            database.execute("delete from visit where id = %s", [key])
        case 3:
            database.execute("update visit set id = %s where id = %s and not exists (select from visit where id = %s)",
                             [other, key, other])  # fmt: skip
        case 4 | 5 | 6 | 7:
            database.execute("update visit set name = %s where id = %s", [str(dice.random()), key])
        case _:
            database.execute("insert into visit values (%s, 'n', %s) on conflict (id) do update set text = %s",
                             [key, value, value])  # fmt: skip
