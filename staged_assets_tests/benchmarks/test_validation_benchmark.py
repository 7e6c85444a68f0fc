"""The benchmark of validation runs, and what it compares finds the same."""

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pandas as pd
import pandera.errors
import pytest

from benchmarks.sales_in_pandas import SALES
from benchmarks.validation import as_markdown
from benchmarks.validation_ways import BASELINES, TABLE, WAYS, make
from staged_assets.validation.masking import Mask
from staged_assets.validation.registry import schema_rules
from staged_assets.validation.scan import scan_of

ROOT = Path(__file__).parents[2]


def test_it_measures_in_processes_of_their_own(tmp_path: Path) -> None:
    ways = ["plain SQL, all", "Pandera on pandas, all"]
    command = [sys.executable, "-m", "benchmarks.validation", "--rows", "1000", "--repeat", "1"]
    chosen = [argument for way in ways for argument in ("--way", way)]
    files = ["--json", str(tmp_path / "figures.json"), "--markdown", str(tmp_path / "figures.md")]
    subprocess.run([*command, *chosen, *files], cwd=ROOT, check=True, capture_output=True)
    (figures,) = json.loads((tmp_path / "figures.json").read_text())
    assert (figures["rows"], list(figures["runs"]), figures["failed"]) == (1000, ways, {})
    for ((run,),) in zip(figures["runs"].values(), strict=True):
        assert min(run["seconds"], run["cpu_seconds"], run["peak_mb"]) > 0
    assert (tmp_path / "figures.md").read_text().endswith(as_markdown([figures]))


@pytest.mark.parametrize(
    "damage",
    [
        None,
        "payment_method = 'x'",
        "country_code = 'xx'",
        "order_status = ' x'",
        "_raw_row_id = 'x'",
        "unit_price = unit_price + 1",
        "is_return = not is_return",
        "days_to_deliver = 99",
        "sold_at = timestamp '1999-01-01'",
        "country_code = null",
        "_cleansed = ['x']",
        "sale_id = 3",
        "item_id = null",
    ],
)
def test_both_ways_find_the_same(tmp_path: Path, damage: str | None) -> None:
    path = tmp_path / "sales.duckdb"
    make(path, 700)
    rules = {rule.name: rule for rule in schema_rules()["sales"]}
    with duckdb.connect(path) as connection:
        if damage:
            connection.execute(f"update {TABLE} set {damage} where sale_id % 3 = 0")
        found = scan_of("sales").evaluate(connection, TABLE, rules, mask=Mask(None), sample=1)
        frame = connection.execute(f"from {TABLE}").df()
    assert any(not result.passed for result in found) == _fails(frame) == bool(damage)


def _fails(frame: pd.DataFrame) -> bool:
    try:
        SALES.validate(frame, lazy=True)
    except pandera.errors.SchemaErrors:
        return True
    return False


def test_every_way_is_compared_with_plain_sql_for_the_same_rules_in_the_same_environment() -> None:
    assert {(way.rules, way.peer) for way in WAYS.values()} == set(BASELINES)
    assert all((WAYS[name].rules, WAYS[name].peer) == of for of, name in BASELINES.items())
