"""A Pandera schema evaluated on a table in the engine: the rules counted together in one scan.

Pandera makes each check's expression and judges the table's structure. Left to run by itself it would send one query
for each check, and fetch a column of booleans of the whole table for each that fails; so the expressions are counted
together here, and only what fails is looked at again, for a capped sample.
"""

import functools
import time
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import ibis
import ibis.expr.operations as ops
import ibis.expr.types as ir
import pandera.ibis as pa
from duckdb import DuckDBPyConnection
from ibis.backends.sql.datatypes import DuckDBType
from pandera.config import ValidationDepth, config_context

from staged_assets.validation.masking import Mask
from staged_assets.validation.registry import COLUMNS_RULE, keys_of, schemas, unique_rule
from staged_assets.validation.results import Rule, RuleResult
from staged_assets.validation.vocabulary import Expectation

_RELATION = "__the_relation__"
_ROW_ID = "_raw_row_id"
_ROWS = "__rows__"


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


@dataclass(frozen=True)
class _Problem:
    """What is wrong with a column; one that is unreadable can't be judged by rules."""

    column: str
    message: str
    unreadable: bool = False


@dataclass(frozen=True)
class Changed:
    """What has changed of a table whose rest is known.

    Attributes:
        rows: a relation with the table's columns: rows that changed; of each key either all its rows or none.
        total: rows of the whole table.
        rest: rule → how many of the other rows break it.
    """

    rows: str
    total: int
    rest: Mapping[str, int]


class Scan:
    """A schema, made ready to be evaluated on any table."""

    def __init__(self, schema: pa.DataFrameSchema) -> None:
        self._schema = schema
        types = {name: column.dtype.type for name, column in schema.columns.items()}
        self._table = ibis.table(types, name=_RELATION)
        self._counted = dict(self._count_rules())
        self._compiled: dict[tuple[str, ...], str] = {}

    def evaluate(
        self, connection: DuckDBPyConnection, relation: str, rules: Mapping[str, Rule], *, mask: Mask, sample: int,
        changed: "Changed | None" = None,
    ) -> list[RuleResult]:  # fmt: skip
        """Evaluate rules on a table.

        Args:
            relation: the table, with its schema.
            rules: by name, those to be evaluated, as they are configured.
            mask: how values are shown in samples.
            sample: failing rows that are fetched for each rule, at most.
            changed: what is to be looked at, where the rest of the table is known.

        Returns:
            one result for each rule, in the order of `rules`.

        Raises:
            duckdb.Error: the engine could not do it; that says nothing about the data.
        """
        wrong = self._wrong_columns(connection, relation)
        unreadable = {problem.column for problem in wrong if problem.unreadable}
        possible = [name for name in rules if name in self._counted and not unreadable & self._reads(name)]
        looked_at = changed.rows if changed else relation
        rows, failing, seconds = self._count(connection, looked_at, possible)
        if changed:
            rows = changed.total
            failing = {name: self._with_rest(name, number, changed.rest[name]) for name, number in failing.items()}
        results = []
        for name, rule in rules.items():
            if name == COLUMNS_RULE:
                results.append(_structure_result(rule, wrong, rows, relation))
            elif name not in failing:
                because = "; ".join(p.message for p in wrong if p.unreadable and p.column in self._reads(name))
                results.append(RuleResult(rule, False, None, rows, 0.0, message=f"not evaluated: {because}"))
            else:
                result = self._result(connection, (looked_at, relation), rule, rows, failing[name], mask, sample)
                results.append(replace(result, seconds=result.seconds + seconds[name]))
        return results

    def failing(self, connection: DuckDBPyConnection, relation: str, names: Sequence[str]) -> dict[str, int]:
        """Rule → how many rows of a relation with the table's columns break it; without rules that no row breaks."""
        wanted = [name for name in names if name in self._counted and self._is_of_rows(name)]
        return self._count(connection, relation, wanted)[1]

    def _with_rest(self, name: str, failing: int, rest: int) -> int:
        return rest + failing if self._is_of_rows(name) else rest

    def _is_of_rows(self, name: str) -> bool:
        """Whether what is counted is rows, so that counts of two parts of a table add up."""
        expected = self._counted[name].expectation
        return expected is None or expected.of_rows

    def prepare(self, rules: Collection[str]) -> None:
        """Make ready what `evaluate` asks for these rules of a table that has all columns."""
        for group in self._groups([name for name in rules if name in self._counted]):
            self._counting(group)

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

    def _reads(self, name: str) -> set[str]:
        return set(self._counted[name].columns) if name in self._counted else set()

    def _count(
        self, connection: DuckDBPyConnection, relation: str, names: Sequence[str]
    ) -> tuple[int, dict[str, int], dict[str, float]]:
        """Rows of the table; by rule, failing rows, and the seconds of the query that counted them.

        Repetitions are counted apart: their hash table is as large as the column, and gone before the others begin.
        """
        rows, failing, seconds = 0, {}, {}
        for group in self._groups(names):
            started = time.perf_counter()
            row = connection.execute(_on(self._counting(group), relation)).fetchone()
            rows, *counts = row or (0,)
            failing.update({name: int(count or 0) for name, count in zip(group, counts, strict=True)})
            seconds.update(dict.fromkeys(group, time.perf_counter() - started))
        return int(rows), failing, seconds

    def _groups(self, names: Sequence[str]) -> list[tuple[str, ...]]:
        together = tuple(name for name in names if not self._counted[name].apart)
        return [*((name,) for name in names if self._counted[name].apart), together]

    def _counting(self, names: tuple[str, ...]) -> str:
        if names not in self._compiled:
            counts = {_ROWS: self._table.count(), **{name: self._counted[name].failing for name in names}}
            self._compiled[names] = _sql(self._table.aggregate(**counts))
        return self._compiled[names]

    def _result(
        self, connection: DuckDBPyConnection, relations: tuple[str, str], rule: Rule, rows: int, failing: int,
        mask: Mask, sample: int,
    ) -> RuleResult:  # fmt: skip
        """Of two relations the first is looked at for a sample, the second one is in the query for all rows."""
        looked_at, relation = relations
        counted = self._counted[rule.name]
        expected = counted.expectation
        if expected is not None:
            limit = expected.at_most if rule.at_most is None else rule.at_most
            passed = bool(expected.allowing(limit).holds(failing, rows))
            query = _on(_sql(counted.rows), relation)
            message = f"{failing} of {rows} rows, at most {limit:.1%} are expected"
            return RuleResult(rule, passed, failing, rows, 0.0, query=query, message=message)
        if failing == 0:
            return RuleResult(rule, True, 0, rows, 0.0, message=f"0 of {rows} rows fail")
        started = time.perf_counter()
        columns = list(dict.fromkeys((_ROW_ID, *counted.columns)))
        found = connection.execute(_on(_sql(counted.rows.select(columns).limit(sample)), looked_at)).fetchall()
        return RuleResult(
            rule,
            passed=False,
            failing=failing,
            looked_at=rows,
            seconds=time.perf_counter() - started,
            sample=tuple(_shown(columns, row, mask) for row in found),
            query=_on(_sql(counted.rows), relation),
            message=f"{failing} of {rows} rows fail: {rule.description}",
        )

    def _wrong_columns(self, connection: DuckDBPyConnection, relation: str) -> list[_Problem]:
        """What is wrong with the columns; Pandera judges the table's structure, which takes no look at a row."""
        found = connection.execute(f"describe {relation}").fetchall()
        table = ibis.table({name: DuckDBType.from_string(kind) for name, kind, *_ in found}, name=_RELATION)
        try:
            with config_context(validation_depth=ValidationDepth.SCHEMA_ONLY):
                self._schema.validate(table, lazy=True)
        except pa.errors.SchemaErrors as errors:
            return [_problem(error) for error in errors.schema_errors]
        return []


