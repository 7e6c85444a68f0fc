"""SQLMesh as a competitor, and the limit in its environment: it has another DuckDB, so both read Parquet."""

import shutil
from datetime import datetime, timedelta
from pathlib import Path

from benchmarks.agreement import disagreements
from benchmarks.competitors import IncrementalPeer, Limit
from benchmarks.machine import versions_of
from benchmarks.peers.sqlmesh.project import SCHEMA, write_project
from benchmarks.processes import Cost, Worker, run
from benchmarks.raw_data import LANDED, Batch

_DAY = timedelta(days=1)


class LimitOfSqlMesh(Limit):
    """The limit of the DuckDB that SQLMesh has."""

    name = "limit of SQLMesh's DuckDB"
    limit = name
    requirements = "sqlmesh"

    def _source(self) -> Path:
        return self.raw.parquet


class SqlMesh(IncrementalPeer):
    """A plan makes everything; a run makes what is new. Every batch lands on a day of its own."""

    name = "SQLMesh"
    limit = LimitOfSqlMesh.name
    requirements = "sqlmesh"

    def versions(self) -> dict[str, dict[str, str]]:
        """Of SQLMesh's environment."""
        return {"SQLMesh's": versions_of(self.python(), ["sqlmesh", "duckdb"])}

    @property
    def _raw(self) -> Path:
        return self.folder / "raw"

    def reset(self) -> None:
        """Raw rows as Parquet, a project, no state."""
        shutil.rmtree(self.folder, ignore_errors=True)
        for dataset in self.raw.parquet.iterdir():
            (self._raw / dataset.name).mkdir(parents=True)
            (self._raw / dataset.name / "0.parquet").symlink_to(dataset / "0.parquet")
        write_project(self.folder, self._raw, LANDED.date().isoformat())
        self._landed(LANDED)

    def _landed(self, at: datetime) -> None:
        (self.folder / "today.txt").write_text((at + _DAY).isoformat(" "), encoding="utf-8")

    def _command(self, action: str) -> list[str | Path]:
        return [self.python(), "-m", "benchmarks.peers.sqlmesh.drive", action, self.folder]

    def refresh(self) -> Cost:
        """`sqlmesh plan --auto-apply`."""
        return run(self._command("plan"))

    def run(self) -> Cost:
        """`sqlmesh run`."""
        return run(self._command("run"))

    def worker(self) -> Worker:
        """A process with a context that is kept."""
        return Worker(self._command("serve"))

    def deliver(self, batch: Batch) -> None:
        """Another Parquet file, of the next day."""
        shutil.copyfile(batch.path, self._raw / "sales" / batch.path.name)
        self._landed(batch.landed_at)

    def disagreeing(self, warehouse: Path) -> dict[str, int]:
        """When a batch has landed is made up."""
        out = self.folder / "sqlmesh.duckdb"
        return disagreements(warehouse, out, SCHEMA, deduplicated=True, without=["_landed_at"])
