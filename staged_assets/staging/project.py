"""The dbt project: where it is, what is in it (the manifest), and which rules a dataset is staged by."""

import contextlib
import functools
import hashlib
import json
import os
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from staged_assets.checked import Status
from staged_assets.errors import RefreshError
from staged_assets.settings import PACKAGE, Settings

if TYPE_CHECKING:
    from dbt.contracts.graph.manifest import Manifest

PROJECT_DIR = PACKAGE / "dbt"
PROJECT_NAME = "staged_assets"


#: fingerprint → manifest, for this process
_parsed: dict[str, "Manifest"] = {}
_parsing = threading.Lock()


@functools.cache
def read_manifest(path: Path) -> Mapping[str, Any]:
    """A parsed project's manifest, read once for a process's life and for all that are forked from it."""
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


def node_id(model: str) -> str:
    """The manifest's id of one of the project's models."""
    return f"model.{PROJECT_NAME}.{model}"


def dataset_of(model: str) -> str:
    """`stg_sales__daily`, `base_sales` → `sales`."""
    return model.split("_", 1)[1].split("__")[0]


@dataclass(frozen=True)
class DataTest:
    """One dbt data test.

    Attributes:
        model: that it is attached to.
        datasets: that it reads.
        column: that it is about, None where it is about several.
        relation: the model's, as it stands in the test's SQL.
        status: what the test is when it finds something.
        kind: the generic test that it is one of.
    """

    name: str
    model: str
    datasets: frozenset[str]
    column: str | None = None
    relation: str = ""
    status: Status = "failed"
    kind: str | None = None


