"""A warm process that forks one child for each order, which lands a change feed and kills itself at a step.

Started as `python -m staged_assets_tests.landing.killed_landing SOURCES WAREHOUSE`. Orders are lines on standard input:
the name of a step, or nothing; the answers `killed` or `done`.
"""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# What is slow is there before the forks.
import adbc_driver_postgresql.dbapi as driver
import duckdb

from staged_assets.landing import land as land_module
from staged_assets.landing.append import Incoming
from staged_assets.landing.raw_area import prepare
from staged_assets.sources import database, postgresql_slot
from staged_assets.sources import postgresql_changes as changes
from staged_assets.sources.config import load_sources
from staged_assets_tests.landing.raw_rows import land

assert driver
assert database

#: step → where the function is, its name, and whether it is done before the kill
STEPS: dict[str, tuple[Any, str, bool]] = {
    "nothing is there": (postgresql_slot._Preparing, "_publish", False),
    "the publication is there": (postgresql_slot._Preparing, "_have_slot", False),
    "the slot is there": (changes, "_read_snapshot", False),
    "the stream begins": (changes._Stream, "read", False),
    "messages are read": (changes._Stream, "_take", True),
    "rows are staged": (Incoming, "add", True),
    "a truncate is staged": (Incoming, "add_truncated", True),
    "rows are appended": (Incoming, "append", True),
    "the cursor is stored": (land_module._Landing, "_store_cursor", True),
    "the landing is noted": (land_module._Landing, "_log", True),
    "all is committed": (land_module._Landing, "_commit", True),
    "the slot is to be advanced": (land_module, "confirm", False),
    "the slot is advanced": (land_module, "confirm", True),
}


def _kill_at(step: str) -> None:
    owner, name, done = STEPS[step]
    original: Callable[..., Any] = getattr(owner, name)

    def killing(*given: Any, **named: Any) -> Any:
        if done:
            original(*given, **named)
        os.kill(os.getpid(), signal.SIGKILL)

    setattr(owner, name, killing)


def main(sources: Path, warehouse: Path) -> None:
    """Take orders."""
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            if line.strip():
                _kill_at(line.strip())
            with duckdb.connect(warehouse) as connection:
                prepare(connection)
                land(connection, load_sources(sources))
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print("killed" if os.WIFSIGNALED(status) else "done" if status == 0 else "failed", flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
