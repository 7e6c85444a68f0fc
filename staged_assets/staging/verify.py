"""The checks on what is published, dbt tests and table checks, after a refresh or by themselves."""

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked, Part
from staged_assets.errors import without_values
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.session import Session
from staged_assets.staging import control
from staged_assets.staging.outcomes import Outcome, TableChecks
from staged_assets.staging.project import DataTest, StagingProject, dataset_of
from staged_assets.staging.side_by_side import side_by_side

#: Raw row ids that the result of a dbt test names, at most.
SAMPLE = 5

#: What a data test asks of a column → the rule of the schema that asks the same, which an audit has answered.
_RULES_ALIKE = {"unique": "{}__unique", "not_null": "{}__required"}

#: Gives the SQL of dbt tests by name.
CompileTests = Callable[[list[str]], Mapping[str, str]]
#: Model → names of its checks.
Wanted = dict[str, set[str]]


@dataclass
class Verified:
    """What became of checks.

    Attributes:
        results: model → results.
        problems: model → a sentence about a check that could not be run, which says nothing about the data.
    """

    results: dict[str, list[Checked]] = field(default_factory=dict)
    problems: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """What an increment has changed of a model.

    Attributes:
        standing: check → its result before.
        published: the datasets that were published in the same refresh.
    """

    part: Part
    standing: Mapping[str, control.Standing]
    published: Collection[str]


