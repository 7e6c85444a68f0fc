"""dbt in process: one parsed manifest for a process's life, handles on the warehouse released after each command."""

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from staged_assets.errors import RefreshError, without_values
from staged_assets.staging.project import StagingProject

OnNode = Callable[[str, str], None]


@dataclass(frozen=True)
class NodeResult:
    """What became of one dbt node.

    Attributes:
        name: the model's, seed's or test's name.
        status: success, pass, warn, fail, error or skipped.
        message: dbt's own, one line at most where dbt gives more.
        seconds: time taken.
        failures: rows that a test found.
        query: of a test, the SQL that gives them.
    """

    name: str
    status: str
    message: str
    seconds: float
    failures: int | None
    query: str = ""

    @property
    def succeeded(self) -> bool:
        """Whether the node did what it is for; a test that finds something has."""
        return self.status in ("success", "pass", "warn", "fail")

    @property
    def outcome(self) -> str:
        """published, skipped (something upstream failed) or failed."""
        return "published" if self.succeeded else "skipped" if self.status == "skipped" else "failed"

    def after(self, earlier: "NodeResult | None") -> "NodeResult":
        """This result with the time of an earlier phase of the same node added."""
        return replace(self, seconds=self.seconds + earlier.seconds) if earlier else self


class DbtRunner:
    """Runs commands of the staging project in this process."""

    def __init__(self, project: StagingProject) -> None:
        self._project = project

    def run(
        self,
        command: str,
        select: Iterable[str],
        variables: Mapping[str, Any],
        on_node: OnNode | None = None,
    ) -> dict[str, NodeResult]:
        """Run a dbt command (`run`, `test`, `seed --full-refresh`) on the nodes given.

        Returns:
            node name → what became of it.

        Raises:
            RefreshError: dbt itself could not run (not: a node failed).
        """
        return {
            result.node.name: NodeResult(
                result.node.name,
                str(result.status),
                without_values(result.message or ""),
                float(result.execution_time),
                result.failures,
                str(getattr(result.node, "compiled_code", None) or "").strip(),
            )
            for result in self._invoke(command, select, variables, on_node)
        }

    def compile(self, select: Iterable[str], variables: Mapping[str, Any]) -> dict[str, str]:
        """Model → its SQL.

        Raises:
            RefreshError: a model does not compile.
        """
        found = {}
        for result in self._invoke("compile", select, variables, None):
            if str(result.status) != "success":
                raise RefreshError(f"{result.node.name} does not compile: {without_values(str(result.message))}")
            found[result.node.name] = str(result.node.compiled_code)
        return found

    def _invoke(
        self, command: str, select: Iterable[str], variables: Mapping[str, Any], on_node: OnNode | None
    ) -> list[Any]:
        from dbt.cli.main import dbtRunner

        callbacks = [_on_event(on_node)] if on_node else []
        arguments = [
            *command.split(), *self._project.arguments, "--no-write-json",
            "--vars", json.dumps(variables), "--select", *select,
        ]  # fmt: skip
        with self._project.environment():
            try:
                outcome = dbtRunner(manifest=self._project.parsed(), callbacks=callbacks).invoke(arguments)
            finally:
                _release_handles()
        if outcome.result is None:
            raise RefreshError(f"dbt {command} could not run: {without_values(str(outcome.exception))}")
        return list(outcome.result.results)  # type: ignore[union-attr]


def _release_handles() -> None:
    """Until then the process holds the file, and no other can write."""
    from dbt.adapters.duckdb.connections import DuckDBConnectionManager

    DuckDBConnectionManager.close_all_connections()


def _on_event(on_node: OnNode) -> Callable[[Any], None]:
    def callback(event: Any) -> None:
        if event.info.name == "NodeFinished":
            on_node(event.data.node_info.node_name, event.data.node_info.node_status)

    return callback
