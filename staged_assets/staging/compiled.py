"""Models compiled by dbt once for each state of the rules, to be executed at every incremental refresh.

Starting dbt and rendering its templates takes longer than an increment itself does. What they render is the same each
time, but for the landing ids between which rows are new and the time of the refresh: these are parameters.
"""

import json
import os
from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.staging.dbt_runner import DbtRunner
from staged_assets.staging.project import StagingProject

#: What a compiled model is compiled with, for `execute` to fill in.
PARAMETERS = {"mode": "incremental", "after": "$after", "upto": "$upto"}

_TESTS = "data_tests"


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

    def of(self, datasets: Mapping[str, str], models: Mapping[str, list[str]]) -> dict[str, str]:
        """The SQL of the datasets' models, compiled where that was not done before.

        Args:
            datasets: name (of a dataset or companion) → the version of its rules.
            models: name → its models.

        Raises:
            RefreshError: a model does not compile.
        """
        missing = {name: rules for name, rules in datasets.items() if not self._load(name, rules)}
        if missing:
            self._before_dbt()
            compiled = self._dbt.compile([m for name in missing for m in models[name]], self._variables(missing))
            for name, rules in missing.items():
                self._keep(name, rules, {model: compiled[model] for model in models[name]})
        return {m: sql for name, rules in datasets.items() for m, sql in self._known[f"{name}-{rules}"].items()}

    def tests(self, names: Collection[str]) -> dict[str, str]:
        """The SQL of the project's data tests, which give the rows that break them: these, at least.

        Raises:
            RefreshError: a test does not compile.
        """
        if not self._load(_TESTS, self._project.fingerprint):
            self._before_dbt()
            every = [test.name for test in self._project.tests()]
            compiled = self._dbt.compile(every, {"sources": self._formats, "refresh": {}, "phase": "all"})
            self._keep(_TESTS, self._project.fingerprint, {name: compiled[name] for name in every})
        return {name: self._known[f"{_TESTS}-{self._project.fingerprint}"][name] for name in names}

    def _variables(self, datasets: Mapping[str, str]) -> dict[str, Any]:
        refresh = {name: PARAMETERS | {"rules": rules} for name, rules in datasets.items()}
        return {"sources": self._formats, "refresh": refresh, "phase": "write", "increment": True}

    def _load(self, name: str, rules: str) -> bool:
        key = f"{name}-{rules}"
        path = self._project.target_path / "increments" / f"{key}.json"
        if key not in self._known and path.exists():
            self._known[key] = json.loads(path.read_text(encoding="utf-8"))
        return key in self._known

    def _keep(self, name: str, rules: str, models: dict[str, str]) -> None:
        key = f"{name}-{rules}"
        self._known[key] = models
        path = self._project.target_path / "increments" / f"{key}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        written = path.with_suffix(f".{os.getpid()}")
        written.write_text(json.dumps(models), encoding="utf-8")
        written.replace(path)


def execute(connection: DuckDBPyConnection, sql: str, *, after: int, upto: int, at: datetime) -> None:
    """Execute a statement with compiled SQL in it."""
    values = {"after": after, "upto": upto, "at": at}
    connection.execute(sql, {name: value for name, value in values.items() if f"${name}" in sql})