class Verification:
    """Runs checks on what is published, and records what they say.

    Args:
        session: the connection to the warehouse.
        compile_tests: gives the SQL of dbt tests.
        tables: the checks beside the dbt tests.
    """

    def __init__(
        self, session: Session, project: StagingProject, compile_tests: CompileTests, tables: TableChecks | None
    ) -> None:
        self._session = session
        self._project = project
        self._tests = {test.name: test for test in project.tests()}
        self._compile_tests = compile_tests
        self._tables = tables

    def due(self, outcomes: Iterable[Outcome], ready: Collection[str]) -> Wanted:
        """What is to be checked after a refresh: what was published, and what has not been checked since it was.

        Args:
            ready: the datasets that are published, now or before.
        """
        known = control.checks(self._session.connection)
        outcomes = list(outcomes)
        published = {one.dataset for one in outcomes if one.dataset and one.status == "published"}
        wanted: Wanted = {}
        for outcome in outcomes:
            of_dataset = known[dataset_of(outcome.name)]
            if outcome.good:
                names = self._tests_due(outcome, of_dataset, ready)
                wanted.setdefault(outcome.name, set()).update(names)
            if outcome.dataset in ready and self._tables:
                names = {
                    check.name
                    for check in self._tables.of(str(outcome.dataset))
                    if check.of_time or check.name not in of_dataset or check.reads & published
                }
                wanted.setdefault(outcome.name, set()).update(names)
        return {model: names for model, names in wanted.items() if names}

    def _tests_due(self, outcome: Outcome, known: Collection[str], ready: Collection[str]) -> set[str]:
        return {
            name
            for name, test in self._tests.items()
            if test.model == outcome.name
            and test.datasets <= set(ready)
            and (outcome.status == "published" or name not in known)
        }

    def run(
        self, wanted: Mapping[str, Collection[str]], at: datetime, changes: Mapping[str, Changes] = {},
        audited: Mapping[str, Sequence[Checked]] = {},
    ) -> Verified:  # fmt: skip
        """Run checks, and record their results. What can't be run is a problem, and never a failed check.

        Args:
            changes: model → what alone has changed of it since its checks last were run.
            audited: model whose whole table was audited and is published → what was found of each rule.
        """
        found = Verified()
        queries = self._compile_tests([n for names in wanted.values() for n in sorted(names) if n in self._tests])
        there = control.tables(self._session.connection, "staged")
        records: list[tuple[str, control.Standing]] = []
        refreshes = self._tables.refreshes(self._session.connection) if self._tables else None

        def check(model: str, connection: DuckDBPyConnection) -> None:
            names, of_model = wanted[model], changes.get(model)
            of_part = {name for name in names if of_model and self._can_be_of_part(model, name, of_model, at)}
            for one in self._results(
                connection, model, names, of_part, queries, of_model, audited.get(model, ()), refreshes, found.problems
            ):
                found.results.setdefault(model, []).append(one)
                whole_at = of_model.standing[one.name].whole_at if of_model and one.name in of_part else at
                records.append((dataset_of(model), control.Standing(one, whole_at, self._version)))

        never = "was never published: run `staged-assets run` first"
        found.problems.update({model: f"{model} {never}" for model in wanted if model not in there})
        models = [model for model in wanted if model in there]
        if audited:
            side_by_side(self._session.connection, control.rows(self._session.connection, models), check)
        else:
            # What has changed is looked at, or nothing has: another connection costs more than it saves.
            for model in models:
                check(model, self._session.connection)
        control.record_checks(self._session.connection, records, at)
        return found

    @property
    def _version(self) -> str:
        return self._project.fingerprint + (self._tables.version if self._tables else "")

    def _can_be_of_part(self, model: str, name: str, changes: Changes, at: datetime) -> bool:
        """Whether all else that a check is about is known from its standing result."""
        standing = changes.standing.get(name)
        if standing is None or standing.whole_at is None or standing.version != self._version or not self._tables:
            return False
        test = self._tests.get(name)
        checks = self._tables.of(dataset_of(model))
        reads = test.datasets if test else next(check.reads for check in checks if check.name == name)
        return (
            at - standing.whole_at < self._tables.whole_every
            and not (set(reads) - {dataset_of(model)}) & set(changes.published)
            and not (test and standing.result.failing)
        )

    def _results(
        self, connection: DuckDBPyConnection, model: str, names: Collection[str], of_part: Collection[str],
        queries: Mapping[str, str], changes: Changes | None, audited: Sequence[Checked], refreshes: Any,
        problems: dict[str, str],
    ) -> Iterator[Checked]:  # fmt: skip
        for name in sorted(set(names) & queries.keys()):
            part = changes.part if changes and name in of_part else None
            test = self._tests[name]
            held = next((one for one in audited if one.name == _rule_alike(test) and one.status == "passed"), None)
            if held:
                yield replace(held, name=name, message=_told(test, 0, held.rows), query=queries[name])
                continue
            try:
                yield self._tested(connection, test, queries[name], part)
            except duckdb.Error as error:
                problems[model] = f"check {name} could not run: {without_values(str(error))}"
        others = set(names) - self._tests.keys()
        if not others or self._tables is None or model.removeprefix("stg_") not in DATASETS:
            return
        try:
            for listed, part in (
                (others & set(of_part), changes.part if changes else None),
                (others - set(of_part), None),
            ):
                if listed:
                    found = () if part else audited
                    yield from self._tables.evaluate(connection, dataset_of(model), listed, part, found, refreshes)
        except duckdb.Error as error:
            problems[model] = f"the checks of {model} could not run: {without_values(str(error))}"

    def _tested(self, connection: DuckDBPyConnection, test: DataTest, query: str, part: Part | None) -> Checked:
        """A data test, on all of its model or on what has changed of it."""
        started = time.perf_counter()
        looked_at = query.replace(test.relation, part.rows) if part else query
        sql = f"select (select count(*) from ({looked_at})), (select count(*) from staged.{test.model})"
        ((failing, rows),) = connection.execute(sql).fetchall()
        return Checked(
            test.name,
            "passed" if not failing else test.status,
            failing=failing,
            rows=rows,
            seconds=time.perf_counter() - started,
            column=test.column,
            message=_told(test, failing, rows),
            sample=self._sample(connection, test, query) if failing else (),
            query=query,
        )

    def _sample(self, connection: DuckDBPyConnection, test: DataTest, query: str) -> tuple[Mapping[str, str], ...]:
        """Raw row ids alone: values would have to be masked."""
        if test.column is None or "_raw_row_id" not in self._project.models[test.model]["columns"]:
            return ()
        found = connection.execute(
            f"""
            select checked._raw_row_id from staged.{test.model} as checked
            where exists (
                select 1 from ({query}) as found (value) where found.value is not distinct from checked.{test.column}
            )
            limit {SAMPLE}
            """
        ).fetchall()
        return tuple({"raw_row_id": row_id} for (row_id,) in found)


def _rule_alike(test: DataTest) -> str | None:
    return _RULES_ALIKE[test.kind].format(test.column) if test.kind in _RULES_ALIKE else None


def _told(test: DataTest, failing: int, rows: int) -> str:
    return f"{failing} of {rows} rows" if test.column else f"{failing} found in {rows} rows"
