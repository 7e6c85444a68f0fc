"""What dbt makes of the project on a scratch warehouse, for the tests to look at."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb
from dbt.adapters.duckdb.connections import DuckDBConnectionManager
from dbt.cli.main import dbtRunner
from dbt.contracts.graph.manifest import Manifest

from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging.project import StagingProject


@dataclass
class BuiltProject:
    """What dbt made of the project.

    Attributes:
        results: node name → (status, message) of the build.
        warnings: what dbt warned of while it parsed and built.
    """

    settings: Settings
    project: StagingProject
    parsed: Manifest
    results: dict[str, tuple[str, str]]
    warnings: list[str]

    @property
    def manifest(self) -> Mapping[str, Any]:
        return self.project.manifest

    def copy(self, home: Path) -> "BuiltProject":
        """The same, on a warehouse of its own that may be spoilt."""
        home.mkdir(exist_ok=True)
        settings = Settings(home=home)
        shutil.copy(self.settings.warehouse_path, settings.warehouse_path)
        return replace(self, settings=settings, project=StagingProject(settings), warnings=[])

    def nodes(self, *kinds: str) -> list[Mapping[str, Any]]:
        return [node for node in self.manifest["nodes"].values() if node["resource_type"] in kinds]

    def invoke(self, *arguments: str, manifest: Manifest | None = None) -> dict[str, tuple[str, str]]:
        """Run a dbt command on the warehouse."""
        with self.project.environment():
            try:
                outcome = dbtRunner(
                    manifest=manifest or self.parsed, callbacks=[lambda event: note_warning(event, self.warnings)]
                ).invoke(["--quiet", *arguments, *self.project.arguments, "--no-write-json"])
            finally:
                DuckDBConnectionManager.close_all_connections()
        assert outcome.result is not None, outcome.exception
        return {r.node.name: (str(r.status), r.message or "") for r in outcome.result.results}

    def columns(self, relation: str) -> dict[str, tuple[str, bool]]:
        """Column → (engine type, whether it may be NULL) of a relation that was built, in order."""
        return self._columns[relation]

    @cached_property
    def _columns(self) -> dict[str, dict[str, tuple[str, bool]]]:
        found: dict[str, dict[str, tuple[str, bool]]] = {}
        with connect(self.settings, read_only=True) as connection:
            rows = connection.execute(
                "select table_schema || '.' || table_name, column_name, data_type, is_nullable = 'YES'"
                " from information_schema.columns order by table_schema, table_name, ordinal_position"
            ).fetchall()
        for relation, name, kind, nullable in rows:
            found.setdefault(relation, {})[name] = (kind, nullable)
        return found


def note_warning(event: Any, warnings: list[str]) -> None:
    if event.info.level == "warn":
        warnings.append(event.info.msg)


@cache
def engine_type(written: str) -> str:
    """A data type as the engine names it."""
    return str(duckdb.execute(f"describe select cast(null as {written})").fetchall()[0][1])
