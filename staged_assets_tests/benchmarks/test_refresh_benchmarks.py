"""The benchmarks of refreshes run, and what they compare gives the same rows."""

from pathlib import Path

from benchmarks import full_refresh, incremental
from benchmarks.operation import Operation
from benchmarks.peers import limit
from staged_assets_tests.command_line import share_parsed_project


def test_refreshes_are_measured_and_the_limit_gives_the_same_rows(tmp_path: Path, shared_home: Path) -> None:
    operation = Operation(tmp_path)
    share_parsed_project(shared_home, operation.settings)
    figures = incremental.measure(tmp_path, rows=2000, repeat=1)
    assert min(figures["new_sales"][0]["total"], figures["nothing"][0]["total"], figures["full_refresh"]) > 0
    cold = {"new_sales_cold": [{"total": 1.0}], "nothing_cold": [{"total": 1.0}]}
    assert "1,000 new sales, warm" in incremental.as_markdown([figures | cold])
    out = tmp_path / "limit.duckdb"
    limit.run(str(operation.settings.warehouse_path), str(out))
    assert full_refresh.disagreements(str(operation.settings.warehouse_path), out) == {}
