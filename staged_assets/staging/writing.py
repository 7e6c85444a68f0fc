"""What all refreshes share that execute what dbt has compiled."""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from duckdb import DuckDBPyConnection

from staged_assets.landing.session import Session
from staged_assets.staging.compiled import CompiledModels, Values, Wanted
from staged_assets.staging.project import StagingProject

OnStep = Callable[[str, str], None]


class Writer:
    """Executes models on one connection.

    Attributes:
        seconds: name (of a dataset or companion) → time taken for it.

    Args:
        session: the connection to the warehouse.
        compiled: the models' SQL.
        on_step: told of each write and publish, and of the model.
    """

    def __init__(self, session: Session, project: StagingProject, compiled: CompiledModels, on_step: OnStep) -> None:
        self._session = session
        self._project = project
        self._compiled = compiled
        self._on_step = on_step
        self._sql: dict[str, str] = {}
        self.seconds: dict[str, float] = {}

    def _prepare(self, wanted: Iterable[Wanted]) -> None:
        """Have the SQL of models ready.

        Raises:
            RefreshError: a model does not compile.
        """
        self._sql |= self._compiled.of(wanted)

    def _write(self, table: str, model: str, values: Values, connection: DuckDBPyConnection) -> None:
        self._on_step("write", model)
        values.execute(connection, f"create or replace table {table} as {self._sql[model]}")

    @property
    def _connection(self) -> DuckDBPyConnection:
        return self._session.connection

    @contextmanager
    def _timed(self, name: str) -> Iterator[None]:
        started = time.perf_counter()
        try:
            yield
        finally:
            self.seconds[name] = self.seconds.get(name, 0.0) + time.perf_counter() - started


def candidate(model: str) -> str:
    """Where the next content of a model lies until it is published."""
    return f"staged.{model}__candidate"


def drop_batch(connection: DuckDBPyConnection, dataset: str) -> None:
    """The batch may be a table or a view, neither of which can replace the other."""
    name = f"base_{dataset}"
    found = connection.execute(
        "select 'table' from duckdb_tables() where schema_name = 'work' and table_name = $name"
        " union all select 'view' from duckdb_views() where schema_name = 'work' and view_name = $name",
        {"name": name},
    ).fetchall()
    for (kind,) in found:
        connection.execute(f"drop {kind} work.{name}")
