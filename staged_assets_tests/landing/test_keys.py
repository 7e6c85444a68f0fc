"""Deletes by comparison of keys: beside the changes, all keys are read now and then."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.landing import land as land_module
from staged_assets.sources.config import Sources
from staged_assets_tests.landing.raw_rows import land, raw
from staged_assets_tests.landing.test_land import _exists
from staged_assets_tests.sources.described import described

Warehouse = duckdb.DuckDBPyConnection
_ROWS = "touchpoint_id, _operation, _source_updated_at::varchar"


@pytest.fixture(params=["sqlite", "database"])
def connector(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _sources(folder: Path, connector: str = "sqlite", **feed: Any) -> Sources:
    path = folder / "erp.db"
    connection = {"path": "erp.db"} if connector == "sqlite" else {"url": f"sqlite:///{path}"}
    said = {"updated_at": "text", "deletes": "by_key_comparison", "columns": {"touchpoint_id": "id"}, **feed}
    return described(folder, connector, connection, {"from": "visit", **said})


def _later(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    class Clock(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> datetime:
            return datetime.fromisoformat(moment).replace(tzinfo=UTC)

    monkeypatch.setattr(land_module, "datetime", Clock)


def test_a_key_that_the_source_has_no_more_is_a_delete(tmp_path: Path, warehouse: Warehouse, connector: str) -> None:
    sources = _sources(tmp_path, connector, compare_keys_every="0s")
    _exists(tmp_path, (1, "a", "2024-05-01T10:00:00Z"), (2, "b", "2024-05-02T10:00:00Z"))
    assert land(warehouse, sources).vanished == 0
    _exists(tmp_path, (2, "b", "2024-05-02T10:00:00Z"))
    landed = land(warehouse, sources)
    assert (landed.vanished, landed.landed) == (1, 1)
    assert raw(warehouse, _ROWS)[2:] == [("1", "delete", "2024-05-01 10:00:00")]
    assert land(warehouse, sources).landed == 0


def test_a_key_that_comes_again_is_an_upsert_after_its_delete(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _sources(tmp_path, compare_keys_every="0s")
    _exists(tmp_path, (1, "a", "2024-05-01T10:00:00Z"), (2, "b", "2024-05-01T10:00:00Z"))
    land(warehouse, sources)
    _exists(tmp_path, (2, "b", "2024-05-01T10:00:00Z"))
    land(warehouse, sources)
    _exists(tmp_path, (1, "a", "2024-05-03T10:00:00Z"), (2, "b", "2024-05-01T10:00:00Z"))
    land(warehouse, sources)
    assert [row[1] for row in raw(warehouse, _ROWS) if row[0] == "1"] == ["upsert", "delete", "upsert"]
    _exists(tmp_path, (2, "b", "2024-05-01T10:00:00Z"))
    assert land(warehouse, sources).vanished == 1


def test_keys_are_compared_when_their_interval_has_passed(
    tmp_path: Path, warehouse: Warehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    sources = _sources(tmp_path, compare_keys_every="6h")
    _later(monkeypatch, "2024-06-01 00:00")
    _exists(tmp_path, (1, "a", "2024-05-01T10:00:00Z"), (2, "b", "2024-05-02T10:00:00Z"))
    land(warehouse, sources)
    _exists(tmp_path, (2, "b", "2024-05-02T10:00:00Z"))
    _later(monkeypatch, "2024-06-01 05:59")
    assert land(warehouse, sources).vanished == 0
    _later(monkeypatch, "2024-06-01 06:00")
    assert land(warehouse, sources).vanished == 1


def test_a_key_made_by_an_expression_is_compared(tmp_path: Path, warehouse: Warehouse) -> None:
    columns = {"touchpoint_id": {"expression": "id || '-' || name"}}
    sources = _sources(tmp_path, compare_keys_every="0s", columns=columns)
    _exists(tmp_path, (1, "a", "2024-05-01T10:00:00Z"), (2, "b", "2024-05-02T10:00:00Z"))
    land(warehouse, sources)
    _exists(tmp_path, (2, "b", "2024-05-02T10:00:00Z"))
    assert land(warehouse, sources).vanished == 1
    assert raw(warehouse, _ROWS)[-1][:2] == ("1-a", "delete")


def test_a_table_that_is_empty_all_at_once_deletes_nothing(tmp_path: Path, warehouse: Warehouse) -> None:
    sources = _sources(tmp_path, compare_keys_every="0s")
    _exists(tmp_path, (1, "a", "2024-05-01T10:00:00Z"))
    land(warehouse, sources)
    _exists(tmp_path)
    landed = land(warehouse, sources)
    assert landed.landed == 0
    assert "visit is empty though it was not before" in landed.problems[-1]
