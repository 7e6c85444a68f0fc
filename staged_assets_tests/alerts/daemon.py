"""A real daemon, for tests."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

#: Seconds that something may take on a machine that is busy with other things.
PATIENCE = 150.0


@contextmanager
def running_daemon(home: Path, environ: Mapping[str, str], *location: str) -> Iterator[Callable[[], str]]:
    """`dagster-daemon run` on a code location until the end of the block; gives its output so far."""
    output = home / "daemon.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", *location],
            cwd=home, env={**os.environ, **environ}, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield lambda: output.read_text(errors="replace")
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(what: str, is_there: Callable[[], Any], log: Callable[[], str]) -> None:
    """Wait until something is there, for as long as there is patience."""
    until = time.monotonic() + PATIENCE
    while not is_there():
        assert time.monotonic() < until, f"{what} did not come; the daemon wrote:\n{log()[-4000:]}"
        time.sleep(0.2)
