"""A warm worker whose children are killed, and what there is to land."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from staged_assets.demo.activity import advance
from staged_assets.demo.systems import ensure, running
from staged_assets.settings import Settings
from staged_assets_tests.faults.worker import Order
from staged_assets_tests.staged_area import RUN_TIME_STAMPS, WAREHOUSE, Outputs, copy_warehouse, read_outputs

ROOT = Path(__file__).parents[2]
SCALE = 200
#: A dataset whose sources are consolidated, one with a companion that is published with it, and the largest one.
DATASETS = ("consumers", "inventory", "sales")


class Worker:
    """The test's end of the worker."""

    def __init__(self, home: Path, template: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "staged_assets_tests.faults.worker", str(home), str(template)],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip

    def tell(self, **order: Any) -> Order:
        """Give an order, wait for what became of it."""
        assert self._process.stdin
        assert self._process.stdout
        print(json.dumps(order), file=self._process.stdin, flush=True)
        answer: Order = json.loads(self._process.stdout.readline())
        assert answer["ended"] != "failed", answer["error"]
        return answer

    def close(self) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        self._process.wait()


@pytest.fixture(scope="session")
def worker(shared_home: Path, published_warehouse: Path) -> Iterator[Worker]:
    worker = Worker(shared_home, published_warehouse)
    yield worker
    worker.close()


@dataclass(frozen=True)
class Work:
    """A run that is to be disturbed.

    Attributes:
        template: the warehouse as it is before.
        demo: the source systems.
        full: whether everything is refreshed from all of raw.
    """

    template: Path
    demo: Path
    full: bool = False

    def run(self, worker: Worker, warehouse: Path, **killed: Any) -> Order:
        """One try."""
        with running(self.demo) as systems:
            return worker.tell(
                work="run", warehouse=str(warehouse), systems=systems, datasets=DATASETS, full=self.full, **killed
            )


def content(warehouse: Path, home: Path) -> tuple[Outputs, Outputs]:
    """What is in a warehouse, raw and staged, but for when it came."""
    settings = Settings(home=home, warehouse=warehouse)
    return (
        read_outputs(settings, schema="raw", without=("_landed_at",)),
        read_outputs(settings, without=("_landed_at", *RUN_TIME_STAMPS)),
    )


@pytest.fixture(scope="session")
def works(
    shared_home: Path, empty_warehouse: Path, worker: Worker, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Work]:
    """A first run, a later one that has news, and a full refresh."""
    folder = shared_home / "faults"
    with FileLock(shared_home / "faults.lock"):
        if not folder.exists():
            unfinished = tmp_path_factory.mktemp("unfinished") / "faults"
            ensure(unfinished / "first", SCALE)
            first = Work(empty_warehouse, unfinished / "first")
            first.run(worker, copy_warehouse(empty_warehouse, unfinished / "published"))
            shutil.copytree(unfinished / "first", unfinished / "later")
            advance(unfinished / "later", changes=100)
            unfinished.rename(folder)
    published = folder / "published" / WAREHOUSE
    return {
        "first run": Work(empty_warehouse, folder / "first"),
        "next run": Work(published, folder / "later"),
        "full refresh": Work(published, folder / "later", full=True),
    }