class StagingProject:
    """The packaged dbt project, parsed once for each state of its files.

    The parsed manifest is kept under `<home>/dbt/<fingerprint>/`, so that loading the code location reads one JSON file
    and imports no dbt.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @cached_property
    def fingerprint(self) -> str:
        """Hash of the project's files, by name and content."""
        digest = hashlib.sha256()
        for path in sorted(PROJECT_DIR.rglob("*")):
            relative = path.relative_to(PROJECT_DIR)
            if path.is_file() and relative.parts[0] not in ("target", "logs"):
                digest.update(f"{relative}\0{path.stat().st_size}\0".encode())
                digest.update(path.read_bytes())
        return digest.hexdigest()[:16]

    @cached_property
    def target_path(self) -> Path:
        """Where dbt writes: one folder for each state of the project."""
        return self._settings.home.absolute() / "dbt" / self.fingerprint

    @property
    def arguments(self) -> list[str]:
        """The global arguments of every dbt command on the project."""
        return self._arguments(self.target_path)

    @staticmethod
    def _arguments(target: Path) -> list[str]:
        return [
            "--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR),
            "--target-path", str(target), "--log-level", "none", "--log-level-file", "none",
        ]  # fmt: skip

    @contextlib.contextmanager
    def environment(self) -> Iterator[None]:
        """The environment that the project's profile reads, for as long as dbt runs."""
        added = {
            "STAGED_ASSETS_WAREHOUSE": str(self._settings.warehouse_path),
            "STAGED_ASSETS_DBT_THREADS": "1",
            "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
        }
        before = {name: os.environ.get(name) for name in added}
        os.environ.update(added)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    @cached_property
    def manifest(self) -> Mapping[str, Any]:
        """The manifest as JSON, parsed first if the project's files have changed since it was last."""
        path = self.target_path / "manifest.json"
        if not path.exists():
            self.parse()
        return read_manifest(path)

    def parse(self) -> "Manifest":
        """Parse the project; dbt's own cache makes it quick when nothing has changed.

        Raises:
            RefreshError: the project does not parse.
        """
        from dbt.cli.main import dbtRunner

        # dbt writes the manifest piece by piece: in a folder of its own, so that nobody reads half of one.
        parsing = self.target_path / "parse"
        parsing.mkdir(parents=True, exist_ok=True)
        with FileLock(self.target_path / ".parse.lock"), self.environment():
            # dbt's static parser starts threads that stay, and a process with threads can't be forked safely.
            result = dbtRunner().invoke(["parse", "--no-static-parser", *self._arguments(parsing)])
            if not result.success:
                raise RefreshError(f"The dbt project in {PROJECT_DIR} does not parse: {result.exception}")
            (parsing / "manifest.json").replace(self.target_path / "manifest.json")
        _parsed[self.fingerprint] = result.result  # type: ignore[assignment]
        return _parsed[self.fingerprint]

    def parsed(self) -> "Manifest":
        """The manifest as dbt's own object, parsed once for a process's life."""
        with _parsing:
            return _parsed.get(self.fingerprint) or self.parse()

    @cached_property
    def models(self) -> dict[str, Mapping[str, Any]]:
        """The project's models, by name."""
        return {
            node["name"]: node
            for node in self.manifest["nodes"].values()
            if node["resource_type"] == "model" and node["package_name"] == PROJECT_NAME
        }

    @property
    def seeds(self) -> list[Mapping[str, Any]]:
        """The manifest's nodes of the reference data."""
        return [node for node in self.manifest["nodes"].values() if node["resource_type"] == "seed"]

    def unqualified(self, sql: str) -> str:
        """SQL in which relations are named without the database, whose name is that of the warehouse's file."""
        database = self.models["stg_sales"]["database"]
        return sql.replace(f'"{database}".', "")

    def audited_models(self, dataset: str) -> list[str]:
        """What is published of a dataset after its audit, key by key: dispositions, staged rows, then companions."""
        first = [f"dispositions_{dataset}", f"stg_{dataset}"]
        return first + [
            name
            for name, node in self.models.items()
            if name.startswith(f"stg_{dataset}__") and node["config"]["materialized"] == "audited"
        ]

    def upstream_models(self, model: str) -> set[str]:
        """Names of all models that a model depends on, directly or not."""
        parents = self.manifest["parent_map"]
        found: set[str] = set()
        pending = [node_id(model)]
        while pending:
            for parent in parents[pending.pop()]:
                name = parent.rsplit(".", 1)[-1]
                if parent.startswith("model.") and name not in found:
                    found.add(name)
                    pending.append(parent)
        return found

    @cached_property
    def companions(self) -> dict[str, frozenset[str]]:
        """Companion → the datasets that it is made from, each companion after those that it is made from."""
        names = [name for name in self.models if name.startswith("stg_") and "__" in name]
        upstream = {name: self.upstream_models(name) for name in names}
        return {
            name: frozenset({dataset_of(name)} | {dataset_of(model) for model in upstream[name]})
            for name in sorted(names, key=lambda name: (len(upstream[name]), name))
        }

    def tests(self) -> list[DataTest]:
        """The project's data tests that are attached to a model."""
        nodes = self.manifest["nodes"]
        return [
            DataTest(
                node["name"],
                node["attached_node"].rsplit(".", 1)[-1],
                frozenset(
                    dataset_of(parent.rsplit(".", 1)[-1])
                    for parent in node["depends_on"]["nodes"]
                    if parent.startswith("model.")
                ),
                node["column_name"],
                self.unqualified(nodes[node["attached_node"]]["relation_name"]),
                "warned" if str(node["config"]["severity"]).lower() == "warn" else "failed",
                node.get("test_metadata", {}).get("name"),
            )
            for node in nodes.values()
            if node["resource_type"] == "test" and node.get("attached_node")
        ]

    def rules_version(self, dataset: str, formats: Mapping[str, Any]) -> str:
        """Fingerprint of the rules that a dataset is staged by: models, macros, variables, seeds, its sources' formats.

        When it changes, the dataset is refreshed from all of raw.
        """
        return self._rules({node_id(f"{role}_{dataset}") for role in ("base", "dispositions", "stg")}, formats)

    def companion_version(self, companion: str, formats: Mapping[str, Any]) -> str:
        """The same for a companion, with the companions that it is made from; when it changes, it is made again."""
        models = {companion, *(name for name in self.upstream_models(companion) if name in self.companions)}
        return self._rules(set(map(node_id, models)), formats)

    def _rules(self, models: set[str], formats: Mapping[str, Any]) -> str:
        """Files are read: of a large one, dbt's own checksum is only its name."""
        nodes, parents = self.manifest["nodes"], self.manifest["parent_map"]
        wanted = models | {parent for node in models for parent in parents[node] if parent.startswith("seed.")}
        digest = hashlib.sha256(json.dumps(formats, sort_keys=True, default=str).encode())
        for path in ["dbt_project.yml", *sorted(nodes[node]["original_file_path"] for node in wanted)]:
            digest.update(f"{path}\0".encode() + (PROJECT_DIR / path).read_bytes())
        for name, macro in sorted(self.manifest["macros"].items()):
            if macro["package_name"] == PROJECT_NAME:
                digest.update(f"{name}\0{macro['macro_sql']}\0".encode())
        return digest.hexdigest()[:12]
