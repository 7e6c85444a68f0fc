"""Retention: what is old goes with all that is left of it, what is current stays."""

import os
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.storage.runs.schema import RunsTable
from sqlalchemy import text, update

from staged_assets.retention import Pruned, prune, prune_if_due
from staged_assets.settings import PACKAGE, Settings
from staged_assets.staging.project import StagingProject

MONTH_AGO = datetime.now(UTC) - timedelta(days=31)


@dg.multi_asset(
    specs=[dg.AssetSpec("one", skippable=True), dg.AssetSpec("other", skippable=True)],
    check_specs=[dg.AssetCheckSpec("looked_at", asset="one")],
    can_subset=True,
)
def both(context: dg.AssetExecutionContext) -> Iterator[Any]:
    for key in sorted(context.selected_asset_keys):
        yield dg.MaterializeResult(asset_key=key)
    if context.selected_asset_check_keys:
        yield dg.AssetCheckResult(asset_key="one", check_name="looked_at", passed=True)


class History:
    """An instance as the package configures it, whose runs can be made old."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.settings = Settings(home=home)
        (home / "dagster.yaml").write_bytes((PACKAGE / "dagster.yaml").read_bytes())
        self.instance = dg.DagsterInstance.get()

    def run(self, *assets: str, old: bool = True) -> str:
        run_id = dg.materialize([both], instance=self.instance, selection=list(assets)).run_id
        if old:
            with self.instance.run_storage.connect() as connection:  # type: ignore[attr-defined]
                moment = MONTH_AGO.replace(tzinfo=None)
                connection.execute(
                    update(RunsTable).where(RunsTable.c.run_id == run_id).values(update_timestamp=moment)
                )
        return run_id

    def report(self, asset: str, *, old: bool) -> None:
        """As a sensor does: without a run."""
        self.instance.report_runless_asset_event(dg.AssetMaterialization(asset))
        if old:
            self.make_reports_old()

    def make_reports_old(self) -> None:
        old = "'2026-01-01 00:00:00.000000' where run_id = ''"
        for shard in ("index", ""):
            with self.instance.event_log_storage._connect(shard) as connection:  # type: ignore[attr-defined]
                connection.execute(text(f"update event_logs set timestamp = {old}"))
                connection.execute(text(f"update asset_check_executions set evaluation_event_timestamp = {old}"))

    def rows(self, sql: str, shard: str = "index") -> list[Any]:
        with self.instance.event_log_storage._connect(shard) as connection:  # type: ignore[attr-defined]
            return [value for (value,) in connection.execute(text(sql))]

    def files(self, run_id: str) -> list[Path]:
        return [path for path in self.home.rglob("*") if run_id in str(path)]


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[History]:
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path))
    history = History(tmp_path)
    yield history
    history.instance.dispose()


def test_an_old_run_goes_with_all_that_is_left_of_it(history: History) -> None:
    old, last = history.run("one", "other"), history.run("one", "other", old=False)
    assert history.files(old)
    assert prune(history.instance, history.settings) == Pruned(runs=1)
    assert history.instance.get_run_by_id(old) is None
    assert history.files(old) == []
    for table in ("event_logs", "asset_check_executions"):
        assert set(history.rows(f"select run_id from {table}")) == {last}
    assert history.rows("select count(*) from asset_event_tags where event_id not in (select id from event_logs)") == [
        0
    ]


def test_what_is_current_stays_however_old_it_is(history: History) -> None:
    first, second = history.run("one", "other"), history.run("other")
    assert prune(history.instance, history.settings) == Pruned()
    assert {run.run_id for run in history.instance.get_runs()} == {first, second}
    third = history.run("one")
    assert prune(history.instance, history.settings) == Pruned(runs=1)
    assert {run.run_id for run in history.instance.get_runs()} == {second, third}
    (record,) = history.instance.get_asset_records([dg.AssetKey("one")])
    assert record.asset_entry.last_run_id == third
    key = dg.AssetCheckKey(dg.AssetKey("one"), "looked_at")
    storage = history.instance.event_log_storage
    assert storage.get_latest_asset_check_execution_by_key([key])[key].run_id == third


def test_what_has_not_ended_or_not_long_ago_stays(history: History) -> None:
    run_id = history.run("one", "other", old=False)
    history.run("one", "other", old=False)
    assert prune(history.instance, history.settings) == Pruned()
    assert history.instance.get_run_by_id(run_id) is not None


def test_of_what_sensors_report_the_last_stays(history: History) -> None:
    for _ in range(5):
        history.report("one", old=True)
    history.report("other", old=True)
    history.report("one", old=False)
    assert prune(history.instance, history.settings).events == 5
    for shard in ("index", ""):
        assert len(history.rows("select id from event_logs where run_id = ''", shard)) == 2
    assert history.instance.get_latest_materialization_event(dg.AssetKey("other")) is not None


def test_of_a_check_that_sensors_evaluate_the_last_stays(history: History) -> None:
    """Two checks of one asset: the last of each, not the last of both. One that a run has planned says nothing."""
    key = dg.AssetKey("one")
    history.run("one", "other", old=False)
    for name in ("first", "first", "second"):
        evaluation = dg.AssetCheckEvaluation(asset_key=key, check_name=name, passed=True)
        history.instance.report_runless_asset_event(evaluation)
    history.make_reports_old()
    planned = "insert into asset_check_executions (asset_key, check_name, run_id) values ('[\"one\"]', 'third', 'x')"
    with history.instance.event_log_storage.index_connection() as connection:  # type: ignore[attr-defined]
        connection.execute(text(planned))
    assert prune(history.instance, history.settings).events == 1
    checks = [dg.AssetCheckKey(key, name) for name in ("first", "second")]
    assert set(history.instance.event_log_storage.get_latest_asset_check_execution_by_key(checks)) == set(checks)


def test_old_states_of_the_project_go(history: History) -> None:
    current = StagingProject(history.settings).target_path
    old, new = current.with_name("before"), current.with_name("just_before")
    for folder in (current, old, new):
        folder.mkdir(parents=True)
    for folder in (current, old):
        os.utime(folder, (MONTH_AGO.timestamp(), MONTH_AGO.timestamp()))
    assert prune(history.instance, history.settings) == Pruned(folders=1)
    assert sorted(current.parent.iterdir()) == sorted([current, new])


def test_without_a_daemon_it_is_done_once_a_day(history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    old, _ = history.run("one", "other"), history.run("one", "other")
    prune_if_due(history.instance, history.settings)
    assert history.instance.get_run_by_id(old) is None
    again, _ = history.run("one", "other"), history.run("one", "other")
    prune_if_due(history.instance, history.settings)
    assert history.instance.get_run_by_id(again) is not None
    tomorrow = time.time() + 86_401
    monkeypatch.setattr(time, "time", lambda: tomorrow)
    prune_if_due(history.instance, history.settings)
    assert history.instance.get_run_by_id(again) is None


def test_fifteen_runs_leave_as_much_as_five(history: History) -> None:
    def size() -> int:
        # Of SQLite's journals each is at most 4 MB, whatever was written.
        files = (path for path in history.home.rglob("*") if path.is_file() and not path.name.endswith("-wal"))
        return sum(path.stat().st_size for path in files)

    sizes = []
    for _ in range(3):
        for _ in range(5):
            history.run("one", "other")
        prune(history.instance, history.settings)
        sizes.append(size())
    assert sizes[2] <= sizes[0] * 1.2
