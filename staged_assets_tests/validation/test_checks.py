"""The rules as Dagster asset checks."""

import subprocess
import sys
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from staged_assets.landing.layout import DATASETS
from staged_assets.staging.resource import WarehouseResource
from staged_assets.validation.checks import build_checks, check_result, markdown_table
from staged_assets.validation.config import load_validation
from staged_assets.validation.results import RuleResult, rule
from staged_assets.validation.table_checks import published_rules
from staged_assets_tests.validation.good_rows import row_id
from staged_assets_tests.validation.published import Published

PERSONAL = {"stg_offers": frozenset({"terms"})}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home with offers published, in which two rules do not hold."""
    with duckdb.connect(tmp_path / "warehouse.duckdb") as connection:
        Published(connection).publish("offers")
        connection.execute("update staged.stg_offers set max_usage = -1, terms = ' Ada' where offer_id = 7")
    return tmp_path


def _run(home: Path, selection: dg.AssetSelection) -> dg.ExecuteInProcessResult:
    definitions = dg.Definitions(
        asset_checks=build_checks(load_validation(), PERSONAL, home),
        resources={"warehouse": WarehouseResource(database=str(home / "warehouse.duckdb"))},
        jobs=[dg.define_asset_job("checks", selection=selection)],
    )
    return definitions.resolve_job_def("checks").execute_in_process(raise_on_error=False)


def _offers(*names: str) -> dg.AssetSelection:
    return dg.AssetSelection.checks(*(dg.AssetCheckKey(dg.AssetKey("stg_offers"), name) for name in names))


def test_every_rule_of_every_dataset_is_a_check(home: Path) -> None:
    found = {key for checks in build_checks(load_validation(), {}, home) for key in checks.check_keys}
    rules = [rule for dataset in DATASETS for rule in published_rules(dataset)]
    assert found == {dg.AssetCheckKey(dg.AssetKey(rule.model), rule.name) for rule in rules}


def test_checks_run_by_themselves_one_evaluation_for_each_rule(home: Path) -> None:
    result = _run(home, dg.AssetSelection.checks_for_assets("stg_offers"))
    evaluated = result.get_asset_check_evaluations()
    assert result.success
    assert {one.check_name for one in evaluated} == {rule.name for rule in published_rules("offers")}
    assert {(one.check_name, one.severity.value) for one in evaluated if not one.passed} == {
        ("max_usage__not_negative", "ERROR"),
        ("terms__tidy", "ERROR"),
        ("table__reject_rate", "WARN"),
    }


def test_a_result_carries_what_a_person_needs(home: Path) -> None:
    (one,) = _run(home, _offers("max_usage__not_negative")).get_asset_check_evaluations()
    metadata = {key: value.value for key, value in one.metadata.items()}
    assert {key: metadata[key] for key in ("rule", "column", "failing", "rows", "share", "raw_row_ids")} == {
        "rule": "max_usage__not_negative", "column": "max_usage", "failing": 1, "rows": 30, "share": 1 / 30,
        "raw_row_ids": [row_id(7)],
    }  # fmt: skip
    assert metadata["sample"] == f"| raw_row_id | max_usage |\n| --- | --- |\n| {row_id(7)} | -1 |"
    assert "staged.stg_offers" in metadata["query"]
    assert metadata["seconds"] > 0


def test_personal_values_are_masked(home: Path) -> None:
    (one,) = _run(home, _offers("terms__tidy")).get_asset_check_evaluations()
    assert "text of 4 characters" in str(one.metadata["sample"].value)
    assert "Ada" not in str(one)


def test_only_the_selected_checks_run(home: Path) -> None:
    evaluated = _run(home, _offers("max_usage__not_negative", "table__volume")).get_asset_check_evaluations()
    assert sorted(one.check_name for one in evaluated) == ["max_usage__not_negative", "table__volume"]


def test_a_file_that_can_not_be_opened_is_a_failed_step_and_no_failed_check(home: Path) -> None:
    (home / "warehouse.duckdb").write_bytes(b"no database")
    result = _run(home, _offers("max_usage__not_negative"))
    assert (result.success, list(result.get_asset_check_evaluations())) == (False, [])


def test_a_table_that_is_not_there_is_a_failed_step_and_no_failed_check(home: Path) -> None:
    with duckdb.connect(home / "warehouse.duckdb") as connection:
        connection.execute("drop table staged.dispositions_offers")
    result = _run(home, _offers("table__reconciled", "max_usage__not_negative"))
    assert (result.success, list(result.get_asset_check_evaluations())) == (False, [])


def test_checks_only_read(home: Path) -> None:
    before = (home / "warehouse.duckdb").read_bytes()
    _run(home, dg.AssetSelection.checks_for_assets("stg_offers"))
    assert (home / "warehouse.duckdb").read_bytes() == before


@pytest.mark.parametrize(("severity", "expected"), [("error", "ERROR"), ("warn", "WARN")])
def test_severity_is_the_rules(severity: str, expected: str) -> None:
    given = RuleResult(rule("offers", "terms__tidy", "d", severity), False, 1, 2, 0.1)  # type: ignore[arg-type]
    assert check_result(given).severity.value == expected


def test_a_table_in_markdown_keeps_its_columns_whatever_is_in_a_cell() -> None:
    assert markdown_table([{"a": "x|y", "b": "two\nlines"}]) == "| a | b |\n| --- | --- |\n| x\\|y | two lines |"


def test_definitions_load_without_pandera_once_the_rules_are_known(home: Path) -> None:
    build_checks(load_validation(), {}, home)
    code = (
        "import sys, pathlib; from staged_assets.validation.checks import build_checks;"
        "from staged_assets.validation.config import load_validation;"
        "build_checks(load_validation(), {}, pathlib.Path(sys.argv[1]));"
        "print([name for name in ('pandera', 'ibis') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(home)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
