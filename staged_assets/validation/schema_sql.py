"""A Pandera schema as SQL: what counts the rows that break its rules, and what finds them.

Pandera makes each check's expression and judges the table's structure. Left to run by itself it would send one query
for each check, and fetch a column of booleans of the whole table for each that fails.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandera.ibis as pa
from ibis.backends.sql.datatypes import DuckDBType
from pandera.config import ValidationDepth, config_context

from staged_assets.validation.registry import keys_of, unique_rule
from staged_assets.validation.scan import RELATION, Problem, RuleSql
from staged_assets.validation.vocabulary import Expectation


@dataclass(frozen=True)
class _Counted:
    """How a rule is counted.

    Attributes:
        columns: those that it reads.
        failing: how many rows break it (an aggregate).
        rows: the rows that break it; for an expectation, which no row breaks by itself, the two counts.
        expectation: what is expected of the table, None for a rule of its rows.
        apart: whether it is counted by a query of its own.
    """

    columns: tuple[str, ...]
    failing: ir.Value
    rows: ir.Table
    expectation: Expectation | None = None
    apart: bool = False


class SchemaSql:
    """The SQL of one schema, in which the table is called `RELATION`."""

    def __init__(self, schema: pa.DataFrameSchema) -> None:
        self._schema = schema
        types = {name: column.dtype.type for name, column in schema.columns.items()}
        self._table = ibis.table(types, name=RELATION)
        self._counted = dict(self._count_rules())

    def rules(self) -> dict[str, RuleSql]:
        """Rule → what is asked of a table for it."""
        return {name: self._rule(counted) for name, counted in self._counted.items()}

    @staticmethod
    def _rule(counted: _Counted) -> RuleSql:
        expected = counted.expectation
        limits = (expected.at_most, expected.minimum_rows, expected.of_rows) if expected else ()
        return RuleSql(counted.columns, _sql(counted.rows), counted.apart, *limits)

    def counting(self, names: Sequence[str]) -> str:
        """SQL that gives one row: how many rows the table has, then how many of them break each rule."""
        counts = {"__rows__": self._table.count(), **{name: self._counted[name].failing for name in names}}
        return _sql(self._table.aggregate(**counts))

    def _count_rules(self) -> list[tuple[str, _Counted]]:
        table, schema = self._table, self._schema
        found = [(unique_rule(columns), self._count_repeats(columns)) for columns in keys_of(schema)]
        for name, column in schema.columns.items():
            if not column.nullable:
                failing = table.count() - table[name].count()
                rows = table.filter(table[name].isnull())
                found.append((f"{name}__required", _Counted((name,), failing, rows)))
            for check in column.checks:
                found.append((f"{name}__{check.name}", self._count_check(check, name)))
        return [*found, *((str(check.name), self._count_check(check, None)) for check in schema.checks)]

    def _count_check(self, check: pa.Check, column: str | None) -> _Counted:
        expected = (check.statistics or {}).get("expectation")
        if expected is not None:
            counted = expected.counted(self._table)
            counts = self._table.aggregate(counted=counted, rows=self._table.count())
            return _Counted(_fields(counted), counted, counts, expected)
        # Pandera's own evaluation of the check. Passing rows are counted: what a check leaves NULL has failed.
        passes = check(self._table, column).check_output
        failing = self._table.count() - passes.sum().fill_null(0)
        return _Counted(_fields(passes), failing, self._table.filter(~passes.fill_null(False)))

    def _count_repeats(self, columns: Sequence[str]) -> _Counted:
        table = self._table
        key = table[columns[0]] if len(columns) == 1 else ibis.struct({name: table[name] for name in columns})
        repeated = table.group_by(columns).having(table.count() > 1).agg()
        rows = table.semi_join(repeated, list(columns))
        return _Counted(tuple(columns), key.count() - key.nunique(), rows, apart=True)

    def wrong_columns(self, columns: Sequence[tuple[str, str]]) -> list[Problem]:
        """What is wrong with a table's columns; Pandera judges its structure, which takes no look at a row.

        Args:
            columns: the table's, with their types as the engine names them.
        """
        table = ibis.table({name: DuckDBType.from_string(kind) for name, kind in columns}, name=RELATION)
        try:
            with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
                self._schema.validate(table, lazy=True)
        except pa.errors.SchemaErrors as errors:
            return [_problem(error) for error in errors.schema_errors]
        return []


def _fields(expression: ir.Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(field.name for field in expression.op().find(ops.Field)))


def _sql(expression: ir.Expr) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _problem(error: pa.errors.SchemaError) -> Problem:
    match error.reason_code:
        case pa.errors.SchemaErrorReason.WRONG_DATATYPE:
            column, kind = str(error.schema.name), error.schema.dtype
            return Problem(column, f"{column} is {error.failure_cases}, not {kind}", unreadable=True)
        case pa.errors.SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
            return Problem(str(error.failure_cases), f"{error.failure_cases} is missing", unreadable=True)
        case pa.errors.SchemaErrorReason.COLUMN_NOT_IN_SCHEMA:
            return Problem(str(error.failure_cases), f"{error.failure_cases} is not a column of the schema")
        case _:
            return Problem(str(error.failure_cases), f"{error.failure_cases} is not in its place")
