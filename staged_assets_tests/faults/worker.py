"""A warm process that forks one child for each order, which does the work of a run and may be killed on the way.

Started as `python -m staged_assets_tests.faults.worker HOME TEMPLATE`. Orders and answers are lines of JSON on standard
input and output. Everything slow (imports, the parsed dbt project) is there before the forks.

An order: `work` (`run`, `demo`); `killed_after` (seconds) or `killed_before` (number of a statement, or of those that
hold the text `among`); and what the work needs. An answer: `ended` (`done`, `killed`, `failed`), `seconds`, the number
of SQL `statements` where it was done, the `error` where it failed.
"""

import json
import os
import shutil
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

from staged_assets.demo.systems import ensure
from staged_assets.landing import warehouse
from staged_assets.landing.land import land_feed
from staged_assets.landing.raw_area import prepare
from staged_assets_tests.staged_area import SOURCES, StagedArea

Order = dict[str, Any]


def run(home: Path, order: Order) -> None:
    """Land from every feed of some datasets, then refresh these, as the main job does."""
    os.environ.update(order["systems"])
    area = StagedArea(home, Path(order["warehouse"]))
    with warehouse.exclusive(area.settings):
        for dataset in order["datasets"]:
            with warehouse.connect(area.settings) as connection:
                prepare(connection)
                for system, feed in SOURCES.feeds_of(dataset):
                    land_feed(connection, SOURCES, system, feed)
        area.refresh(order["datasets"], full=order["full"])


def demo(home: Path, order: Order) -> None:
    """Make the demo's systems."""
    ensure(Path(order["path"]), order["scale"])


WORK: dict[str, Callable[[Path, Order], None]] = {"run": run, "demo": demo}


class Statements:
    """Counts the SQL statements of this process, and dies before one of them."""

    def __init__(self, last: int | None, among: str) -> None:
        self._last = last
        self._among = among
        self.count = 0

    def before_one(self, sql: str) -> None:
        self.count += self._among in sql
        if self.count == self._last:
            os.kill(os.getpid(), signal.SIGKILL)

    def watch(self) -> None:
        """From now on."""
        connect = warehouse.duckdb.connect
        warehouse.duckdb.connect = lambda *args, **options: _Connection(connect(*args, **options), self)


class _Connection:
    """A connection whose statements are counted."""

    def __init__(self, connection: Any, statements: Statements) -> None:
        self._connection = connection
        self._statements = statements

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._connection, name)
        if name not in ("execute", "executemany", "begin", "commit", "rollback", "close"):
            return found

        def counted(*args: Any, **options: Any) -> Any:
            self._statements.before_one(str(args[0]) if args else name)
            return found(*args, **options)

        return counted


def serve(home: Path, order: Order) -> dict[str, Any]:
    """Do the work in a child, and kill that when it is time."""
    reading, writing = os.pipe()
    started = time.monotonic()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _be_child(home, order, writing)
    os.close(writing)
    limit = order.get("killed_after")
    if limit is not None:
        while time.monotonic() - started < limit and os.waitid(os.P_PID, child, _LOOK) is None:
            time.sleep(0.002)
        os.kill(child, signal.SIGKILL)
    with os.fdopen(reading) as answer:
        told = json.loads(answer.read() or "{}")
    _, status = os.waitpid(child, 0)
    ended = "killed" if os.WIFSIGNALED(status) else "failed" if os.WEXITSTATUS(status) else "done"
    return {"ended": ended, "seconds": time.monotonic() - started, **told}


_LOOK = os.WEXITED | os.WNOHANG | os.WNOWAIT


def _be_child(home: Path, order: Order, answer: int) -> None:
    statements = Statements(order.get("killed_before"), order.get("among", ""))
    told: dict[str, Any] = {}
    try:
        os.dup2(2, 1)
        statements.watch()
        WORK[order["work"]](home, order)
        told = {"statements": statements.count}
    finally:
        # Not `sys.exit`: what the parent has registered for its end is none of the child's business.
        with os.fdopen(answer, "w") as file:
            file.write(json.dumps(told or {"error": traceback.format_exc()}))
        os._exit(0 if told else 1)


def main(home: Path, template: Path) -> None:
    """Warm up on a scratch copy of a warehouse, then take orders."""
    scratch = template.parent / f"scratch_{os.getpid()}"
    scratch.mkdir()
    area = StagedArea(home, Path(shutil.copy(template, scratch)))
    area.land("touchpoints", "crm", [{"touchpoint_id": "1"}])
    area.refresh(["touchpoints"])
    shutil.rmtree(scratch)
    for line in sys.stdin:
        print(json.dumps(serve(home, json.loads(line))), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
