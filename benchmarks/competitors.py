"""What is compared in a refresh: this project, and its peers, each from the same raw rows."""

from abc import ABC, abstractmethod
from pathlib import Path

from benchmarks.agreement import disagreements
from benchmarks.environments import environment
from benchmarks.operation import Operation
from benchmarks.processes import PYTHON, Cost, Worker, run
from benchmarks.raw_data import Batch, RawData


class Competitor(ABC):
    """One way to stage the fourteen datasets.

    Attributes:
        name: in the tables.
        limit: the name of the limit that it is compared with.
        requirements: the peer whose environment it needs; none where it runs in this project's.

    Args:
        raw: what it reads.
        folder: for what it makes.

    Raises:
        Failed: by any of its actions.
    """

    name: str
    limit = "limit"
    requirements: str | None = None

    def __init__(self, raw: RawData, folder: Path) -> None:
        self.raw = raw
        self.folder = folder
        self.is_staged = False

    def python(self) -> Path:
        """Of its environment, which is made where it is missing."""
        return environment(self.requirements) if self.requirements else PYTHON

    @abstractmethod
    def reset(self) -> None:
        """Nothing is staged, all is ready: what a deployment does once; not measured."""

    @abstractmethod
    def refresh(self) -> Cost:
        """Stage everything from raw, as a whole process."""

    def full_refresh(self) -> Cost:
        """From nothing."""
        self.reset()
        cost = self.refresh()
        self.is_staged = True
        return cost

    def versions(self) -> dict[str, dict[str, str]]:
        """Environment → its packages' versions, where it has one of its own."""
        return {}


class Incremental(Competitor):
    """One that can stage what is new."""

    @abstractmethod
    def run(self) -> Cost:
        """Stage what is new, as a whole process."""

    def worker(self) -> Worker | None:
        """A warm process which does so when asked to `refresh`, where it has one."""
        return None


class Peer(Competitor):
    """One whose rows are compared with this project's."""

    @abstractmethod
    def disagreeing(self, warehouse: Path) -> dict[str, int]:
        """Dataset → rows that only one of the two has; empty where they agree."""


class IncrementalPeer(Incremental, Peer):
    """Both: it is given the raw rows that this project has landed."""

    @abstractmethod
    def deliver(self, batch: Batch) -> None:
        """Its raw rows have these, too, from now on; not measured."""


class Limit(Peer):
    """Hand-written SQL which does the least that one could: see `peers.limit`."""

    name = "limit"

    @property
    def _out(self) -> Path:
        return self.folder / "limit.duckdb"

    def _source(self) -> Path:
        return self.raw.database

    def reset(self) -> None:
        """Only the raw rows are there."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self._out.unlink(missing_ok=True)
        self._source()

    def refresh(self) -> Cost:
        """The fourteen tables."""
        return run([self.python(), "-m", "benchmarks.peers.limit", self._source(), self._out])

    def disagreeing(self, warehouse: Path) -> dict[str, int]:
        """Dataset → published rows that it has not made; it makes others, too."""
        return disagreements(warehouse, self._out, deduplicated=False)


class ThisProject(Incremental):
    """A refresh with all outputs: staged, quarantine, dispositions, companions, audit, checks; without Dagster."""

    name = "this project"

    @property
    def operation(self) -> Operation:
        """Its home."""
        return Operation(self.folder)

    @property
    def warehouse(self) -> Path:
        """Its DuckDB file."""
        return self.operation.settings.warehouse_path

    def reset(self) -> None:
        """A warehouse that has landed the raw rows, the dbt project parsed and compiled."""
        self.folder.mkdir(parents=True, exist_ok=True)
        settings = self.operation.settings
        self.warehouse.unlink(missing_ok=True)
        settings.home.mkdir(exist_ok=True)
        if not self.is_staged:
            # Where nothing is published: the rules are compiled for a first refresh, as the first run does once.
            run([PYTHON, "-m", "benchmarks.operation", "refresh", self.folder])
            self.warehouse.unlink()
        self.raw.copy(self.warehouse)

    def refresh(self) -> Cost:
        """Everything from raw, in a process of its own."""
        return run([PYTHON, "-m", "benchmarks.operation", "refresh", self.folder])

    def run(self) -> Cost:
        """Land and stage what is new by the command."""
        return run(*self.operation.command("run", "--json"))

    def worker(self) -> Worker:
        """A warm process which lands and stages what is new when asked to `refresh`."""
        return Worker([PYTHON, "-m", "benchmarks.operation", "serve", self.folder])


class Command(ThisProject):
    """The same as a person calls it: a run of Dagster in one process, which asks the sources and records everything."""

    name = "this project, the command"

    def refresh(self) -> Cost:
        """Everything from raw, by the command."""
        return run(*self.operation.command("run", "--full-refresh", "--json"))
