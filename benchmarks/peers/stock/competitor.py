"""The stock stack as a competitor: `dagster job execute`, in this project's environment."""

import os
import shutil
from pathlib import Path

import duckdb
from dbt.cli.main import dbtRunner

from benchmarks.agreement import disagreements
from benchmarks.competitors import IncrementalPeer
from benchmarks.peers.stock.project import write_project
from benchmarks.processes import PYTHON, Cost, Failed, run
from benchmarks.raw_data import Batch

DAGSTER = "telemetry: {enabled: false}\n"


class Stock(IncrementalPeer):
    """One run of its job makes everything; the dbt project is parsed beforehand, as its code location expects."""

    name = "stock Dagster, dbt, Pandera on pandas"

    @property
    def _raw(self) -> Path:
        return self.folder / "landed.duckdb"

    @property
    def out(self) -> Path:
        """The DuckDB file with its tables."""
        return self.folder / "stock.duckdb"

    def reset(self) -> None:
        """Raw rows of its own, the dbt project parsed, Dagster's home empty."""
        shutil.rmtree(self.folder, ignore_errors=True)
        home, dbt = self.folder / "dagster", self.folder / "dbt"
        home.mkdir(parents=True)
        (home / "dagster.yaml").write_text(DAGSTER, encoding="utf-8")
        self.raw.copy(self._raw)
        write_project(dbt, self._raw, self.out)
        parsed = dbtRunner().invoke(["--quiet", "parse", "--project-dir", str(dbt), "--profiles-dir", str(dbt)])
        if not parsed.success:
            raise Failed(f"its dbt project can't be parsed: {parsed.exception}")

    @property
    def environment(self) -> dict[str, str]:
        """What its code location and its `dbt` find things by."""
        path = f"{PYTHON.parent}{os.pathsep}{os.environ['PATH']}"
        return {"STOCK_FOLDER": str(self.folder), "DAGSTER_HOME": str(self.folder / "dagster"), "PATH": path}

    def refresh(self) -> Cost:
        """Everything from raw: the models are not there yet."""
        return self.run()

    def run(self) -> Cost:
        """What is new, whole tables checked."""
        module = "benchmarks.peers.stock.definitions"
        return run([PYTHON, "-m", "dagster", "job", "execute", "-m", module, "-j", "refresh"], self.environment)

    def deliver(self, batch: Batch) -> None:
        """Insert the rows."""
        with duckdb.connect(str(self._raw)) as connection:
            connection.execute(f"insert into raw.sales by name from '{batch.path}'")

    def disagreeing(self, warehouse: Path) -> dict[str, int]:
        """When a batch has landed is made up."""
        return disagreements(warehouse, self.out, deduplicated=True, without=["_landed_at"])
