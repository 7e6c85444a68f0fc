"""The benchmarks of refreshes run, and what they compare gives the same rows."""

import contextlib
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import duckdb
import pytest
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner

from benchmarks import event_log, full_refresh, growth, incremental, plots
from benchmarks.agreement import disagreements
from benchmarks.competitors import Limit, ThisProject
from benchmarks.field import Field
from benchmarks.operation import Operation
from benchmarks.peers.sqlmesh.project import NEW, SCHEMA, model_text
from benchmarks.peers.staging import MODELS
from benchmarks.peers.stock.competitor import Stock
from benchmarks.processes import Cost
from staged_assets_tests.command_line import share_parsed_project

ROWS = 1000
# What is refreshed is made once, not in each process.
pytestmark = pytest.mark.xdist_group("benchmarks")


@pytest.fixture(scope="module")
def field(shared_home: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Field]:
    names = [Limit.name, ThisProject.name, Stock.name]
    with Field(tmp_path_factory.mktemp("field"), ROWS, names) as field:
        ours = _ours(field)
        ours.folder.mkdir()
        share_parsed_project(shared_home, ours.operation.settings)
        yield field


@pytest.fixture(scope="module")
def refreshed(field: Field) -> full_refresh.Figures:
    return full_refresh.compare(field, repeat=1)


def _ours(field: Field) -> ThisProject:
    (found,) = [one for one in field.competitors if isinstance(one, ThisProject)]
    return found


def _stock(field: Field) -> Stock:
    (found,) = [one for one in field.competitors if isinstance(one, Stock)]
    return found


def test_a_full_refresh_is_compared_and_all_give_the_same_rows(refreshed: full_refresh.Figures) -> None:
    assert refreshed["failed"] == {}
    assert refreshed["disagreeing"] == {Limit.name: {}, Stock.name: {}}
    for (cost,) in refreshed["runs"].values():
        assert min(cost["seconds"], cost["peak_mb"]) > 0
    assert full_refresh.as_markdown([refreshed]).count("the same") == 2


def test_other_rows_are_seen(field: Field, refreshed: full_refresh.Figures, tmp_path: Path) -> None:
    changed = tmp_path / "changed.duckdb"
    with duckdb.connect(str(changed)) as connection:
        connection.execute(f"attach '{_stock(field).out}' as peer (read_only)")
        for model in MODELS.values():
            connection.execute(f"create table {model.name} as from peer.{model.name}")
        connection.execute("update stg_sales set quantity = quantity + 1 where sale_id = 1")
    assert disagreements(_ours(field).warehouse, changed, deduplicated=True) == {"sales": 2}


def test_what_sqlmesh_would_run_gives_the_same_rows(
    field: Field, refreshed: full_refresh.Figures, tmp_path: Path
) -> None:
    raw, out = next(one for one in field.competitors).raw.parquet, tmp_path / "peer.duckdb"
    days = {"@start_ts": "'2026-01-02 00:00:00'", "@end_ts": "'2026-01-02 23:59:59.999999'"}
    with duckdb.connect(str(out)) as connection:
        connection.execute(f"create schema {SCHEMA}")
        for model in MODELS.values():
            head, _, query = model_text(model, raw).partition(");\n\n")
            assert f"unique_key {model.key}" in head
            assert NEW in query
            for macro, moment in days.items():
                query = query.replace(macro, moment)
            connection.execute(f"create table {SCHEMA}.{model.name} as {query}")
    assert disagreements(_ours(field).warehouse, out, SCHEMA, deduplicated=True) == {}


