"""The checks on what is published, dbt tests and whole-table checks, after a refresh or by themselves."""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked, Status
from staged_assets.errors import without_values
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging import control
from staged_assets.staging.dbt_runner import NodeResult
from staged_assets.staging.outcomes import Outcome, TableChecks
from staged_assets.staging.project import DataTest, StagingProject, dataset_of

#: Raw row ids that the result of a dbt test names, at most.
SAMPLE = 5

RunTests = Callable[[list[str]], Mapping[str, NodeResult]]
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

    def add(self, model: str, result: Checked) -> None:
        """One more result."""
        self.results.setdefault(model, []).append(result)


class Verification:
    """Runs checks on what is published, and records what they say.

    Args:
        run_tests: runs dbt tests by name.
        tables: the checks beside the dbt tests.
    """

    def __init__(
        self, settings: Settings, project: StagingProject, run_tests: RunTests, tables: TableChecks | None
    ) -> None:
        self._settings = settings
        self._tests = {test.name: test for test in project.tests()}
        self._tables = tables
        self._with_row_ids = {name for name, node in project.models().items() if "_raw_row_id" in node["columns"]}
        self._run_tests = run_tests

    def due(self, outcomes: Iterable[Outcome], ready: Collection[str]) -> Wanted:
        """What is to be checked after a refresh: what was published, and what has not been checked since it was.

        Args:
            ready: the datasets that are published, now or before.
        """
        with connect(self._settings, read_only=True) as connection:
            known = control.checks(connection)
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

    def run(self, wanted: Mapping[str, Collection[str]], at: datetime) -> Verified:
        """Run checks, and record their results. What can't be run is a problem, and never a failed check."""
        found = Verified()
        with connect(self._settings, read_only=True) as connection:
            missing = [model for model in wanted if not control.table_exists(connection, "staged", model)]
        found.problems = {m: f"{m} was never published: run `staged-assets run` first" for m in missing}
        there = {model: set(names) for model, names in wanted.items() if model not in missing}
        tests = [name for names in there.values() for name in sorted(names) if name in self._tests]
        results = self._run_tests(tests) if tests else {}
        with connect(self._settings, read_only=True) as connection:
            self._note_tests(connection, results, found)
            for model, names in there.items():
                self._evaluate(connection, model, names - self._tests.keys(), found)
        records = [(dataset_of(model), one) for model, listed in found.results.items() for one in listed]
        with connect(self._settings) as connection:
            control.record_checks(connection, records, at)
        return found

    def _evaluate(self, connection: DuckDBPyConnection, model: str, names: Collection[str], found: Verified) -> None:
        if not names or self._tables is None or model.removeprefix("stg_") not in DATASETS:
            return
        try:
            for one in self._tables.evaluate(connection, model.removeprefix("stg_"), names):
                found.add(model, one)
        except duckdb.Error as error:
            found.problems[model] = f"the checks of {model} could not run: {without_values(str(error))}"

    def _note_tests(self, connection: DuckDBPyConnection, results: Mapping[str, NodeResult], found: Verified) -> None:
        rows: dict[str, int] = {}
        for name, result in results.items():
            test = self._tests[name]
            if not result.succeeded:
                found.problems[test.model] = f"check {name} could not run: {result.message}"
                continue
            if test.model not in rows:
                rows[test.model] = control.rows(connection, test.model) or 0
            found.add(test.model, self._checked(connection, test, result, rows[test.model]))

    def _checked(self, connection: DuckDBPyConnection, test: DataTest, result: NodeResult, rows: int) -> Checked:
        statuses: dict[str, Status] = {"pass": "passed", "warn": "warned"}
        status = statuses.get(result.status, "failed")
        failing = result.failures or 0
        return Checked(
            test.name,
            status,
            failing=failing,
            rows=rows,
            seconds=result.seconds,
            column=test.column,
            message=f"{failing} of {rows} rows" if test.column else f"{failing} found in {rows} rows",
            sample=() if status == "passed" else self._sample(connection, test, result.query),
            query=result.query,
        )

    def _sample(self, connection: DuckDBPyConnection, test: DataTest, query: str) -> tuple[Mapping[str, str], ...]:
        """Raw row ids alone: values would have to be masked."""
        if test.column is None or test.model not in self._with_row_ids:
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
