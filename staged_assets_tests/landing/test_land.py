"""Landing: each record once, in order, with its metadata, whatever happens in between."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.errors import SourceError
from staged_assets.landing import land as land_module
from staged_assets.landing.append import Incoming
from staged_assets.landing.land import land_rows
from staged_assets.landing.raw_area import landed_tables, max_landing_id, prepare
from staged_assets.sources import batch as batch_module
from staged_assets.sources.config import Sources
from staged_assets_tests.landing.raw_rows import extras, land, raw, write_events
from staged_assets_tests.sources.described import described

Warehouse = duckdb.DuckDBPyConnection


def _events(folder: Path, **feed: Any) -> Sources:
    return described(folder, "event_files", {"path": "."}, {"from": "visits", **feed}, time_zone="Europe/Berlin")


def _exists(folder: Path, *rows: tuple[Any, ...]) -> None:
    """The table `visit` has these rows and no others."""
    with sqlite3.connect(folder / "erp.db") as connection:
        connection.execute("drop table if exists visit")
        connection.execute("create table visit (id, name, text)")
        connection.executemany(
            "insert into visit values (?, ?, ?)", [(*row, *(None,) * (3 - len(row))) for row in rows]
        )
    connection.close()


def _table(folder: Path, **feed: Any) -> Sources:
    return described(folder, "sqlite", {"path": "erp.db"}, {"from": "visit", **feed})


def test_columns_are_mapped_and_the_rest_is_kept(tmp_path: Path, warehouse: Warehouse) -> None:
    write_events(tmp_path, {"id": 1, "name": "Till", "zip": "007", "Größe": 1.5, "none": None}, {"id": 2, "text": ""})
    landed = land(warehouse, _events(tmp_path))
    assert (landed.read, landed.landed, landed.already_landed, landed.malformed) == (2, 2, 0, 0)
    assert raw(warehouse, "touchpoint_id, touchpoint_name, description") == [("1", "Till", None), ("2", None, "")]
    assert extras(warehouse) == [{"Größe": "1.5", "zip": "007"}, None]
    assert raw(warehouse, "_source_system, _operation, _landing_id") == [("shop", "upsert", 1), ("shop", "upsert", 2)]
    (landed_at,) = raw(warehouse, "_landed_at")[0]
    assert abs(datetime.now(UTC).replace(tzinfo=None) - landed_at) < timedelta(minutes=5)


def test_landing_again_lands_nothing_and_changes_nothing(tmp_path: Path, warehouse: Warehouse) -> None:
    write_events(tmp_path, {"id": 1}, {"id": 1}, "garbage")
    sources = _events(tmp_path)
    assert land(warehouse, sources).landed == 3
    before = warehouse.execute("from raw.touchpoints").fetchall(), warehouse.execute("from control.landings").fetchall()
    again = land(warehouse, sources)
    assert (again.read, again.landed) == (0, 0)
    # Even when the cursor is lost, what has landed is known by its ids.
    warehouse.execute("delete from control.cursors")
    repeated = land(warehouse, sources)
    assert (repeated.read, repeated.landed, repeated.already_landed) == (3, 0, 3)
    assert warehouse.execute("from raw.touchpoints").fetchall() == before[0]


def test_the_same_version_delivered_twice_lands_once(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _events(tmp_path, updated_at="at")
    version = {"id": 1, "name": "a", "at": "2024-05-01T10:00:00"}
    write_events(tmp_path, version, version, {**version, "name": "b"}, {**version, "at": "2024-05-02T10:00:00"})
    write_events(tmp_path, version, name="later.ndjson")
    landed = land(warehouse, sources)
    assert (landed.landed, landed.already_landed) == (3, 2)
    assert raw(warehouse) == [("1", "a"), ("1", "b"), ("1", "a")]


def test_row_ids_are_the_same_in_another_warehouse(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _events(tmp_path, updated_at="at")
    write_events(tmp_path, *({"id": n, "at": f"2024-05-01T10:00:0{n}"} for n in range(5)), "garbage")
    land(warehouse, sources)
    with duckdb.connect(":memory:") as other:
        prepare(other)
        land(other, sources)
        assert raw(other, "_raw_row_id") == raw(warehouse, "_raw_row_id")
    assert len(set(raw(warehouse, "_raw_row_id"))) == 6


def test_no_two_contents_have_one_id(warehouse: Warehouse) -> None:
    rows: list[dict[str, str | None]] = [
        {"touchpoint_id": "1", "touchpoint_name": "ab", "description": "c"},
        {"touchpoint_id": "1", "touchpoint_name": "a", "description": "bc"},
        {"touchpoint_id": "1", "touchpoint_name": 'a","', "description": "bc"},
        {"touchpoint_id": "1", "touchpoint_name": None, "description": "abc"},
        {"touchpoint_id": "1", "touchpoint_name": "", "description": "abc"},
        {"touchpoint_id": "1", "touchpoint_name": "null", "description": "abc"},
        {"touchpoint_id": "1", "touchpoint_name": "abc", "description": None},
        {"touchpoint_id": "1", "_extra": '{"description":"abc"}'},
    ]
    at = {"_source_updated_at": "2024-05-01"}
    deletes = [{**row, "_operation": "delete"} for row in rows]
    assert land_rows(warehouse, "shop", "touchpoints", [{**row, **at} for row in [*rows, *deletes]]).landed == 16
    assert land_rows(warehouse, "crm", "touchpoints", [{**row, **at} for row in rows]).landed == 8
    assert warehouse.execute("select count(distinct _raw_row_id) from raw.touchpoints").fetchone() == (24,)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("2024-07-01 10:00:00", datetime(2024, 7, 1, 8)),
        ("2024-01-01T10:00", datetime(2024, 1, 1, 9)),
        ("2024-01-01", datetime(2023, 12, 31, 23)),
        (" 2024-07-01T10:00:00.123456789Z ", datetime(2024, 7, 1, 10, 0, 0, 123456)),
        ("2024-07-01 23:30+05", datetime(2024, 7, 1, 18, 30)),
        ("2024-07-01 23:30:00 -0330", datetime(2024, 7, 2, 3)),
        ("01.07.2024 10:00", datetime(2024, 7, 1, 8)),
        ("01.07.2024", datetime(2024, 6, 30, 22)),
        ("07/01/2024", None),
        ("2024-02-30", None),
        ("infinity", None),
        ("", None),
    ],
)
def test_the_change_time_is_read_in_the_system_s_zone(
    tmp_path: Path, warehouse: Warehouse, written: str, expected: datetime | None
) -> None:
    sources = described(
        tmp_path,
        "event_files",
        {"path": "."},
        {"from": "visits", "updated_at": "at"},
        time_zone="Europe/Berlin",
        date_formats=["%d.%m.%Y"],
    )
    write_events(tmp_path, {"id": 1, "at": written})
    land(warehouse, sources)
    assert raw(warehouse, "_source_updated_at") == [(expected,)]
    assert extras(warehouse) == [None if expected else {"at": written}]


def test_a_delete_marker_makes_a_delete(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _events(tmp_path, delete_marker={"column": "gone", "values": ["1", "true"]})
    write_events(tmp_path, {"id": 1, "gone": 1}, {"id": 2, "gone": True}, {"id": 3, "gone": "yes"}, {"id": 4})
    land(warehouse, sources)
    assert [operation for (operation,) in raw(warehouse, "_operation")] == ["delete", "delete", "upsert", "upsert"]


def test_a_record_of_the_wrong_shape_lands_whole(tmp_path: Path, warehouse: Warehouse) -> None:
    write_events(tmp_path, '["a"]', {"id": 2, "_malformed": "x"})
    with (tmp_path / "visits" / "a.ndjson").open("ab") as file:
        file.write(b"\xff{}\n")
    sources = _events(
        tmp_path,
        columns={"touchpoint_id": "id", "touchpoint_name": {"value": "v"}, "description": {"expression": "'e'"}},
    )
    assert land(warehouse, sources).malformed == 2
    assert raw(warehouse, "touchpoint_id, touchpoint_name, description") == [
        (None, None, None),
        ("2", "v", "e"),
        (None, None, None),
    ]
    assert extras(warehouse) == [{"_malformed": '["a"]'}, {"source._malformed": "x"}, {"_undecodable_base64": "/3t9"}]


def test_expressions_compute_and_lose_nothing(tmp_path: Path, warehouse: Warehouse) -> None:
    write_events(tmp_path, {"id": "1", "Price": "2.50", "n": 3}, {"id": "2", "Price": "dear", "n": 3}, {"id": "3"})
    sources = _events(
        tmp_path,
        columns={
            "touchpoint_id": {"expression": "id || '-' || _line || '-' || _file"},
            "touchpoint_name": {"expression": "price::decimal(18, 2) * n::integer"},
            "description": {"expression": "coalesce(absent, 'none')"},
        },
    )
    land(warehouse, sources)
    assert raw(warehouse, "touchpoint_id, touchpoint_name, description") == [
        ("1-1-visits/a.ndjson", "7.50", "none"),
        ("2-2-visits/a.ndjson", None, "none"),
        ("3-3-visits/a.ndjson", None, "none"),
    ]
    assert extras(warehouse) == [
        {"Price": "2.50", "id": "1", "n": "3"},
        {"Price": "dear", "id": "2", "n": "3"},
        {"id": "3"},
    ]


def test_source_columns_may_have_any_name(tmp_path: Path, warehouse: Warehouse) -> None:
    record = {
        "id": 1,
        "ID": 2,
        "": 3,
        "b0": 4,
        "b_ordinal": 5,
        "_extra": 6,
        "_version": 7,
        "touchpoint_name": 8,
        "a'\"b": 9,
    }
    write_events(tmp_path, record)
    land(warehouse, _events(tmp_path))
    expected = {name: str(value) for name, value in record.items() if name != "id"}
    assert raw(warehouse) == [("1", None)]
    assert extras(warehouse) == [expected]


def test_what_is_to_be_ignored_does_not_land(tmp_path: Path, warehouse: Warehouse) -> None:
    write_events(tmp_path, {"id": 1, "delivery": "x"})
    land(warehouse, _events(tmp_path, ignore=["delivery"]))
    assert extras(warehouse) == [None]


def test_a_snapshot_lands_each_change_once(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _table(tmp_path)
    for name in ("A", "A", "B", "B", "A", "A"):
        _exists(tmp_path, (1, name), (2, "same"))
        land(warehouse, sources)
    assert raw(warehouse) == [("1", "A"), ("2", "same"), ("1", "B"), ("1", "A")]
    assert len(set(raw(warehouse, "_raw_row_id"))) == 4


def test_a_key_that_vanished_is_deleted_and_can_come_back(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _table(tmp_path)
    for rows in ([(1, "A"), (2, "B")], [(1, "A")], [(1, "A")], [(1, "A"), (2, "B")], [(2, "B")]):
        _exists(tmp_path, *rows)
        landed = land(warehouse, sources)
    assert (landed.vanished, landed.landed, landed.already_landed) == (1, 1, 1)
    assert raw(warehouse, "touchpoint_id, touchpoint_name, _operation") == [
        ("1", "A", "upsert"),
        ("2", "B", "upsert"),
        ("2", None, "delete"),
        ("2", "B", "upsert"),
        ("1", None, "delete"),
    ]


def test_a_key_that_is_only_written_differently_has_not_vanished(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _table(tmp_path)
    for key in (" 07", "7", "7.0"):
        _exists(tmp_path, (key, "A"))
        assert land(warehouse, sources).vanished == 0
    assert raw(warehouse) == [(" 07", "A"), ("7", "A"), ("7.0", "A")]


def test_an_empty_snapshot_deletes_nothing_and_says_so(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _table(tmp_path)
    _exists(tmp_path, (1, "A"))
    land(warehouse, sources)
    _exists(tmp_path)
    landed = land(warehouse, sources)
    assert landed.landed == 0
    assert landed.problems[0].startswith("shop: visit is empty though it was not before")


def test_absence_can_be_left_out_of_account(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _table(tmp_path, deletes="none")
    _exists(tmp_path, (1, "A"), (2, "B"))
    land(warehouse, sources)
    _exists(tmp_path, (1, "A"))
    assert land(warehouse, sources).landed == 0


def test_a_key_that_stands_twice_in_a_snapshot_comes_to_rest(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _table(tmp_path)
    _exists(tmp_path, (1, "A"), (1, "B"), (1, "A"), (None, "C"), (None, "D"))
    assert land(warehouse, sources).landed == 4
    assert land(warehouse, sources).landed == 0
    _exists(tmp_path, (1, "A"), (1, "E"), (None, "C"), (None, "D"))
    assert land(warehouse, sources).landed == 1
    land(warehouse, sources)
    assert land(warehouse, sources).landed == 0


def test_of_a_snapshot_that_breaks_off_nothing_is_deleted(tmp_path: Path, warehouse: Warehouse) -> None:
    for name in ("a", "b"):
        (tmp_path / f"{name}.csv").write_text(f"id,name\n{name},x\n")
    feed = {"from": "*.csv*", "snapshot": True, "deletes": "by_absence"}
    sources = described(tmp_path, "csv_files", {"path": "."}, feed)
    land(warehouse, sources)
    (tmp_path / "a.csv").unlink()
    (tmp_path / "a.csv.gz").write_bytes(b"broken")
    (tmp_path / "b.csv").write_text("id,name\nb,y\n")
    with pytest.raises(SourceError, match="1 of 2 files"):
        land(warehouse, sources)
    assert raw(warehouse) == [("a", "x"), ("b", "x"), ("b", "y")]


def test_revisions_without_a_change_time_land_once(tmp_path: Path, warehouse: Warehouse) -> None:
    _exists(tmp_path, (1, "first", None), (1, "second", "2024-05-01"), (1, "odd", "May"), (1, "third", "2024-05-02"))
    sources = _table(tmp_path, updated_at="text", columns={"touchpoint_id": "id", "touchpoint_name": "name"})
    assert land(warehouse, sources).landed == 4
    land(warehouse, sources)
    assert land(warehouse, sources).landed == 0
    _exists(tmp_path, (1, "changed", None))
    assert land(warehouse, sources).landed == 1


class _Killed(Exception):
    pass


@pytest.fixture
def killed_at_commit(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The landing breaks off just before it commits, at the batches whose numbers are in the list."""
    numbers: list[int] = []
    count = 0
    log = land_module._Landing._log

    def break_off(*args: Any) -> None:
        nonlocal count
        count += 1
        log(*args)
        if count in numbers:
            raise _Killed

    monkeypatch.setattr(land_module._Landing, "_log", break_off)
    return numbers


