"""Schema drift: a column that appears, vanishes or changes its type is said, once, and loses nothing."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pytest

from staged_assets.landing import land as land_module
from staged_assets.sources.config import Sources
from staged_assets.staging.checks import drift_result
from staged_assets_tests.landing.raw_rows import extras, land, raw, write_events
from staged_assets_tests.sources.described import described

Warehouse = duckdb.DuckDBPyConnection


def _exists(folder: Path, columns: str, *rows: Sequence[Any]) -> None:
    with duckdb.connect(folder / "loaded.duckdb") as connection:
        connection.execute(f"create or replace table visit ({columns})")
        for row in rows:
            connection.execute(f"insert into visit values ({', '.join('?' * len(row))})", row)


def _table(folder: Path, **feed: Any) -> Sources:
    return described(folder, "duckdb", {"path": "loaded.duckdb"}, {"from": "visit", **feed})


def test_a_first_landing_and_one_without_changes_say_nothing(tmp_path: Path, warehouse: Warehouse) -> None:
    _exists(tmp_path, "id int, name varchar, text varchar", (1, "a", "b"))
    assert land(warehouse, _table(tmp_path)).drift == []
    assert land(warehouse, _table(tmp_path)).problems == []


def test_a_column_that_appears_is_said_once_and_kept(tmp_path: Path, warehouse: Warehouse) -> None:
    _exists(tmp_path, "id int, name varchar, text varchar", (1, "a", "b"))
    land(warehouse, _table(tmp_path))
    _exists(tmp_path, "id int, name varchar, text varchar, color varchar", (1, "a", "b", "red"))
    landed = land(warehouse, _table(tmp_path))
    assert landed.drift == [
        "shop: visit has a new column 'color' (VARCHAR): nothing is mapped to it: it is kept in _extra."
    ]
    assert landed.problems == landed.drift
    assert extras(warehouse)[-1] == {"color": "red"}
    assert land(warehouse, _table(tmp_path)).drift == []


def test_a_column_that_vanishes_is_said_and_what_landed_stays(tmp_path: Path, warehouse: Warehouse) -> None:
    _exists(tmp_path, "id int, name varchar, text varchar", (1, "a", "b"))
    land(warehouse, _table(tmp_path))
    _exists(tmp_path, "id int, text varchar", (1, "b"))
    assert land(warehouse, _table(tmp_path)).drift == [
        "shop: visit has lost its column 'name': touchpoint_name of touchpoints is NULL from now on."
    ]
    assert raw(warehouse) == [("1", "a"), ("1", None)]
    _exists(tmp_path, "id int, name varchar, text varchar", (1, "a", "b"))
    assert land(warehouse, _table(tmp_path)).drift == [
        "shop: visit has a new column 'name' (VARCHAR): it goes to touchpoint_name."
    ]


def test_a_column_of_another_type_is_said_and_lands(tmp_path: Path, warehouse: Warehouse) -> None:
    _exists(tmp_path, "id int, name int, text varchar", (1, 7, "b"))
    land(warehouse, _table(tmp_path))
    _exists(tmp_path, "id int, name varchar, text varchar", (1, "x7", "b"))
    (sentence,) = land(warehouse, _table(tmp_path)).drift
    assert "has its column 'name' as VARCHAR now, which was INTEGER: it lands as text like before" in sentence
    assert raw(warehouse) == [("1", "7"), ("1", "x7")]


def test_records_of_no_fixed_shape_lose_no_column_by_leaving_it_out(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = described(tmp_path, "event_files", {"path": "."}, {"from": "visits"})
    write_events(tmp_path, {"id": 1, "name": "a"})
    land(warehouse, sources)
    write_events(tmp_path, {"id": 2})
    assert land(warehouse, sources).drift == []
    write_events(tmp_path, {"id": 3, "color": "red"})
    assert land(warehouse, sources).drift == [
        "shop: visits has a new column 'color': nothing is mapped to it: it is kept in _extra."
    ]


def test_a_table_that_gives_nothing_new_has_not_lost_its_columns(tmp_path: Path, warehouse: Warehouse) -> None:
    with sqlite3.connect(tmp_path / "erp.db") as connection:
        connection.execute("create table visit (id, name, at)")
        connection.execute("insert into visit values (1, 'a', '2024-05-01T00:00:00Z')")
    connection.close()
    columns = {"touchpoint_id": "id", "touchpoint_name": "name"}
    sources = described(
        tmp_path, "sqlite", {"path": "erp.db"}, {"from": "visit", "updated_at": "at", "columns": columns}
    )
    land(warehouse, sources)
    assert land(warehouse, sources).drift == []


def test_drift_is_said_again_by_a_landing_that_was_killed_before_it_could(
    tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    _exists(tmp_path, "id int, name varchar, text varchar", (1, "a", "b"))
    land(warehouse, _table(tmp_path))
    _exists(tmp_path, "id int, name varchar, text varchar, color varchar", (1, "a", "b", "red"))

    def kill(*given: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as killed:
        killed.setattr(land_module._Landing, "_log", kill)
        with pytest.raises(KeyboardInterrupt):
            land(warehouse, _table(tmp_path))
    assert len(land(warehouse, _table(tmp_path)).drift) == 1


def test_drift_is_a_check_that_warns() -> None:
    good, bad = drift_result("items", []), drift_result("items", ["erp: product has lost its column 'ean'."])
    assert (good.passed, bad.passed, bad.severity) == (True, False, dg.AssetCheckSeverity.WARN)
    assert bad.description == "erp: product has lost its column 'ean'."
    assert bad.asset_check_key == dg.AssetCheckKey(dg.AssetKey(["raw", "items"]), "source_columns")
