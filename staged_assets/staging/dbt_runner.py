"""dbt in process: one parsed manifest for a process's life, handles on the warehouse released after each command."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from staged_assets.errors import RefreshError, without_values
from staged_assets.staging.project import StagingProject


class DbtRunner:
    """Compiles the staging project in this process."""

    def __init__(self, project: StagingProject) -> None:
        self._project = project

    def compile(self, select: Iterable[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """Model, or data test → its SQL, in which relations are named without the database.

        Raises:
            RefreshError: one does not compile, or dbt itself could not run.
        """
        found = {}
        for result in self._invoke("compile", select, variables):
            if str(result.status) != "success":
                raise RefreshError(f"{result.node.name} does not compile: {without_values(str(result.message))}")
            found[result.node.name] = self._project.unqualified(str(result.node.compiled_code).strip())
        return found

    def _invoke(self, command: str, select: Iterable[str], variables: Mapping[str, Any]) -> list[Any]:
        from dbt.cli.main import dbtRunner

        arguments = [
            command, *self._project.arguments, "--no-write-json", "--no-populate-cache",
            "--vars", json.dumps(variables), "--select", *select,
        ]  # fmt: skip
        with self._project.environment():
            try:
                outcome = dbtRunner(manifest=self._project.parsed()).invoke(arguments)
            finally:
                _release_handles()
        if outcome.result is None:
            raise RefreshError(f"dbt {command} could not run: {without_values(str(outcome.exception))}")
        return list(outcome.result.results)  # type: ignore[union-attr]


def _release_handles() -> None:
    """Until then the process holds the file, and no other can write."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()
