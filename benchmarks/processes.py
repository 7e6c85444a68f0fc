"""Whole processes: what they take by the clock, and the memory of everything that they start.

Memory is the resident memory (RSS) of the process and all its descendants, summed, sampled every 50 ms (new ones are
looked for every half second): pages that several of them share count once for each.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import psutil

from benchmarks.command import say

ROOT = Path(__file__).parents[1]
#: Of this project's environment.
PYTHON = Path(sys.executable)
#: seconds between two samples; so many samples until descendants are looked for again
_PAUSE, _LOOK = 0.05, 10

#: What one run took: `seconds`, `peak_mb`, and parts of it by name.
Cost = dict[str, float]


class Failed(Exception):
    """A process ended badly, or can't be started; the message is what it said last."""


class Memory:
    """The most memory that a process and its descendants have had, while the block lasts.

    Attributes:
        peak_mb: so far.
    """

    def __init__(self, pid: int) -> None:
        self._root = psutil.Process(pid)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._sample, daemon=True)
        self.peak_mb = 0.0

    def __enter__(self) -> "Memory":
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._ended.set()
        self._thread.join()

    def _sample(self) -> None:
        family = [self._root]
        number = 0
        while True:
            if number % _LOOK == 0:
                with suppress(psutil.NoSuchProcess):
                    family = [self._root, *self._root.children(recursive=True)]
            self.peak_mb = max(self.peak_mb, sum(map(_resident, family)) / 2**20)
            number += 1
            if self._ended.wait(_PAUSE):
                return


def _resident(process: psutil.Process) -> int:
    try:
        return int(process.memory_info().rss)
    except psutil.NoSuchProcess:
        return 0


def run(command: Sequence[str | Path], environment: Mapping[str, str] = {}, folder: Path = ROOT) -> Cost:
    """Run a command to its end.

    Args:
        environment: beside this process's.
        folder: to run it in.

    Raises:
        Failed: it ended with another status than 0.
    """
    with tempfile.TemporaryFile() as said:
        started = time.perf_counter()
        process = _start(command, environment, folder, stdout=said, stderr=subprocess.STDOUT)
        with Memory(process.pid) as memory:
            status = process.wait()
        seconds = time.perf_counter() - started
        if status:
            raise Failed(_end_of(said))
    return {"seconds": seconds, "peak_mb": memory.peak_mb}


def _start(
    command: Sequence[str | Path], environment: Mapping[str, str], folder: Path, **options: Any
) -> subprocess.Popen[Any]:
    given = {name: value for name, value in os.environ.items() if name != "DAGSTER_HOME"}
    given |= {"PYTHONPATH": str(ROOT), **environment}
    return subprocess.Popen([str(part) for part in command], env=given, cwd=folder, **options)


def _end_of(said: Any) -> str:
    """The last of it; of a traceback what it ends with."""
    said.seek(0)
    text = said.read().decode(errors="replace").rpartition("Traceback (most recent call last):")[2]
    lines = [line.strip() for line in text.splitlines() if line.strip() and not line[0].isspace()]
    return " / ".join(lines[-4:]) or "it said nothing"


class Worker:
    """A process that stays, and does what it is asked to (see `serve`).

    Raises:
        Failed: it ended.
    """

    def __init__(self, command: Sequence[str | Path], environment: Mapping[str, str] = {}) -> None:
        self._said = tempfile.TemporaryFile()  # noqa: SIM115 - as long as the process
        self._process = _start(
            command, environment, ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._said, text=True
        )

    def ask(self, action: str) -> Cost:
        """Have it do something; what it took there."""
        with Memory(self._process.pid) as memory:
            answer = self._exchange(action)
        if not answer:
            raise Failed(_end_of(self._said))
        return json.loads(answer) | {"peak_mb": memory.peak_mb}

    def _exchange(self, action: str) -> str:
        with suppress(BrokenPipeError):
            self._process.stdin.write(action + "\n")  # type: ignore[union-attr]
            self._process.stdin.flush()  # type: ignore[union-attr]
        return str(self._process.stdout.readline())  # type: ignore[union-attr]

    def close(self) -> None:
        """End it."""
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(timeout=60)
        self._said.close()


def in_turn(ways: Mapping[str, Callable[[], Cost]], repeat: int) -> tuple[dict[str, list[Cost]], dict[str, str]]:
    """Each way so many times, in turn; one that fails is left out from then on.

    Returns:
        way → its costs; way → why it failed.
    """
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    failed: dict[str, str] = {}
    for number in range(repeat):
        for way, action in ways.items():
            if way in failed:
                continue
            try:
                costs[way].append(action())
            except Failed as failure:
                failed[way] = str(failure)
                say(f"  {number + 1} of {repeat}: {way}: failed: {failure}")
            else:
                say(f"  {number + 1} of {repeat}: {way}: {costs[way][-1]['seconds']:.2f} s")
    return {way: found for way, found in costs.items() if way not in failed}, failed