@pytest.mark.parametrize("killed", [[1], [2], [3], [1, 2, 4]])
def test_a_landing_that_breaks_off_goes_on_without_loss_or_doubles(
    tmp_path: Path,
    warehouse: Warehouse,
    monkeypatch: pytest.MonkeyPatch,
    killed_at_commit: list[int],
    killed: list[int],
) -> None:
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    killed_at_commit.extend(killed)
    write_events(tmp_path, *({"id": n} for n in range(25)))
    sources = _events(tmp_path)
    for _ in killed:
        with pytest.raises(_Killed):
            land(warehouse, sources)
    land(warehouse, sources)
    assert raw(warehouse, "touchpoint_id, _landing_id") == [(str(n), n + 1) for n in range(25)]
    logged = warehouse.execute("select sum(landed), min(first_landing_id), max(last_landing_id) from control.landings")
    assert logged.fetchone() == (25, 1, 25)


def test_a_source_that_fails_keeps_what_was_landed(tmp_path: Path, warehouse: Warehouse) -> None:
    write_events(tmp_path, {"id": 1})
    (tmp_path / "visits" / "b.ndjson.gz").write_bytes(b"broken")
    write_events(tmp_path, {"id": 3}, name="c.ndjson")
    with pytest.raises(SourceError, match=r"b\.ndjson\.gz"):
        land(warehouse, _events(tmp_path))
    assert raw(warehouse) == [("1", None), ("3", None)]


