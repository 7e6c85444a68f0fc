"""The slot of a change feed: how far behind it is, what replaces it, and what is said where it can't be."""

from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.landing.raw_area import prepare
from staged_assets.source_check import check_sources
from staged_assets.sources import database as connector
from staged_assets.sources.change_feed import Lag
from staged_assets.sources.config import Sources
from staged_assets.staging.checks import lag_result
from staged_assets_tests.landing.change_feeds import change_feed, changes, lag, resolved, slots, state, table
from staged_assets_tests.landing.raw_rows import land
from staged_assets_tests.postgres import Database, running_server
from staged_assets_tests.sources.described import described

Warehouse = duckdb.DuckDBPyConnection


def test_what_others_write_moves_the_slot_too(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    land(warehouse, sources)
    database.execute("create table other as select n from generate_series(1, 20000) as n")
    assert lag(sources).size > 500_000
    assert lag(sources).seconds is None
    land(warehouse, sources)
    assert lag(sources).size < 100_000


def test_a_slot_that_is_far_behind_is_said(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database, change_feed={"warn_after": "0s"})
    land(warehouse, sources)
    database.execute("insert into visit values (1)")
    landed = land(warehouse, sources)
    (problem,) = landed.problems
    assert problem.startswith("shop: visit: the slot staged_assets_shop_touchpoints_visit is ")
    assert landed.lag
    assert landed.lag.size > 0
    assert landed.lag.seconds is not None
    quiet = change_feed(tmp_path, database)
    database.execute("insert into visit values (2)")
    assert land(warehouse, quiet).problems == []


def test_the_lag_is_a_check_that_warns(tmp_path: Path) -> None:
    near, late = Lag("s", 10, None, is_long=False), Lag("t", 2000, 7.0, is_long=True)
    good, bad = lag_result("items", [near]), lag_result("items", [near, late])
    assert (good.passed, bad.passed, bad.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert bad.asset_check_key == dg.AssetCheckKey(dg.AssetKey(["raw", "items"]), "slot_lag")
    assert bad.description == (
        "the slot s is 10 bytes behind, no change waits;"
        " the slot t is 2,000 bytes behind, the oldest change waits for 7 s"
    )


def test_a_look_at_a_change_feed_makes_nothing_and_shows_its_lag(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database, change_feed={"warn_after": "0s"})
    database.execute("insert into visit values (1, 'a')")
    (found,) = check_sources(sources)
    assert (found.error, found.records, found.slot) == (None, 1, "there is no slot yet: the first run makes it")
    assert (slots(database), database.rows("select * from pg_publication")) == ([], [])
    land(warehouse, sources)
    database.execute("insert into visit values (2, 'b')")
    (found,) = check_sources(sources)
    assert found.slot
    assert "the oldest change waits for" in found.slot
    assert any("run it more often" in surprise for surprise in found.surprises)
    assert land(warehouse, sources).landed == 1


def _lose_nothing(sources: Sources, warehouse: Warehouse, database: Database, reason: str) -> None:
    (problem,) = land(warehouse, sources).problems
    assert reason in problem
    assert state(warehouse) == table(database)
    assert land(warehouse, sources).landed == 0


def test_a_slot_that_was_dropped_has_the_table_read_anew(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a'), (2, 'b')")
    land(warehouse, sources)
    assert connector.drop_slots(resolved(sources)) == ["staged_assets_shop_touchpoints_visit"]
    assert (slots(database), database.rows("select * from pg_publication")) == ([], [])
    database.execute("delete from visit where id = 1; update visit set name = 'B'; insert into visit values (3, 'c')")
    _lose_nothing(sources, warehouse, database, "because its publication was not there and its slot was not there")
    assert connector.drop_slots(resolved(sources)) != []
    assert connector.drop_slots(resolved(sources)) == []


def test_a_slot_that_somebody_else_reads_has_the_table_read_anew(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database)
    land(warehouse, sources)
    database.execute("insert into visit values (1, 'a')")
    with duckdb.connect() as other:
        prepare(other)
        land(other, sources)
    _lose_nothing(sources, warehouse, database, "does not stand where it was left")


def test_a_slot_that_the_server_has_given_up_has_the_table_read_anew(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a'), (2, 'b')")
    land(warehouse, sources)
    database.execute("delete from visit where id = 1")
    database.execute("alter system set max_slot_wal_keep_size = '1MB'")
    try:
        database.execute("select pg_reload_conf()")
        for _ in range(3):
            database.execute("select pg_switch_wal()")
            database.execute("update visit set name = 'B'")
        database.execute("checkpoint")
        assert database.rows("select wal_status from pg_replication_slots where database = current_database()") == [
            ("lost",)
        ]
    finally:
        database.execute("alter system reset max_slot_wal_keep_size")
        database.execute("select pg_reload_conf()")
    _lose_nothing(sources, warehouse, database, "because the server had given up its slot")


def test_a_table_that_was_made_anew_is_read_anew(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    sources = change_feed(tmp_path, database)
    database.execute("insert into visit values (1, 'a'), (2, 'b')")
    land(warehouse, sources)
    database.execute("drop table visit; create table visit (id int primary key, name text, text text)")
    database.execute("insert into visit values (2, 'B'), (3, 'c')")
    _lose_nothing(sources, warehouse, database, "its publication was without it")
    database.execute("insert into visit values (4, 'd')")
    land(warehouse, sources)
    assert state(warehouse) == table(database)


def test_a_feed_that_had_a_change_cursor_goes_over(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    database.execute("alter table visit add at timestamptz default now(); insert into visit values (1, 'a'), (2, 'b')")
    columns = {"touchpoint_id": "id", "touchpoint_name": "name", "description": "text"}
    land(warehouse, change_feed(tmp_path, database, change_feed=None, updated_at="at", columns=columns))
    database.execute("delete from visit where id = 1")
    sources = change_feed(tmp_path, database)
    land(warehouse, sources)
    database.execute("update visit set name = 'B'")
    assert land(warehouse, sources).problems == []
    assert state(warehouse) == table(database)


@pytest.mark.parametrize(
    ("prepared", "feed", "expected"),
    [
        ("alter table visit drop constraint visit_pkey", {}, "shop: visit does not say 'id' of a row that is deleted"),
        ("create view seen as select * from visit", {"from": "seen"}, "shop: seen is no table: change_feed needs one"),
        ("", {"change_feed": {"create": False}}, "something that change_feed needs is missing, and create is false"),
        ("create publication p for table visit with (publish = 'insert')", {"change_feed": {"publication": "p"}},
         "the publication p leaves out some kinds of changes"),
        ("select pg_create_physical_replication_slot('mine')", {"change_feed": {"slot": "mine"}},
         "the slot mine is of another database or plugin"),
    ],
)  # fmt: skip
def test_what_can_not_be_read_is_said_and_left_alone(
    tmp_path: Path, database: Database, warehouse: Warehouse, prepared: str, feed: dict[str, Any], expected: str
) -> None:
    if prepared:
        database.execute(prepared)
    with pytest.raises(SourceError, match=expected):
        land(warehouse, change_feed(tmp_path, database, **feed))
    database.execute("insert into visit values (1); update visit set name = 'a'; drop view if exists seen")
    database.execute("select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = 'mine'")
    assert slots(database) == []


def test_a_server_whose_log_does_not_say_enough_is_said(tmp_path: Path, warehouse: Warehouse) -> None:
    with running_server({"wal_level": "replica"}) as server:
        database = Database(server)
        database.execute("create table visit (id int primary key, name text, text text)")
        with pytest.raises(
            SourceError, match="visit: the server's wal_level is replica, but change_feed needs logical"
        ):
            land(warehouse, change_feed(tmp_path, database))
        assert database.rows("select pubname from pg_publication") == []
        database.connection.close()


def test_changes_of_partitions_land_as_those_of_their_table(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    database.execute(
        "drop table visit; create table visit (id int primary key, name text, text text) partition by range (id);"
        " create table low partition of visit for values from (0) to (10);"
        " create table high partition of visit for values from (10) to (20);"
        " insert into visit values (1, 'a'), (11, 'b')"
    )
    sources = change_feed(tmp_path, database)
    assert land(warehouse, sources).landed == 2
    database.execute("update visit set name = 'c' where id = 11; delete from low where id = 1")
    database.execute("insert into high values (12, 'd'); update visit set id = 2 where id = 12")
    database.execute("create table more partition of visit for values from (20) to (30); insert into more values (21)")
    assert land(warehouse, sources).problems == []
    assert changes(warehouse)[2:] == [
        ("11", "c", "upsert"),
        ("1", None, "delete"),
        ("12", "d", "upsert"),
        ("12", None, "delete"),
        ("2", "d", "upsert"),
        ("21", None, "upsert"),
    ]
    assert state(warehouse) == table(database)


def test_a_publication_that_sends_partitions_under_their_own_names_is_said(
    tmp_path: Path, database: Database, warehouse: Warehouse
) -> None:
    database.execute(
        "drop table visit; create table visit (id int primary key, name text, text text) partition by range (id);"
        " create publication p for table visit"
    )
    with pytest.raises(
        SourceError, match=r"as of the partitions they are in: .* \(publish_via_partition_root = true\)"
    ):
        land(warehouse, change_feed(tmp_path, database, change_feed={"publication": "p"}))


def test_rights_that_are_missing_are_said(tmp_path: Path, database: Database, warehouse: Warehouse) -> None:
    database.execute("drop role if exists reader; create role reader login; grant select on visit to reader")
    database.url = database.url.replace("postgres@", "reader@")
    with pytest.raises(SourceError, match=r"let the table's owner create the publication\.$"):
        land(warehouse, change_feed(tmp_path, database))
    database.execute("create publication p for table visit")
    with pytest.raises(SourceError, match="the attribute REPLICATION"):
        land(warehouse, change_feed(tmp_path, database, change_feed={"publication": "p"}))
    database.execute("drop owned by reader; drop role reader")


@pytest.mark.parametrize(
    ("feed", "expected"),
    [
        ({"updated_at": "at"}, r"feeds\[0\] is wrong: a feed with change_feed has no updated_at: the server's log"),
        ({"query": "select 1", "from": None}, "a feed with change_feed has no query"),
        ({"deletes": "by_absence"}, "with change_feed has no deletes|by_absence needs full snapshots"),
        ({"change_feed": {"slot": "Visit"}}, r"change_feed\.slot is 'Visit': it should match pattern"),
        ({"change_feed": {"slots": "visit"}}, "'slots' is not a key that is known here, perhaps 'slot' is meant"),
        ({"columns": {"touchpoint_id": "id", "touchpoint_name": {"expression": "note"}}, "ignore": ["note"]},
         "'note' is used in an expression: with change_feed it must be landed"),
    ],
)  # fmt: skip
def test_mistakes_in_a_change_feed_are_named(tmp_path: Path, feed: dict[str, Any], expected: str) -> None:
    said = {"from": "visit", "change_feed": {}, **feed}
    with pytest.raises(ConfigurationError, match=expected):
        described(tmp_path, "database", {"url": "postgresql://localhost/erp"}, said)


def test_a_second_feed_of_the_dataset_is_refused(tmp_path: Path) -> None:
    first, second = {"from": "visit", "change_feed": {}}, {"from": "other", "updated_at": "at"}
    with pytest.raises(ConfigurationError, match="one with change_feed: a truncate of its table would be taken"):
        described(tmp_path, "database", {"url": "postgresql://localhost/erp"}, first, second)


def test_another_database_has_none(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = described(tmp_path, "database", {"url": "mysql://localhost/erp"}, {"from": "visit", "change_feed": {}})
    with pytest.raises(ConfigurationError, match=r"for PostgreSQL alone, and connection\.url is that of MySQL"):
        land(warehouse, sources)
    feed = sources.systems["shop"].feeds[0]
    assert sources.capabilities("shop", feed).model_dump() == {"changes": "change_feed", "deletes": "visible"}
