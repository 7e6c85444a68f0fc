"""An incremental refresh: what dbt has compiled, executed on one connection, and published in one transaction."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from staged_assets.checked import Checked, Part
from staged_assets.landing.session import Session, small_builds
from staged_assets.landing.warehouse import transaction
from staged_assets.staging import control
from staged_assets.staging.compiled import CompiledModels, Values, Wanted
from staged_assets.staging.outcomes import State
from staged_assets.staging.project import StagingProject
from staged_assets.staging.writing import OnStep, Writer, candidate, drop_batch


class Increments(Writer):
    """The increments of one refresh.

    A dataset's batch (`work.base_<dataset>`) holds the new raw rows and every earlier one of the keys that they touch;
    from it the candidates are made, which replace what is published of these keys.
    """

    def __init__(self, session: Session, project: StagingProject, compiled: CompiledModels, on_step: OnStep) -> None:
        super().__init__(session, project, compiled, on_step)
        self._replaced_rows: dict[str, int] = {}

    def prepare(self, states: Mapping[str, State], companions: Mapping[str, str]) -> None:
        """Have the SQL of all models ready that are to be made.

        Args:
            companions: name → version of its rules.

        Raises:
            RefreshError: a model does not compile.
        """
        self._prepare(self._wanted(states, companions))

    def prepare_ahead(self, states: Mapping[str, State], companions: Mapping[str, str]) -> None:
        """After dbt has compiled what makes them wholly: have it compile what their next increments will need.

        Args:
            companions: name → version of its rules; those of which only a part can be made are taken.

        Raises:
            RefreshError: a model does not compile.
        """
        in_parts = {name: rules for name, rules in companions.items() if self._config(name).get("touched_by")}
        self._compiled.ahead(self._wanted(states, in_parts))

    def _wanted(self, states: Mapping[str, State], companions: Mapping[str, str]) -> list[Wanted]:
        datasets = [
            Wanted(name, state.rules, "incremental", [f"base_{name}", *self._project.audited_models(name)])
            for name, state in states.items()
        ]
        return datasets + [Wanted(name, rules, "incremental", [name]) for name, rules in companions.items()]

    def write(self, dataset: str, state: State, at: datetime) -> None:
        """Write a dataset's batch, and its candidates beside what is published.

        Raises:
            duckdb.Error: the engine could not do it.
        """
        values = Values(state.after, state.upto, at)
        with self._timed(dataset):
            drop_batch(self._connection, dataset)
            self._write(f"work.base_{dataset}", f"base_{dataset}", values, self._connection)
            for model in self._project.audited_models(dataset):
                self._write(candidate(model), model, values, self._connection)

    def publish(self, dataset: str, upto: int, keep: Sequence[str]) -> None:
        """Replace what is published of the keys in the batch, all models of the dataset in one transaction.

        Args:
            upto: the highest landing id in the batch.
            keep: columns of the staged rows that are replaced, which will be asked for.

        Raises:
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        connection = self._connection
        with self._timed(dataset), transaction(connection):
            where = self._replaced(f"stg_{dataset}", dataset)
            kept = "*" if "*" in keep else ", ".join(["1 as _one", *keep])
            sql = f"select {kept} from staged.stg_{dataset} where {where}"
            ((rows,),) = connection.execute(f"create or replace table work.replaced_{dataset} as {sql}").fetchall()
            self._replaced_rows[dataset] = rows
            self._count(dataset, upto)
            for model in self._project.audited_models(dataset):
                self._on_step("publish", model)
                connection.execute(f"delete from staged.{model} where {self._replaced(model, dataset)}")
                connection.execute(f"insert into staged.{model} by name select * from {candidate(model)}")

    def _count(self, dataset: str, upto: int) -> None:
        """Where the dispositions were counted: count those that change."""
        connection = self._connection
        kept = control.counted(connection, dataset)
        if kept is None:
            return control.keep_count(connection, dataset, None)
        come_from = candidate(f"dispositions_{dataset}")
        replaced = f"staged.dispositions_{dataset} where {self._replaced(f'dispositions_{dataset}', dataset)}"
        gone, come = (control.count_of(connection, r) for r in (f"(from {replaced})", come_from))
        control.keep_count(connection, dataset, kept.changed(upto, gone, come))

    def touch(self, companion: str, dataset: str) -> None:
        """Before a dataset is published: note which of a companion's rows that will change.

        From here on the companion is not current: if this refresh dies, the next one makes it wholly.
        """
        connection = self._connection
        control.forget_companion(connection, companion)
        config = self._config(companion)
        replaced = self._replaced(f"stg_{dataset}", dataset)
        with small_builds(connection):
            connection.execute(
                f"""
                create or replace table {_touched(companion)} as
                select distinct {config["touched"]} from (
                    select * from staged.stg_{dataset} where {replaced}
                    union all by name
                    select * from {candidate(f"stg_{dataset}")}
                )
                """
            )

    def can_make(self, companion: str) -> bool:
        """Whether these rows of a companion can be made: not from a sum that has overflowed."""
        config = self._config(companion)
        lost = " or ".join(f"{column} is null" for column in config.get("sums", ()))
        if not lost:
            return True
        sql = f"select 1 from staged.{companion} where {config['replaces']} and ({lost}) limit 1"
        return not self._connection.execute(sql).fetchall()

    def make(self, companion: str) -> None:
        """After it was published: make these rows of a companion anew.

        Raises:
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        sql = self._sql[companion]
        condition = str(self._config(companion)["replaces"])
        connection = self._connection
        self._on_step("publish", companion)
        with self._timed(companion), transaction(connection):
            connection.execute(f"create or replace temp table made as from ({sql}) as {companion} where {condition}")
            connection.execute(f"delete from staged.{companion} where {condition}")
            connection.execute(f"insert into staged.{companion} by name from made")

    def summed_up(self, companions: Iterable[str]) -> set[str]:
        """Columns of the staged rows from which companions are sums: `keep` them of those that are replaced."""
        return {column for name in companions for column in self._config(name).get("sums_up", ())}

    def part(self, dataset: str, state: State, standing: Mapping[str, Checked]) -> Part:
        """What was published of a dataset, for its checks.

        Args:
            standing: the results of its checks before.
        """
        connection = self._connection
        table = f"staged.stg_{dataset}"
        where = self._replaced(f"stg_{dataset}", dataset)
        changed = f"from {table} where rowid in (select rowid from {table} where {where})"
        with small_builds(connection):
            connection.execute(f"create or replace table work.changed_{dataset} as {changed}")
        counted = control.counted(connection, dataset)
        dispositions = counted.dispositions if counted else None
        return Part(
            f"work.changed_{dataset}",
            f"work.replaced_{dataset}" if self._replaced_rows[dataset] else None,
            state.after,
            state.upto,
            state.watermark,
            dispositions,
            standing,
        )

    def part_of_companion(self, companion: str, dataset: str) -> Part:
        """What the increment of a dataset has changed of a companion, for its checks."""
        rows = f"(select * from staged.{companion} where {self.changed_rows(companion, dataset)})"
        return Part(rows, rows, 0, 0, 0, None, {})

    def forget(self, datasets: Iterable[str], companions: Iterable[str]) -> None:
        """Drop what was kept for publishing and verifying; the candidates last, by which `left_behind` knows of it."""
        tables = [*map(_touched, companions)]
        tables += [f"work.{kept}_{name}" for name in datasets for kept in ("replaced", "changed")]
        tables += [candidate(model) for name in datasets for model in self._project.audited_models(name)]
        self._connection.execute("; ".join(f"drop table if exists {table}" for table in tables))

    def left_behind(self, datasets: Iterable[str], there: Collection[str]) -> list[str]:
        """Those of these datasets whose candidates were there: a refresh was killed when it had published them."""
        return [name for name in datasets if not set(there).isdisjoint(self._candidates(name))]

    def _candidates(self, dataset: str) -> list[str]:
        return [f"{model}__candidate" for model in self._project.audited_models(dataset)]

    def changed_rows(self, model: str, dataset: str) -> str:
        """SQL condition for the published rows of a model that the increment of a dataset has changed."""
        if model in self._project.audited_models(dataset):
            return self._replaced(model, dataset)
        return str(self._config(model)["replaces"])

    def _config(self, model: str) -> Mapping[str, Any]:
        config: Mapping[str, Any] = self._project.models[model]["config"]
        return config

    def _replaced(self, model: str, dataset: str) -> str:
        condition = str(self._config(model)["replaces"])
        return condition.replace("{base}", f"work.base_{dataset}").replace("{candidate}", candidate(model))

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        with super()._timed(name), small_builds(self._connection):
            yield


def _touched(companion: str) -> str:
    """As the macro `touched` calls it."""
    return f"work.touched_{companion}"