def test_increments_are_compared_and_all_give_the_same_rows(
    field: Field, refreshed: full_refresh.Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Each in this process, which has imported all; cold ones are the same commands as in a full refresh.
    operation = _ours(field).operation
    monkeypatch.setattr(ThisProject, "run", lambda self: {"seconds": 1.0, **operation.land_and_run()})
    monkeypatch.setattr(ThisProject, "worker", lambda self: _InProcess(operation))
    monkeypatch.setattr(Stock, "run", _run_in_process)
    comparison = incremental.Comparison(field)
    for kind in ("new_sales", "changed_sales", "nothing"):
        comparison.cold(kind, 1)
    assert comparison.disagreeing() == {Stock.name: {}}
    comparison.warm(1)
    figures = {"rows": ROWS, "runs": comparison.runs, "failed": comparison.failed, "disagreeing": {}}
    assert figures["failed"] == {}
    assert {what: list(ways) for what, ways in comparison.runs.items()} == {
        f"{kind}_{how}": ways
        for how, ways in {"cold": [ThisProject.name, Stock.name], "warm": [ThisProject.name]}.items()
        for kind in incremental.KINDS
    }
    assert "1,000 new sales, warm | this project" in incremental.as_markdown([figures])


class _InProcess:
    """A worker that is this process."""

    def __init__(self, operation: Operation) -> None:
        self._operation = operation

    def ask(self, action: str) -> Cost:
        return {"seconds": 1.0, **self._operation.land_and_run()}

    def close(self) -> None:
        """Nothing is to be ended."""


def _run_in_process(stock: Stock) -> Cost:
    dbt = str(stock.folder / "dbt")
    assert dbtRunner().invoke(["--quiet", "run", "--project-dir", dbt, "--profiles-dir", dbt]).success
    DuckDBConnectionManager.close_all_connections()
    return {"seconds": 1.0}


def test_what_refreshes_leave_behind_is_measured(field: Field, refreshed: full_refresh.Figures) -> None:
    figures = event_log.measure(ROWS, refreshes=2, home=field.folder, ours=_ours(field))
    for kind in ("nothing", "new_sales"):
        (cost,) = figures["runs"][kind]
        assert cost["dagster"] > 0, f"a run with {kind} leaves nothing in Dagster's storage"
    assert "nothing new | 1 |" in event_log.as_markdown(figures)


def test_a_home_with_a_long_past_is_compared_with_a_new_one(shared_home: Path, tmp_path: Path) -> None:
    for name in ("new", "old"):
        settings = Operation(_folder(tmp_path / name)).settings
        share_parsed_project(shared_home, settings)
    figures = event_log.compare(ROWS, refreshes=2, before=4, home=tmp_path)
    with contextlib.closing(sqlite3.connect(tmp_path / "old/home/dagster/history/runs/index.db")) as index:
        twice = "select count(*) from asset_check_executions group by run_id, asset_key, check_name having count(*) > 1"
        assert index.execute(twice).fetchall() == []
    # What was added is gone, and nothing else.
    assert figures["pruned_runs"] == 4
    for state in ("few", "many", "few_again", "pruned"):
        assert {kind: len(costs) for kind, costs in figures[state].items()} == {"nothing": 1, "new_sales": 1}
    measured = {"rows": ROWS, "runs": {}, "kept": {"dagster": 0, "home": 0, "files": 0}, "past": figures}
    assert "| 4 more | nothing new |" in event_log.as_markdown(measured)


def _folder(path: Path) -> Path:
    path.mkdir()
    return path


def test_growth_is_of_the_time_beyond_the_start_up(refreshed: full_refresh.Figures, tmp_path: Path) -> None:
    assert refreshed["rows"] == growth.START_UP
    known = [refreshed, *(_slower(refreshed, rows, seconds) for rows, seconds in ((2000, 1.0), (4000, 6.0)))]
    figures = growth.measure([2000, 4000], 1, tmp_path, known)
    assert figures["growth"] == pytest.approx({Limit.name: 2.0, ThisProject.name: 2.0})
    assert f"| {ThisProject.name} |" in growth.as_markdown(figures)


def _slower(refreshed: full_refresh.Figures, rows: int, seconds: float) -> full_refresh.Figures:
    runs = {
        way: [cost | {"seconds": cost["seconds"] + seconds} for cost in costs]
        for way, costs in refreshed["runs"].items()
    }
    return refreshed | {"rows": rows, "runs": runs}


def test_plots_are_drawn(refreshed: full_refresh.Figures, tmp_path: Path) -> None:
    (path,) = plots.draw({"full-refresh": [refreshed, _slower(refreshed, 2000, 1.0)]}, tmp_path)
    assert path.read_bytes().startswith(b"\x89PNG")
