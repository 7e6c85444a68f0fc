"""What a refresh does, and what it leaves alone."""

import shutil
import time
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.settings import Settings
from staged_assets.staging.dbt_runner import DbtRunner
from staged_assets.staging.increment import Increments
from staged_assets.staging.project import StagingProject
from staged_assets.staging.refresh import Refresh
from staged_assets.staging.side_by_side import side_by_side
from staged_assets.staging.whole import FullRefreshes
from staged_assets_tests.staged_area import WAREHOUSE, NewArea, Row, StagedArea

SALE: Row = {"sale_id": "1", "sale_date": "2026-01-05", "offer_id": "1", "quantity": "2", "total_price": "8"}
OFFER: Row = {"offer_id": "1", "offer_name": "Winter", "valid_from": "2026-01-01", "valid_to": "2026-02-01"}
USED = "select times_used from staged.stg_offers__usage"


def test_nothing_new_leaves_everything_and_dbt_alone(new_area: NewArea, monkeypatch: pytest.MonkeyPatch) -> None:
    with new_area(published=True, checked=True) as area:
        area.land("sales", "ecommerce", [SALE])
        area.refresh()
        before = area.outputs(without=())
        monkeypatch.setattr(DbtRunner, "compile", None)
        outcomes = area.refresh()
        assert {outcome.status for outcome in outcomes.values()} == {"unchanged"}
        assert area.outputs(without=()) == before