def test_progress_is_told_after_each_batch(
    tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch_module, "BATCH_RECORDS", 10)
    write_events(tmp_path, *({"id": n} for n in range(25)))
    sources = _events(tmp_path)
    told: list[int] = []
    feed = sources.systems["shop"].feeds[0]
    land_module.land_feed(warehouse, sources, "shop", feed, on_progress=lambda landed: told.append(landed.landed))
    assert told == [10, 20, 25]


def test_hand_made_rows_land_like_any_others(warehouse: Warehouse) -> None:
    rows: list[dict[str, str | None]] = [
        {"touchpoint_id": "1", "touchpoint_name": "a", "_source_updated_at": "2024-05-01T10:00:00+02:00"},
        {"touchpoint_id": "1", "_operation": "delete"},
        {"touchpoint_id": "2", "_extra": '{"_malformed":"x"}'},
    ]
    landed = land_rows(warehouse, "shop", "touchpoints", rows)
    assert (landed.landed, landed.malformed) == (3, 1)
    assert land_rows(warehouse, "shop", "touchpoints", rows).landed == 0
    assert land_rows(warehouse, "shop", "touchpoints", []).landed == 0
    assert raw(warehouse, "touchpoint_id, _operation, _source_updated_at") == [
        ("1", "upsert", datetime(2024, 5, 1, 8)),
        ("1", "delete", None),
        ("2", "upsert", None),
    ]


def test_the_raw_area_is_prepared_again_without_harm(warehouse: Warehouse) -> None:
    land_rows(warehouse, "shop", "touchpoints", [{"touchpoint_id": "1"}])
    warehouse.execute("alter table raw.touchpoints drop column description")
    prepare(warehouse)
    assert raw(warehouse, "touchpoint_id, description") == [("1", None)]
    assert max_landing_id(warehouse, "touchpoints") == 1
    assert max_landing_id(warehouse, "sales") == 0
    found = landed_tables(warehouse)
    assert (found["touchpoints"].rows, found["touchpoints"].max_landing_id, len(found)) == (1, 1, 14)


def test_nothing_staged_appends_nothing(warehouse: Warehouse) -> None:
    assert Incoming(warehouse, "shop", "touchpoints").append(datetime(2024, 1, 1)).rows == 0
