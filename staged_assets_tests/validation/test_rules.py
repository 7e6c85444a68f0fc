"""Every rule of every schema, by a bad row that breaks it and nothing else."""

import copy
import functools
from collections.abc import Callable

import duckdb
import ibis
import pandera.ibis as pa
import pytest
import yaml

from staged_assets.settings import PACKAGE
from staged_assets.validation.masking import Mask
from staged_assets.validation.registry import COLUMNS_RULE, schema_rules, schemas
from staged_assets.validation.results import RuleResult
from staged_assets.validation.scan import scan_of
from staged_assets_tests.validation.bad_rows import is_of_table, plant, planted_ids, unaccounted
from staged_assets_tests.validation.conftest import taken_back

RULES = [(rule.dataset, rule.name) for rules in schema_rules().values() for rule in rules]
ROW_RULES = [pair for pair in RULES if not is_of_table(*pair)]
TABLE_RULES = [pair for pair in RULES if is_of_table(*pair)]

Evaluated = dict[str, RuleResult]


def _evaluate(connection: duckdb.DuckDBPyConnection, dataset: str, sample: int = 100) -> Evaluated:
    rules = {rule.name: rule for rule in schema_rules()[dataset]}
    results = scan_of(dataset).evaluate(connection, f"good.{dataset}", rules, mask=Mask(()), sample=sample)
    return {result.rule.name: result for result in results}


@pytest.fixture(scope="module")
def broken_rows(good_tables: duckdb.DuckDBPyConnection) -> Callable[[str], Evaluated]:
    """Dataset → results for its good table with a bad row for each rule of rows: the first rule's in row 1, …"""

    @functools.cache
    def evaluated(dataset: str) -> Evaluated:
        with taken_back(good_tables):
            _plant_all(good_tables, dataset)
            return _evaluate(good_tables, dataset)

    return evaluated


def _plant_all(connection: duckdb.DuckDBPyConnection, dataset: str) -> None:
    for row, rule in enumerate(_row_rules(dataset), start=1):
        plant(connection, dataset, rule, f"good.{dataset}", row)


def _row_rules(dataset: str) -> list[str]:
    return [rule for of, rule in ROW_RULES if of == dataset]


@pytest.mark.parametrize("dataset", sorted(schemas()))
def test_good_rows_pass(dataset: str, good_tables: duckdb.DuckDBPyConnection) -> None:
    assert [name for name, result in _evaluate(good_tables, dataset).items() if not result.passed] == []


@pytest.mark.parametrize(("dataset", "rule"), ROW_RULES)
def test_bad_row_fails_this_rule_alone(dataset: str, rule: str, broken_rows: Callable[[str], Evaluated]) -> None:
    ids = planted_ids(rule, _row_rules(dataset).index(rule) + 1)
    found = {name: {row["raw_row_id"] for row in result.sample} for name, result in broken_rows(dataset).items()}
    assert found[rule] == ids
    assert [name for name, rows in found.items() if min(ids) in rows] == [rule]


@pytest.mark.parametrize(("dataset", "rule"), ROW_RULES)
def test_bad_rows_are_counted(dataset: str, rule: str, broken_rows: Callable[[str], Evaluated]) -> None:
    result = broken_rows(dataset)[rule]
    assert (result.passed, result.failing, result.looked_at) == (False, 1, 1001)


@pytest.mark.parametrize(("dataset", "rule"), TABLE_RULES)
def test_bad_table_fails_this_rule_alone(dataset: str, rule: str, planting: duckdb.DuckDBPyConnection) -> None:
    plant(planting, dataset, rule, f"good.{dataset}")
    assert [name for name, result in _evaluate(planting, dataset).items() if not result.passed] == [rule]


@pytest.mark.parametrize("dataset", sorted(schemas()))
def test_every_rule_has_a_bad_row(dataset: str) -> None:
    assert unaccounted(schemas()[dataset], _contract(dataset)["required"]) == []


@pytest.mark.parametrize(("dataset", "rule"), RULES)
def test_a_rule_that_is_removed_is_missed(dataset: str, rule: str) -> None:
    assert unaccounted(_without(schemas()[dataset], rule), _contract(dataset)["required"]) == [rule]


@pytest.mark.parametrize("dataset", sorted(schemas()))
def test_schema_has_the_columns_of_the_dbt_contract(dataset: str) -> None:
    schema = schemas()[dataset]
    assert {name: str(column.dtype) for name, column in schema.columns.items()} == _contract(dataset)["types"]


@pytest.mark.parametrize("dataset", sorted(schemas()))
def test_pandera_by_itself_finds_the_same(dataset: str, planting: duckdb.DuckDBPyConnection) -> None:
    _plant_all(planting, dataset)
    table = ibis.duckdb.from_connection(planting).table(dataset, database="good")
    schema = copy.deepcopy(schemas()[dataset])
    for check in [*schema.checks, *(check for column in schema.columns.values() for check in column.checks)]:
        check.raise_warning = False
    with pytest.raises(pa.errors.SchemaErrors) as raised:
        schema.validate(table, lazy=True)
    assert {_rule_of(error, schema) for error in raised.value.schema_errors} == set(_row_rules(dataset))


def _rule_of(error: pa.errors.SchemaError, schema: pa.DataFrameSchema) -> str:
    if error.reason_code is pa.errors.SchemaErrorReason.SERIES_CONTAINS_NULLS:
        return f"{error.schema.name}__required"
    if error.reason_code is pa.errors.SchemaErrorReason.DUPLICATES:
        return f"{schema.unique[0]}__unique"
    name = error.check.name
    return name if name in {check.name for check in schema.checks} else f"{error.schema.name}__{name}"


def _without(schema: pa.DataFrameSchema, rule: str) -> pa.DataFrameSchema:
    """The schema with one rule removed."""
    mutant = copy.deepcopy(schema)
    column, _, check = rule.partition("__")
    if rule == COLUMNS_RULE:
        mutant.strict = mutant.ordered = False
    elif check == "required":
        mutant.columns[column].nullable = True
    elif check == "unique":
        mutant.unique = None
    else:
        mutant.checks = [one for one in mutant.checks if one.name != rule]
        if column in mutant.columns:
            mutant.columns[column].checks = [one for one in mutant.columns[column].checks if one.name != check]
    return mutant


@functools.cache
def _contract(dataset: str) -> dict[str, dict[str, str]]:
    """What the dbt model states of its columns: their types, as ibis writes them, and which are never missing."""
    for path in sorted((PACKAGE / "dbt" / "models").glob("*/_*__models.yml")):
        for model in yaml.safe_load(path.read_text(encoding="utf-8"))["models"]:
            if model["name"] == f"stg_{dataset}":
                columns = model["columns"]
                return {
                    "types": {column["name"]: _ibis_type(column["data_type"]) for column in columns},
                    "required": {column["name"]: "" for column in columns if column.get("constraints")},
                }
    raise AssertionError(f"there is no model of {dataset}")


def _ibis_type(data_type: str) -> str:
    from ibis.backends.sql.datatypes import DuckDBType

    return str(DuckDBType.from_string(data_type))
