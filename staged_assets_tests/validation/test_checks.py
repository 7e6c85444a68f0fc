"""The checks of the published tables: what they evaluate, and how their results look in Dagster."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import duckdb
import pytest

from staged_assets.checked import Checked, summed_up
from staged_assets.errors import ConfigurationError
from staged_assets.landing.layout import DATASETS
from staged_assets.staging.checks import check_result, markdown_table
from staged_assets.validation.checks import CONTRACT, TableChecks, checked
from staged_assets.validation.config import load_validation
from staged_assets.validation.registry import schema_rules
from staged_assets.validation.results import RuleResult, rule
from staged_assets.validation.table_checks import other_rules
from staged_assets_tests.validation.good_rows import row_id
from staged_assets_tests.validation.published import Published

PERSONAL = {"stg_offers": frozenset({"terms"})}


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    """Offers are published; two rules of errors and one of a warning do not hold."""
    with duckdb.connect() as connection:
        Published(connection).publish("offers")
        connection.execute("update staged.stg_offers set max_usage = -1, terms = ' Ada' where offer_id = 7")
        yield connection


@pytest.fixture
def checks(tmp_path: Path) -> TableChecks:
    return TableChecks(load_validation(), PERSONAL, tmp_path)


def _metadata(one: Checked) -> dict[str, object]:
    result = check_result(dg.AssetCheckKey(dg.AssetKey("stg_offers"), one.name), one)
    return {name: value.value for name, value in result.metadata.items()}


@pytest.mark.parametrize("dataset", DATASETS)
def test_every_rule_of_a_table_is_evaluated_by_one_of_its_checks(checks: TableChecks, dataset: str) -> None:
    assert [one.name for one in checks.of(dataset)] == [CONTRACT, *(rule.name for rule in other_rules(dataset))]


def test_each_check_gives_a_result(checks: TableChecks, connection: duckdb.DuckDBPyConnection) -> None:
    names = [one.name for one in checks.of("offers")]
    found = {one.name: one for one in checks.evaluate(connection, "offers", names)}
    assert list(found) == names
    assert {name: one.status for name, one in found.items() if one.status != "passed"} == {
        CONTRACT: "failed", "table__reject_rate": "warned",
    }  # fmt: skip
    assert [one.name for one in found[CONTRACT].rules] == [rule.name for rule in schema_rules()["offers"]]


def test_only_the_named_checks_are_evaluated(checks: TableChecks, connection: duckdb.DuckDBPyConnection) -> None:
    (one,) = checks.evaluate(connection, "offers", ["table__volume"])
    assert one.name == "table__volume"


def test_a_result_carries_what_a_person_needs(checks: TableChecks, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update staged.stg_offers set terms = null")
    (contract,) = checks.evaluate(connection, "offers", [CONTRACT])
    metadata = _metadata(contract)
    assert {key: metadata[key] for key in ("rule", "column", "failing", "rows", "share", "raw_row_ids")} == {
        "rule": "max_usage__not_negative", "column": "max_usage", "failing": 1, "rows": 30, "share": 1 / 30,
        "raw_row_ids": [row_id(7)],
    }  # fmt: skip
    assert metadata["sample"] == f"| raw_row_id | max_usage |\n| --- | --- |\n| {row_id(7)} | -1 |"
    assert metadata["failing/max_usage__not_negative"] == 1
    assert (metadata["rules"], metadata["rules_failing"]) == (len(schema_rules()["offers"]), 1)
    assert "staged.stg_offers" in str(metadata["query"])
    assert float(str(metadata["seconds"])) > 0
    query = str(metadata["query"]).removeprefix("```sql\n").removesuffix("\n```")
    assert len(connection.execute(query).fetchall()) == metadata["failing"]


def test_every_rule_that_does_not_hold_is_named(checks: TableChecks, connection: duckdb.DuckDBPyConnection) -> None:
    (contract,) = checks.evaluate(connection, "offers", [CONTRACT])
    metadata = _metadata(contract)
    assert metadata["rules_failing"] == 2
    for name in ("max_usage__not_negative", "terms__tidy"):
        assert name in str(metadata["failing_rules_table"])
        assert name not in str(metadata["rules_holding"])


def test_personal_values_are_masked(checks: TableChecks, connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("update staged.stg_offers set max_usage = 1")
    (contract,) = checks.evaluate(connection, "offers", [CONTRACT])
    assert "text of 4 characters" in str(_metadata(contract)["sample"])
    assert "Ada" not in str(contract)


def test_checks_change_nothing(checks: TableChecks, connection: duckdb.DuckDBPyConnection, tmp_path: Path) -> None:
    path = tmp_path / "warehouse.duckdb"
    connection.execute(f"attach '{path}' as file; copy from database memory to file; detach file")
    with duckdb.connect(path, read_only=True) as reading:
        names = [one.name for one in checks.of("offers")]
        assert len(list(checks.evaluate(reading, "offers", names))) == len(names)


def test_what_can_not_be_read_is_an_error_of_the_engine_and_no_result(
    checks: TableChecks, connection: duckdb.DuckDBPyConnection
) -> None:
    connection.execute("drop table staged.dispositions_offers")
    with pytest.raises(duckdb.CatalogException):
        list(checks.evaluate(connection, "offers", ["table__reconciled"]))


def test_a_rule_that_is_configured_must_be_there(tmp_path: Path) -> None:
    path = tmp_path / "validation.yaml"
    path.write_text("datasets: {offers: {rules: {max_usage__not_negativ: {severity: warn}}}}")
    with pytest.raises(ConfigurationError, match="did you mean 'max_usage__not_negative'"):
        TableChecks(load_validation(path), {}, tmp_path)


def test_rules_of_batches_can_be_configured_too(tmp_path: Path) -> None:
    path = tmp_path / "validation.yaml"
    path.write_text("datasets: {offers: {rules: {batch__reject_share: {severity: warn}}}}")
    assert TableChecks(load_validation(path), {}, tmp_path).of("offers")


@pytest.mark.parametrize(("severity", "status", "shown"), [("error", "failed", "ERROR"), ("warn", "warned", "WARN")])
def test_severity_is_the_rules(severity: str, status: str, shown: str) -> None:
    one = checked(RuleResult(rule("offers", "terms__tidy", "d", severity), False, 1, 2, 0.1))  # type: ignore[arg-type]
    result = check_result(dg.AssetCheckKey(dg.AssetKey("stg_offers"), one.name), one)
    assert (one.status, result.passed, result.severity.value) == (status, False, shown)


def test_several_rules_are_as_grave_as_the_gravest() -> None:
    rules = [Checked(n, s, f, 10, 0.1) for n, s, f in (("a", "passed", 0), ("b", "warned", 9), ("c", "failed", 1))]  # type: ignore[arg-type]
    one = summed_up("all", tuple(rules))
    assert (one.status, one.failing, one.rows, one.worst.name) == ("failed", 10, 10, "c")
    assert Checked.from_dict(one.as_dict()) == one


def test_a_table_in_markdown_keeps_its_columns_whatever_is_in_a_cell() -> None:
    assert markdown_table([{"a": "x|y", "b": "two\nlines"}]) == "| a | b |\n| --- | --- |\n| x\\|y | two lines |"


def test_checks_are_known_without_pandera_once_the_rules_are(checks: TableChecks, tmp_path: Path) -> None:
    code = (
        "import sys, pathlib; from staged_assets.validation.checks import TableChecks;"
        "from staged_assets.validation.config import load_validation;"
        "TableChecks(load_validation(), {}, pathlib.Path(sys.argv[1])).of('offers');"
        "print([name for name in ('pandera', 'ibis') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
