"""What Pandera's ibis backend does not do by itself, and the scan does."""

import time
import tracemalloc
from collections.abc import Iterator

import duckdb
import ibis
import pandera.ibis as pa
import pytest

from staged_assets.validation.masking import Mask
from staged_assets.validation.registry import rules_of, schema_rules, schemas
from staged_assets.validation.results import RuleResult
from staged_assets.validation.scan import Scan, scan_of
from staged_assets.validation.vocabulary import FAILURE_CASES, INTEGER, TEXT, optional, required, row, value
from staged_assets_tests.validation import good_rows


@pytest.fixture
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as made:
        yield made


def _evaluate(connection: duckdb.DuckDBPyConnection, schema: pa.DataFrameSchema, table: str) -> dict[str, RuleResult]:
    rules = {rule.name: rule for rule in rules_of(schema)}
    return {r.rule.name: r for r in Scan(lambda: schema).evaluate(connection, table, rules, mask=Mask(()), sample=3)}


def _failed(connection: duckdb.DuckDBPyConnection, schema: pa.DataFrameSchema, table: str) -> list[str]:
    return [name for name, result in _evaluate(connection, schema, table).items() if not result.passed]


def _schema(columns: dict[str, pa.Column], *checks: pa.Check) -> pa.DataFrameSchema:
    columns = {"id": required(INTEGER), **columns, "_raw_row_id": required(TEXT)}
    return pa.DataFrameSchema(columns, checks=list(checks), unique=["id"], strict=True, ordered=True, name="stg_t")


