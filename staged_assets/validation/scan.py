"""A schema's rules evaluated on a table in the engine: counted together in one scan.

Only what fails is looked at again, for a capped sample. The SQL is made of the Pandera schema once for each state of
the schemas and kept, so that Pandera and ibis need not be imported for it.
"""

import functools
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from duckdb import DuckDBPyConnection

from staged_assets.kept import keep, kept
from staged_assets.sources.expressions import quoted
from staged_assets.validation.masking import Mask
from staged_assets.validation.registry import COLUMNS_RULE, rules_fingerprint, schemas
from staged_assets.validation.results import Rule, RuleResult

if TYPE_CHECKING:
    import pandera.ibis as pa

    from staged_assets.validation.schema_sql import SchemaSql

#: What the table is called in the SQL.
RELATION = "__the_relation__"
_ROW_ID = "_raw_row_id"


@dataclass(frozen=True)
class RuleSql:
    """What is asked of a table for a rule.

    Attributes:
        columns: those that it reads.
        rows: SQL of the rows that break it; for an expectation, which no row breaks by itself, of the two counts.
        apart: whether it is counted by a query of its own.
        at_most: of an expectation of the table as a whole, the share of rows that may be so; None: a rule of its rows.
        minimum_rows: of an expectation: in a smaller table everything is as expected.
        of_rows: whether what is counted is rows, so that counts of two parts of a table add up.
    """

    columns: tuple[str, ...]
    rows: str
    apart: bool
    at_most: float | None = None
    minimum_rows: int = 0
    of_rows: bool = True


@dataclass(frozen=True)
class Problem:
    """What is wrong with a column; one that is unreadable can't be judged by rules."""

    column: str
    message: str
    unreadable: bool = False


@dataclass
class _Known:
    """What was made of a schema so far.

    Attributes:
        rules: by name.
        counting: names of rules that are counted together → the SQL for it.
        columns: names and types of a table that were found to be as the schema says.
    """

    rules: dict[str, RuleSql]
    counting: dict[str, str] = field(default_factory=dict)
    columns: list[tuple[str, str]] | None = None

    @staticmethod
    def read(found: Mapping[str, Any]) -> "_Known":
        rules = {name: RuleSql(**{**rule, "columns": tuple(rule["columns"])}) for name, rule in found["rules"].items()}
        columns = [(name, kind) for name, kind in found["columns"]] if found["columns"] else None
        return _Known(rules, found["counting"], columns)


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
    """A schema, to be evaluated on any table.

    Args:
        schema: gives it, where it must be looked at.
        kept: where what is made of it is kept, if anywhere.
    """

    def __init__(self, schema: Callable[[], "pa.DataFrameSchema"], kept: Path | None = None) -> None:
        self._schema = schema
        self._kept = kept

    @functools.cached_property
    def _sql(self) -> "SchemaSql":
        from staged_assets.validation.schema_sql import SchemaSql

        return SchemaSql(self._schema())

    @functools.cached_property
    def _known(self) -> _Known:
        found = kept(self._kept) if self._kept else None
        return _Known.read(found) if found else _Known(self._sql.rules())

    def _keep(self) -> None:
        if self._kept is not None:
            keep(self._kept, asdict(self._known))

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
        possible = [name for name in rules if name in self._known.rules and not unreadable & self._reads(name)]
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
        wanted = [name for name in names if name in self._known.rules and self._is_of_rows(name)]
        return self._count(connection, relation, wanted)[1]

    def _with_rest(self, name: str, failing: int, rest: int) -> int:
        return rest + failing if self._is_of_rows(name) else rest

    def _is_of_rows(self, name: str) -> bool:
        """Whether what is counted is rows, so that counts of two parts of a table add up."""
        return self._known.rules[name].of_rows

    def prepare(self, rules: Collection[str]) -> None:
        """Make ready what `evaluate` asks for these rules of a table that has all columns."""
        for group in self._groups([name for name in rules if name in self._known.rules]):
            self._counting(group)

    def _reads(self, name: str) -> set[str]:
        return set(self._known.rules[name].columns) if name in self._known.rules else set()

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
        together = tuple(name for name in names if not self._known.rules[name].apart)
        return [*((name,) for name in names if self._known.rules[name].apart), together]

    def _counting(self, names: tuple[str, ...]) -> str:
        key = "|".join(names)
        if key not in self._known.counting:
            self._known.counting[key] = self._sql.counting(names)
            self._keep()
        return self._known.counting[key]

    def _result(
        self, connection: DuckDBPyConnection, relations: tuple[str, str], rule: Rule, rows: int, failing: int,
        mask: Mask, sample: int,
    ) -> RuleResult:  # fmt: skip
        """Of two relations the first is looked at for a sample, the second one is in the query for all rows."""
        looked_at, relation = relations
        counted = self._known.rules[rule.name]
        query = _on(counted.rows, relation)
        if counted.at_most is not None:
            limit = counted.at_most if rule.at_most is None else rule.at_most
            passed = failing <= rows * limit or rows < counted.minimum_rows
            message = f"{failing} of {rows} rows, at most {limit:.1%} are expected"
            return RuleResult(rule, passed, failing, rows, 0.0, query=query, message=message)
        if failing == 0:
            return RuleResult(rule, True, 0, rows, 0.0, message=f"0 of {rows} rows fail")
        started = time.perf_counter()
        columns = list(dict.fromkeys((_ROW_ID, *counted.columns)))
        names = ", ".join(map(quoted, columns))
        rows_of = f"select {names} from ({_on(counted.rows, looked_at)}) limit {sample}"
        found = connection.execute(rows_of).fetchall()
        return RuleResult(
            rule,
            passed=False,
            failing=failing,
            looked_at=rows,
            seconds=time.perf_counter() - started,
            sample=tuple(_shown(columns, row, mask) for row in found),
            query=query,
            message=f"{failing} of {rows} rows fail: {rule.description}",
        )

    def _wrong_columns(self, connection: DuckDBPyConnection, relation: str) -> list[Problem]:
        described = connection.execute(f"describe {relation}").fetchall()
        columns = [(str(name), str(kind)) for name, kind, *_ in described]
        if columns == self._known.columns:
            return []
        wrong = self._sql.wrong_columns(columns)
        if not wrong:
            self._known.columns = columns
            self._keep()
        return wrong


@functools.cache
def scan_of(dataset: str, home: Path | None = None) -> Scan:
    """The schema of a dataset, made ready once for a process's life.

    Args:
        home: where what is made of it is kept while the schemas are the same.
    """
    kept = home / "validation" / f"{dataset}-{rules_fingerprint()}.json" if home else None
    return Scan(lambda: schemas()[dataset], kept)


def _on(sql: str, relation: str) -> str:
    return sql.replace(f'"{RELATION}"', relation)


def _shown(columns: Sequence[str], row: Sequence[object], mask: Mask) -> dict[str, str]:
    values = dict(zip(columns, row, strict=True))
    row_id = str(values.pop(_ROW_ID))
    return {"raw_row_id": row_id, **{name: mask.shown(name, value) for name, value in values.items()}}


def _structure_result(rule: Rule, wrong: Sequence[Problem], rows: int, relation: str) -> RuleResult:
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