@functools.cache
def scan_of(dataset: str) -> Scan:
    """The schema of a dataset, made ready once for a process's life."""
    return Scan(schemas()[dataset])


def _fields(expression: ir.Value) -> tuple[str, ...]:
    return tuple(dict.fromkeys(field.name for field in expression.op().find(ops.Field)))


def _sql(expression: ir.Expr) -> str:
    return str(ibis.to_sql(expression, dialect="duckdb"))


def _on(sql: str, relation: str) -> str:
    return sql.replace(f'"{_RELATION}"', relation)


def _shown(columns: Sequence[str], row: Sequence[object], mask: Mask) -> dict[str, str]:
    values = dict(zip(columns, row, strict=True))
    row_id = str(values.pop(_ROW_ID))
    return {"raw_row_id": row_id, **{name: mask.shown(name, value) for name, value in values.items()}}


def _problem(error: pa.errors.SchemaError) -> _Problem:
    match error.reason_code:
        case pa.errors.SchemaErrorReason.WRONG_DATATYPE:
            column, kind = str(error.schema.name), error.schema.dtype
            return _Problem(column, f"{column} is {error.failure_cases}, not {kind}", unreadable=True)
        case pa.errors.SchemaErrorReason.COLUMN_NOT_IN_DATAFRAME:
            return _Problem(str(error.failure_cases), f"{error.failure_cases} is missing", unreadable=True)
        case pa.errors.SchemaErrorReason.COLUMN_NOT_IN_SCHEMA:
            return _Problem(str(error.failure_cases), f"{error.failure_cases} is not a column of the schema")
        case _:
            return _Problem(str(error.failure_cases), f"{error.failure_cases} is not in its place")


def _structure_result(rule: Rule, wrong: Sequence[_Problem], rows: int, relation: str) -> RuleResult:
    return RuleResult(
        rule,
        passed=not wrong,
        failing=len(wrong),
        looked_at=rows,
        seconds=0.0,
        sample=tuple({"column": problem.column, "problem": problem.message} for problem in wrong),
        query=f"describe {relation}",
        message="; ".join(problem.message for problem in wrong) or "all columns are as stated",
    )