def test_a_check_that_is_null_fails(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute(
        "create table t as select 1::bigint as id, 5::bigint as low, null::bigint as high, 'a' as _raw_row_id"
    )
    check = row("high__above_low", "high is above low", lambda table: table.high > table.low)
    schema = _schema({"low": optional(INTEGER), "high": optional(INTEGER)}, check)
    assert _failed(connection, schema, "t") == ["high__above_low"]


def test_a_check_that_is_null_fails_even_if_it_was_made_without_the_vocabulary(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    connection.execute("create table t as select 1::bigint as id, null::bigint as high, 'a' as _raw_row_id")
    check = pa.Check(lambda data: data.table.high > 0, name="high__positive", description="d")
    assert _failed(connection, _schema({"high": optional(INTEGER)}, check), "t") == ["high__positive"]


def test_pandera_by_itself_fails_a_check_of_the_vocabulary_that_is_null(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table t as select 1::bigint as id, null::bigint as high, 'a' as _raw_row_id")
    check = row("high__positive", "d", lambda table: table.high > 0)
    table = ibis.duckdb.from_connection(connection).table("t")
    with pytest.raises(pa.errors.SchemaErrors):
        _schema({"high": optional(INTEGER)}, check).validate(table, lazy=True)


def test_missing_values_of_an_optional_column_pass_over_its_checks(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table t as select 1::bigint as id, null::bigint as high, 'a' as _raw_row_id")
    positive = value("positive", "d", lambda x: x > 0)
    assert _failed(connection, _schema({"high": optional(INTEGER, positive)}), "t") == []


def test_missing_keys_are_no_repetition(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("create table t as select null::bigint as id, i::varchar as _raw_row_id from range(3) as n(i)")
    assert _failed(connection, _schema({}), "t") == ["id__required"]


def test_an_empty_table_passes(connection: duckdb.DuckDBPyConnection) -> None:
    good_rows.create(connection, "orders", "orders", rows=0, sparse=False)
    assert _failed(connection, schemas()["orders"], "orders") == []


@pytest.mark.parametrize("dataset", sorted(schemas()))
def test_every_column_has_its_type_and_place(dataset: str, connection: duckdb.DuckDBPyConnection) -> None:
    good_rows.create(connection, dataset, "good", rows=1)
    for column in schemas()[dataset].columns:
        connection.execute("begin")
        connection.execute(f'alter table good alter column "{column}" type utinyint using 1')
        result = scan_of(dataset).evaluate(
            connection, "good", {"table__columns": schema_rules()[dataset][0]}, mask=Mask(()), sample=3
        )[0]
        connection.execute("rollback")
        assert result.sample[0]["column"] == column


def test_a_missing_column_fails_the_structure_and_leaves_its_rules_unjudged(
    connection: duckdb.DuckDBPyConnection,
) -> None:
    good_rows.create(connection, "offers", "offers", rows=1)
    connection.execute("alter table offers drop column valid_to")
    results = _evaluate(connection, schemas()["offers"], "offers")
    assert results["table__columns"].message == "valid_to is missing"
    unjudged = results["valid_to__not_before_valid_from"]
    assert (unjudged.passed, unjudged.failing, unjudged.message) == (False, None, "not evaluated: valid_to is missing")
    assert results["max_usage__not_negative"].passed


def test_columns_in_another_order_fail(connection: duckdb.DuckDBPyConnection) -> None:
    good_rows.create(connection, "touchpoints", "first", rows=1)
    connection.execute("create table t as select description, * exclude (description) from first")
    assert _failed(connection, schemas()["touchpoints"], "t") == ["table__columns"]


@pytest.mark.parametrize("schema", schemas().values(), ids=schemas().keys())
def test_nothing_is_left_to_what_the_backend_ignores(schema: pa.DataFrameSchema) -> None:
    columns = schema.columns.values()
    assert schema.unique, "uniqueness is the schema's: a column's own is ignored"
    assert not [c.name for c in columns if c.unique or c.coerce or c.regex or not c.required]
    assert not schema.coerce
    assert not schema.drop_invalid_rows


def _checks(schema: pa.DataFrameSchema) -> list[pa.Check]:
    return [*schema.checks, *(check for column in schema.columns.values() for check in column.checks)]


@pytest.mark.parametrize("schema", schemas().values(), ids=schemas().keys())
def test_failure_cases_are_capped_whoever_validates(schema: pa.DataFrameSchema) -> None:
    assert {check.n_failure_cases for check in _checks(schema)} == {FAILURE_CASES}


@pytest.mark.parametrize("schema", schemas().values(), ids=schemas().keys())
def test_every_rule_has_a_name_of_its_own_and_a_description(schema: pa.DataFrameSchema) -> None:
    rules = rules_of(schema)
    assert len({rule.name for rule in rules}) == len(rules)
    assert all(rule.description and "\n" not in rule.description for rule in rules)


@pytest.mark.parametrize("ignored", ["unique", "coerce"])
def test_a_column_that_asks_for_what_is_ignored_is_refused(ignored: str) -> None:
    from staged_assets.validation.staged_table import staged_table

    with pytest.raises(pa.errors.SchemaInitError, match=f"offer_id.*{ignored}"):
        staged_table("offers", {"offer_id": pa.Column(INTEGER, **{ignored: True})})


def test_a_million_failures_are_counted_and_few_are_fetched(connection: duckdb.DuckDBPyConnection) -> None:
    connection.execute("set threads = 1")
    connection.execute(
        "create table t as select i as id, repeat('x', 200) || i as name, md5(i::varchar) as _raw_row_id"
        " from range(1000000) as n(i)"
    )
    schema = _schema({"name": optional(TEXT, value("short", "is short", lambda x: x.length() < 10))})
    scan, rules = Scan(lambda: schema), {rule.name: rule for rule in rules_of(schema)}
    tracemalloc.start()
    started = time.perf_counter()
    result = {r.rule.name: r for r in scan.evaluate(connection, "t", rules, mask=Mask(()), sample=5)}["name__short"]
    seconds, (_, peak) = time.perf_counter() - started, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert (result.failing, len(result.sample)) == (1_000_000, 5)
    assert peak < 20_000_000, f"{peak} bytes in Python: rows were pulled out of the engine ({seconds:.1f} s)"


def test_rules_can_be_evaluated_by_themselves(connection: duckdb.DuckDBPyConnection) -> None:
    good_rows.create(connection, "offers", "offers", rows=1)
    rules = {rule.name: rule for rule in schema_rules()["offers"] if rule.name == "max_usage__not_negative"}
    results = scan_of("offers").evaluate(connection, "offers", rules, mask=Mask(()), sample=3)
    assert [result.rule.name for result in results] == ["max_usage__not_negative"]


def test_an_error_of_the_engine_is_no_failed_check(connection: duckdb.DuckDBPyConnection) -> None:
    with pytest.raises(duckdb.CatalogException):
        _failed(connection, schemas()["offers"], "no_such_table")
