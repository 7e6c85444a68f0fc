"""Models compiled by dbt once for each state of the rules, to be executed at every refresh.

Starting dbt and rendering its templates takes longer than an increment itself does, and as long as a full refresh of a
million rows. What they render is the same each time, but for the landing ids between which rows are new and the time of
the refresh: these are parameters.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

from duckdb import DuckDBPyConnection

from staged_assets.kept import keep, kept
from staged_assets.sources.expressions import literal
from staged_assets.staging.dbt_runner import DbtRunner
from staged_assets.staging.project import StagingProject

#: first: all of raw, where nothing is published; full: all of raw, beside what is; incremental: what is new.
Kind = Literal["first", "full", "incremental"]

_TESTS = "data_tests"


@dataclass(frozen=True)
class Wanted:
    """Models of which the SQL is wanted.

    Attributes:
        name: of a dataset, or of a companion.
        rules: the version of its rules.
        kind: of the refresh.
        models: of the dataset; the companion itself.
    """

    name: str
    rules: str
    kind: Kind
    models: Sequence[str]

    @property
    def key(self) -> str:
        """What the SQL is kept by."""
        return f"{self.name}-{self.rules}-{self.kind}"

    @property
    def state(self) -> dict[str, Any]:
        """What the dbt project is told of the refresh; `execute` fills in the parameters."""
        after = {"after": "$after"} if self.kind == "incremental" else {}
        mode = "incremental" if self.kind == "incremental" else "full"
        return {"mode": mode, "upto": "$upto", "rules": self.rules, "published": self.kind != "first", **after}


class CompiledModels:
    """SQL of models, by name.

    Args:
        formats: source system → how it writes its values.
        before_dbt: called before dbt opens the warehouse.
    """

    def __init__(
        self, project: StagingProject, dbt: DbtRunner, formats: Mapping[str, Any], before_dbt: Callable[[], None]
    ) -> None:
        self._project = project
        self._dbt = dbt
        self._formats = formats
        self._before_dbt = before_dbt
        self._known: dict[str, dict[str, str]] = {}
        self._is_dbt_started = False

    def of(self, wanted: Iterable[Wanted]) -> dict[str, str]:
        """Model → its SQL, compiled where that was not done before.

        Raises:
            RefreshError: a model does not compile.
        """
        every = list(wanted)
        for partly in (False, True):
            missing = [one for one in every if (one.kind == "incremental") == partly and not self._load(one.key)]
            if missing:
                refresh = {one.name: one.state for one in missing}
                compiled = self._compile([m for one in missing for m in one.models], refresh, partly=partly)
                for one in missing:
                    self._keep(one.key, {model: compiled[model] for model in one.models})
        return {model: sql for one in every for model, sql in self._known[one.key].items()}

    def ahead(self, wanted: Iterable[Wanted]) -> None:
        """Where dbt was started anyway, have it compile what later refreshes will ask for: starting it is dear.

        Raises:
            RefreshError: a model does not compile.
        """
        if self._is_dbt_started:
            self.of(wanted)

    def tests(self, names: Collection[str]) -> dict[str, str]:
        """The SQL of the project's data tests, which give the rows that break them: these, at least.

        Raises:
            RefreshError: a test does not compile.
        """
        key = f"{_TESTS}-{self._project.fingerprint}"
        if not self._load(key):
            self._keep(key, self._compile([test.name for test in self._project.tests()], {}))
        return {name: self._known[key][name] for name in names}

    def _compile(self, models: Sequence[str], refresh: Mapping[str, Any], *, partly: bool = False) -> dict[str, str]:
        self._before_dbt()
        self._is_dbt_started = True
        variables = {"sources": self._formats, "refresh": refresh, "compiled": bool(refresh), "touched_only": partly}
        return self._dbt.compile(models, variables)

    def _load(self, key: str) -> bool:
        if key not in self._known:
            found = kept(self._path(key))
            if found is not None:
                self._known[key] = found
        return key in self._known

    def _keep(self, key: str, models: dict[str, str]) -> None:
        self._known[key] = models
        keep(self._path(key), models)

    def _path(self, key: str) -> Path:
        return self._project.target_path / "sql" / f"{key}.json"


@dataclass(frozen=True)
class Values:
    """The parameters of what is compiled.

    Attributes:
        after, upto: landing ids between which rows are new.
        at: time of the refresh, UTC.
    """

    after: int
    upto: int
    at: datetime

    def execute(self, connection: DuckDBPyConnection, sql: str) -> None:
        """Execute a statement with compiled SQL in it."""
        connection.execute(sql, {name: value for name, value in vars(self).items() if f"${name}" in sql})

    def write_out(self, sql: str) -> str:
        """The SQL with the values in it, for a view."""
        for name, value in vars(self).items():
            sql = sql.replace(f"${name}", str(value) if isinstance(value, int) else literal(str(value)))
        return sql