def test_what_was_made_wholly_has_increments_without_dbt(
    shared_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = StagingProject(Settings(home=shared_home))
    project.parsed()
    parsed = project.target_path
    shutil.copytree(parsed, tmp_path / parsed.relative_to(shared_home), ignore=shutil.ignore_patterns("sql"))
    area = StagedArea(tmp_path, tmp_path / WAREHOUSE, checked=True)
    area.land("offers", "ecommerce", [OFFER])
    area.land("sales", "ecommerce", [SALE])
    area.refresh()
    area.land("sales", "ecommerce", [{**SALE, "sale_id": "2"}])
    monkeypatch.setattr(DbtRunner, "compile", None)
    assert {outcome.mode for outcome in area.refresh().values() if outcome.new_rows} == {"incremental"}
    assert area.query(USED) == [(2,)]


def test_a_companion_follows_a_dataset_that_was_refreshed_without_it(new_area: NewArea) -> None:
    """As `run --dataset sales` does: the companion belongs to offers."""
    with new_area(published=True) as area:
        area.land("offers", "ecommerce", [OFFER])
        area.refresh()
        area.land("sales", "ecommerce", [SALE])
        area.refresh(["sales"], companions=["stg_sales__daily"])
        assert area.query(USED) == [(0,)]
        assert area.refresh()["stg_offers__usage"].status == "published"
        assert area.query(USED) == [(1,)]


def test_a_companion_that_failed_is_made_by_the_next_refresh(
    new_area: NewArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_area(published=True) as area:
        area.land("offers", "ecommerce", [OFFER])
        area.land("sales", "ecommerce", [SALE])
        with monkeypatch.context() as patched:
            patched.setattr(FullRefreshes, "write_companion", _failing("stg_offers__usage"))
            outcomes = area.try_refresh()
        assert outcomes["stg_offers__usage"].status == "failed"
        assert outcomes["stg_sales"].status == outcomes["stg_sales__daily"].status == "published"
        assert area.query(USED) == []
        assert area.refresh()["stg_offers__usage"].status == "published"
        assert area.query(USED) == [(1,)]


def _failing(model: str) -> Any:
    """Companions are made wholly, but one fails."""
    write = FullRefreshes.write_companion

    def partly(self: FullRefreshes, companion: str, at: datetime, connection: duckdb.DuckDBPyConnection) -> None:
        if companion == model:
            raise duckdb.ConversionException("planted")
        write(self, companion, at, connection)

    return partly


def test_sums_follow_what_comes_and_goes(new_area: NewArea, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the rows that were there before being read; but where a sum has overflowed, all is summed anew."""
    usage = "select times_used, units, revenue, sales_outside_validity from staged.stg_offers__usage"
    most = "90000000000000"
    with new_area(published=True) as area:
        area.land("offers", "ecommerce", [OFFER])
        area.land("sales", "ecommerce", [SALE | {"sale_id": key} for key in "123"])
        area.refresh()
        assert area.query(usage) == [(3, 6, 24, 0)]
        with monkeypatch.context() as patched:
            patched.setattr(FullRefreshes, "write_companion", None)
            area.land("sales", "ecommerce", [SALE | {"sale_id": "4", "total_price": most, "sale_date": "2027-01-05"}])
            area.land("sales", "ecommerce", [{"sale_id": "1", "_operation": "delete"}])
            area.land("sales", "ecommerce", [SALE | {"sale_id": "2", "quantity": "-1", "total_price": "-4"}])
            area.refresh()
            assert area.query(usage) == [(2, 3, 90_000_000_000_004, 1)]
            area.land("sales", "ecommerce", [SALE | {"sale_id": "5", "total_price": most}])
            area.refresh()
            assert area.query(usage) == [(3, 5, None, 1)]
        area.land("sales", "ecommerce", [SALE | {"sale_id": "4"}])
        area.refresh()
        assert area.query(usage) == [(3, 5, 90_000_000_000_012, 0)]


def test_a_dataset_that_fails_leaves_the_others_alone(new_area: NewArea) -> None:
    with new_area(published=True) as area:
        area.land("sales", "ecommerce", [SALE])
        area.land("offers", "ecommerce", [OFFER])
        area.execute("create view staged.stg_offers__candidate as select 1 as in_its_way")
        outcomes = area.try_refresh()
        assert outcomes["stg_offers"].status == "failed"
        assert outcomes["stg_offers"].message.startswith("stg_offers: ")
        assert outcomes["stg_offers__usage"].status == "skipped"
        assert outcomes["stg_sales"].status == "published"
        assert outcomes["stg_sales__daily"].status == "published"
        area.execute("drop view staged.stg_offers__candidate")
        area.refresh()
        assert area.query(USED) == [(1,)]


def test_where_two_are_under_way_an_interrupt_stops_both() -> None:
    done = []

    def do(dataset: str, _: duckdb.DuckDBPyConnection) -> None:
        if dataset == "sales":
            raise KeyboardInterrupt
        time.sleep(0.1)
        done.append(dataset)

    with duckdb.connect() as connection, pytest.raises(KeyboardInterrupt):
        side_by_side(connection, {name: 1_000 if name == "sales" else 1 for name in DATASETS}, do)
    assert len(done) <= 1


def test_one_thread_does_one_after_the_other() -> None:
    used = set()
    with duckdb.connect(config={"threads": "1"}) as connection:
        side_by_side(connection, dict.fromkeys(DATASETS, 1), lambda name, its: used.add(its))
        assert used == {connection}


@pytest.mark.parametrize("number", [0, 1, 2, 14])
def test_side_by_side_each_is_done_once(number: int) -> None:
    done = []
    with duckdb.connect() as connection:
        rows = {name: place % 3 for place, name in enumerate(list(DATASETS)[:number])}
        side_by_side(connection, rows, lambda name, its: done.append((name, its.execute("select 1").fetchall())))
    assert sorted(done) == sorted((name, [(1,)]) for name in rows)


def test_what_was_not_verified_is_verified_by_the_next_refresh(
    new_area: NewArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_area(published=True, checked=True) as area:
        area.land("touchpoints", "crm", [{"touchpoint_id": "1"}])
        with monkeypatch.context() as patched:
            patched.setattr(Refresh, "_verify", _dying)
            with pytest.raises(KeyboardInterrupt):
                area.refresh(["touchpoints"])
        outcome = area.refresh(["touchpoints"])["stg_touchpoints"]
        assert outcome.status == "unchanged"
        assert "table__reconciled" in {check.name for check in outcome.checks}
        again = area.refresh(["touchpoints"])["stg_touchpoints"].checks
        assert {check.name for check in again} == {"table__freshness"}


def _dying(*_: Any) -> None:
    raise KeyboardInterrupt


def test_candidates_of_a_refresh_that_died_when_it_had_published_are_dropped(
    new_area: NewArea, monkeypatch: pytest.MonkeyPatch
) -> None:
    with new_area(published=True) as area:
        whole = area.outputs().keys()
        area.land("touchpoints", "crm", [{"touchpoint_id": "1"}])
        with monkeypatch.context() as patched:
            patched.setattr(Increments, "forget", _dying)
            with pytest.raises(KeyboardInterrupt):
                area.refresh(["touchpoints"])
        assert area.outputs().keys() - whole == {"stg_touchpoints__candidate", "dispositions_touchpoints__candidate"}
        assert area.refresh()["stg_touchpoints"].status == "unchanged"
        assert area.outputs().keys() == whole


def test_other_reference_data_stages_a_dataset_anew(new_area: NewArea, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the file is large, as the one with the cities is."""
    with new_area() as area:
        before = {name: area.project.rules_version(name, {}) for name in ("location_dimension", "touchpoints")}
        read = Path.read_bytes
        monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + b"x" * (path.name == "cities.csv"))
        assert area.project.rules_version("touchpoints", {}) == before["touchpoints"]
        assert area.project.rules_version("location_dimension", {}) != before["location_dimension"]


def test_a_first_refresh_of_an_empty_raw_area_publishes_empty_tables(new_area: NewArea) -> None:
    with new_area(published=True) as area:
        assert set(map(len, area.outputs().values())) == {0}
        assert len(area.watermarks()) == 14
