"""An incremental refresh: what dbt has compiled, executed on one connection, and published in one transaction."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime

from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked, Part
from staged_assets.landing.land import transaction
from staged_assets.landing.session import Session, small_builds
from staged_assets.staging import control
from staged_assets.staging.compiled import CompiledModels, execute
from staged_assets.staging.outcomes import State
from staged_assets.staging.project import StagingProject

OnStep = Callable[[str, str], None]


class Increments:
    """The increments of one refresh.

    A dataset's batch (`work.base_<dataset>`) holds the new raw rows and every earlier one of the keys that they touch;
    from it the candidates are made, which replace what is published of these keys.

    Args:
        session: the connection to the warehouse.
        compiled: the models' SQL.
    """

    def __init__(self, session: Session, project: StagingProject, compiled: CompiledModels, on_step: OnStep) -> None:
        self._session = session
        self._project = project
        self._compiled = compiled
        self._on_step = on_step
        self._sql: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def prepare(self, states: Mapping[str, State]) -> None:
        """Have the SQL of these datasets' models ready.

        Raises:
            RefreshError: a model does not compile.
        """
        rules = {name: state.rules for name, state in states.items()}
        models = {name: [f"base_{name}", *self._project.audited_models(name)] for name in states}
        self._sql |= self._compiled.of(rules, models)

    def write(self, dataset: str, state: State, at: datetime) -> None:
        """Write a dataset's batch, and its candidates beside what is published.

        Raises:
            duckdb.Error: the engine could not do it.
        """
        with self._timed(dataset):
            drop_batch(self._session.connection, dataset)
            self._write(f"work.base_{dataset}", f"base_{dataset}", state, at)
            for model in self._project.audited_models(dataset):
                self._write(f"staged.{model}__candidate", model, state, at)

    def publish(self, dataset: str, upto: int, keep: Sequence[str]) -> None:
        """Replace what is published of the keys in the batch, all models of the dataset in one transaction.

        Args:
            upto: the highest landing id in the batch.
            keep: columns of the staged rows that are replaced, which will be asked for.

        Raises:
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        connection = self._session.connection
        with self._timed(dataset), transaction(connection):
            where = self._replaced(f"stg_{dataset}", dataset)
            connection.execute(
                f"create or replace table work.replaced_{dataset} as"
                f" select {', '.join([*keep, '1 as _one'])} from staged.stg_{dataset} where {where}"
            )
            self._count(dataset, upto)
            for model in self._project.audited_models(dataset):
                self._on_step("publish", model)
                connection.execute(f"delete from staged.{model} where {self._replaced(model, dataset)}")
                connection.execute(f"insert into staged.{model} by name select * from staged.{model}__candidate")

    def _count(self, dataset: str, upto: int) -> None:
        """Where the dispositions were counted: count those that change."""
        connection = self._session.connection
        kept = control.counted(connection, dataset)
        if kept is None:
            return control.keep_count(connection, dataset, None)
        candidate = f"staged.dispositions_{dataset}__candidate"
        replaced = f"staged.dispositions_{dataset} where {self._replaced(f'dispositions_{dataset}', dataset)}"
        gone, come = (control.count_of(connection, r) for r in (f"(from {replaced})", candidate))
        control.keep_count(connection, dataset, kept.changed(upto, gone, come))

    def touch(self, companion: str, dataset: str) -> None:
        """Before a dataset is published: note which of a companion's rows that will change.

        From here on the companion is not current: if this refresh dies, the next one makes it wholly.
        """
        connection = self._session.connection
        control.forget_companion(connection, companion)
        config = self._project.models[companion]["config"]
        replaced = self._replaced(f"stg_{dataset}", dataset)
        with small_builds(connection):
            connection.execute(
                f"""
                create or replace table {_touched(companion)} as
                select distinct {config["touched"]} from (
                    select * from staged.stg_{dataset} where {replaced}
                    union all by name
                    select * from staged.stg_{dataset}__candidate
                )
                """
            )

    def make(self, companion: str, rules: str) -> None:
        """After it was published: make these rows of a companion anew.

        Raises:
            RefreshError: the companion does not compile.
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        sql = self._compiled.of({companion: rules}, {companion: [companion]})[companion]
        condition = str(self._project.models[companion]["config"]["replaces"])
        connection = self._session.connection
        self._on_step("publish", companion)
        with self._timed(companion), transaction(connection):
            connection.execute(f"delete from staged.{companion} where {condition}")
            connection.execute(
                f"insert into staged.{companion} by name select * from ({sql}) as {companion} where {condition}"
            )

    def part(self, dataset: str, state: State, standing: Mapping[str, Checked]) -> Part:
        """What was published of a dataset, for its checks.

        Args:
            standing: the results of its checks before.
        """
        connection = self._session.connection
        table = f"staged.stg_{dataset}"
        where = self._replaced(f"stg_{dataset}", dataset)
        changed = f"from {table} where rowid in (select rowid from {table} where {where})"
        with small_builds(connection):
            connection.execute(f"create or replace table work.changed_{dataset} as {changed}")
        counted = control.counted(connection, dataset)
        dispositions = counted.dispositions if counted else None
        return Part(
            f"work.changed_{dataset}",
            f"work.replaced_{dataset}",
            state.after,
            state.upto,
            state.watermark,
            dispositions,
            standing,
        )

    def part_of_companion(self, companion: str) -> Part:
        """What was made anew of a companion, for its checks."""
        condition = self._project.models[companion]["config"]["replaces"]
        rows = f"(select * from staged.{companion} where {condition})"
        return Part(rows, rows, 0, 0, 0, None, {})

    def forget(self, datasets: Iterable[str], companions: Iterable[str]) -> None:
        """Drop what was kept for publishing and verifying; the candidates last, by which `left_behind` knows of it."""
        tables = [*map(_touched, companions)]
        tables += [f"work.{kept}_{name}" for name in datasets for kept in ("replaced", "changed")]
        tables += [f"staged.{candidate}" for name in datasets for candidate in self._candidates(name)]
        self._session.connection.execute("; ".join(f"drop table if exists {table}" for table in tables))

    def left_behind(self, datasets: Iterable[str]) -> list[str]:
        """Those of these datasets whose candidates are there: a refresh was killed when it had published them."""
        there = control.tables(self._session.connection, "staged")
        return [name for name in datasets if not there.isdisjoint(self._candidates(name))]

    def _candidates(self, dataset: str) -> list[str]:
        return [f"{model}__candidate" for model in self._project.audited_models(dataset)]

    def _write(self, table: str, model: str, state: State, at: datetime) -> None:
        self._on_step("write", model)
        sql = f"create or replace table {table} as {self._sql[model]}"
        execute(self._session.connection, sql, after=state.after, upto=state.upto, at=at)

    def changed_rows(self, model: str, dataset: str) -> str:
        """SQL condition for the published rows of a model that the increment of a dataset has changed."""
        if model in self._project.audited_models(dataset):
            return self._replaced(model, dataset)
        return str(self._project.models[model]["config"]["replaces"])

    def _replaced(self, model: str, dataset: str) -> str:
        condition = str(self._project.models[model]["config"]["replaces"])
        return condition.replace("{base}", f"work.base_{dataset}").replace("{candidate}", f"staged.{model}__candidate")

    @contextmanager
    def _timed(self, dataset: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            with small_builds(self._session.connection):
                yield
        finally:
            self.seconds[dataset] = self.seconds.get(dataset, 0.0) + time.perf_counter() - started


def _touched(companion: str) -> str:
    """As the macro `touched` calls it."""
    return f"work.touched_{companion}"


def drop_batch(connection: DuckDBPyConnection, dataset: str) -> None:
    """A full refresh may have left the batch as a view, which no table can replace."""
    found = connection.execute(
        "select view_name from duckdb_views() where schema_name = 'work' and view_name = ?", [f"base_{dataset}"]
    ).fetchall()
    if found:
        connection.execute(f"drop view work.base_{dataset}")
