"""A full refresh: what dbt has compiled, executed on one connection, and published by swapping tables by name."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.landing.warehouse import transaction
from staged_assets.sources.expressions import quoted
from staged_assets.staging import control
from staged_assets.staging.compiled import Values, Wanted
from staged_assets.staging.outcomes import State
from staged_assets.staging.writing import Writer, candidate, drop_batch

#: A full refresh of more raw rows than this reads its batch through a view: each reader types only the columns that it
#: needs, and nothing wide is written twice. For few rows a table is quicker: planning the view's expressions for each
#: reader costs more than writing them once.
VIEW_FROM_ROWS = 80_000

#: Hashes as text. What the engine would choose for them takes twice as long and is hardly smaller.
_HASHES = {"_raw_row_id"}


class FullRefreshes(Writer):
    """The datasets that one refresh makes from all of raw, and the companions that it makes wholly."""

    def prepare(self, states: Mapping[str, State], companions: Mapping[str, str]) -> None:
        """Have the SQL of all models ready that are to be made, or may be.

        Args:
            companions: name → version of its rules.

        Raises:
            RefreshError: a model does not compile.
        """
        there = control.tables(self._connection, "staged")
        datasets = [
            Wanted(
                name,
                state.rules,
                "full" if f"dispositions_{name}" in there else "first",
                [f"base_{name}", *self._project.audited_models(name), f"quarantine_{name}"],
            )
            for name, state in states.items()
        ]
        self._prepare(datasets + [Wanted(name, rules, "full", [name]) for name, rules in companions.items()])

    def write(self, dataset: str, state: State, at: datetime, connection: DuckDBPyConnection) -> None:
        """Write a dataset's batch, and its candidates beside what is published.

        Raises:
            duckdb.Error: the engine could not do it.
        """
        values = Values(state.after, state.upto, at)
        batch = f"base_{dataset}"
        with self._timed(dataset):
            drop_batch(connection, dataset)
            if _is_large(state):
                connection.execute(f"create view work.{batch} as {values.write_out(self._sql[batch])}")
            else:
                self._write(f"work.{batch}", batch, values, connection)
            for model in self._project.audited_models(dataset):
                self._create(model, values, connection)

    def publish(self, dataset: str) -> None:
        """Make the candidates the published tables, all of the dataset's in one transaction.

        From here on, until its watermark is set, the dataset counts as never published: if this refresh dies, the next
        one starts from all of raw.

        Raises:
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        with self._timed(dataset), transaction(self._connection):
            control.forget_watermark(self._connection, dataset)
            for model in self._project.audited_models(dataset):
                self._swap(model)
            quarantine = f"quarantine_{dataset}"
            self._connection.execute(f"create or replace view staged.{quarantine} as {self._sql[quarantine]}")

    def write_companion(self, companion: str, at: datetime, connection: DuckDBPyConnection) -> None:
        """Write a companion's candidate, after all that it is made from was published.

        Raises:
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        with self._timed(companion):
            self._create(companion, Values(0, 0, at), connection)

    def publish_companion(self, companion: str) -> None:
        """Make the candidate the published table.

        Raises:
            duckdb.Error: the engine could not do it; nothing has changed.
        """
        with self._timed(companion), transaction(self._connection):
            self._swap(companion)

    def _create(self, model: str, values: Values, connection: DuckDBPyConnection) -> None:
        """Write a candidate with the columns, types and constraints that the project's YAML says."""
        table = candidate(model)
        columns = {quoted(name): column for name, column in self._project.models[model]["columns"].items()}
        definitions = (_definition(name, column) for name, column in columns.items())
        self._on_step("write", model)
        connection.execute(f"create or replace table {table} ({', '.join(definitions)})")
        names = ", ".join(columns)
        values.execute(connection, f"insert into {table} select {names} from ({self._sql[model]})")

    def _swap(self, model: str) -> None:
        self._on_step("publish", model)
        self._connection.execute(f"drop table if exists staged.{model}")
        self._connection.execute(f"alter table {candidate(model)} rename to {model}")


def _definition(name: str, column: Mapping[str, Any]) -> str:
    required = any(one["type"] == "not_null" for one in column["constraints"])
    compression = " using compression zstd" if column["name"] in _HASHES else ""
    return f"{name} {column['data_type']}{compression}{' not null' if required else ''}"


def _is_large(state: State) -> bool:
    return state.new_rows > VIEW_FROM_ROWS
