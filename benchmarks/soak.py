"""Operation, simulated: three systems change, one fails at random, daemon and warm process are killed now and then.

    .venv/bin/python -m benchmarks.soak [--minutes 30] [--json FILE]

Meanwhile batch runs, checks of whole tables, `status` and a reader of the read copy go on. At the end all that was sent
must be published, and every output must equal a full refresh. Prints one JSON object; ends with status 1 if not.
"""

import contextlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb

from benchmarks.command import finish, parser, say
from benchmarks.latency import STAGED, Scene
from staged_assets.landing.warehouse import connect

#: what a command may end with while the CRM is down
_DOWN = "can't be reached"
#: columns that say when a refresh ran
_STAMPS = ("_staged_at", "_first_seen_at")
#: seconds in which all that was sent must be published, when nothing fails any more
_LONGEST_QUIET = 900.0


class Soak:
    """One course of operation.

    Args:
        scene: the systems.
        dice: decides what happens.
        progress: told of it.
    """

    def __init__(self, scene: Scene, dice: random.Random, progress: Callable[[str], None]) -> None:
        self._scene = scene
        self._dice = dice
        self._progress = progress
        self._crm_is_down = False
        self._commands: list[tuple[str, subprocess.Popen[str]]] = []
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []

    def go_on(self, minutes: float) -> None:
        """Let things happen for so long; afterwards everything runs."""
        until = time.monotonic() + minutes * 60
        events: list[tuple[float, Callable[[], None]]] = [
            (0.60, self._change),
            (0.10, self._command),
            (0.05, self._read),
            (0.04, self._toggle_crm),
            (0.01, self._kill_warm_process),
            (0.005, self._kill_daemon),
        ]
        told = time.monotonic()
        while time.monotonic() < until:
            if time.monotonic() > told + 60:
                told = time.monotonic()
                self._progress(", ".join(f"{count} {what}" for what, count in self.done.items()))
            (event,) = self._dice.choices([event for _, event in events], [weight for weight, _ in events])
            event()
            self._collect(wait=False)
            time.sleep(self._dice.uniform(0, 2))
        if self._crm_is_down:
            self._toggle_crm()
        self._collect(wait=True)

    def settle(self) -> bool:
        """Wait until all that was sent is published."""
        until = time.monotonic() + _LONGEST_QUIET
        while time.monotonic() < until:
            if self._scene.staged() == self._scene.changes:
                return True
            time.sleep(2)
        return False

    def _change(self) -> None:
        system = self._dice.choice([name for name in STAGED if not (name == "crm" and self._crm_is_down)])
        self._scene.change(system)
        self.done["changes"] += 1

    def _command(self) -> None:
        if len(self._commands) >= 2:
            return
        verbs = [["status"], ["run"], ["run", "--system", "erp"], ["replay", "sales", "--from", "1"]]
        arguments = self._dice.choice(verbs)
        command = [sys.executable, "-m", "staged_assets.cli", *arguments, "--json"]
        process = subprocess.Popen(
            command, cwd=self._scene.folder, env=self._scene.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._commands.append((" ".join(arguments), process))
        self.done[arguments[0]] += 1

    def _collect(self, *, wait: bool) -> None:
        for entry in list(self._commands):
            name, process = entry
            if not wait and process.poll() is None:
                continue
            _, said = process.communicate(timeout=600)
            self._commands.remove(entry)
            if process.returncode and _DOWN not in said:
                self.problems.append(f"{name} ended with {process.returncode}: {said.strip()[-300:]}")
                self._progress(self.problems[-1])

    def _read(self) -> None:
        copy = self._scene.settings.read_copy_path
        if copy is None or not copy.exists():
            return
        script = f"import duckdb, time; c = duckdb.connect({str(copy)!r}, read_only=True);" + (
            " c.sql('from duckdb_tables()').fetchall(); time.sleep(5)"
        )
        command = [sys.executable, "-c", script]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
        self._commands.append(("reader", process))
        self.done["readers"] += 1

    def _toggle_crm(self) -> None:
        if self._crm_is_down:
            self._scene.start_crm()
        else:
            self._scene.stop("crm", kill=True)
        self._crm_is_down = not self._crm_is_down
        self.done["crm up or down"] += 1
        self._progress(f"the CRM is {'down' if self._crm_is_down else 'up'}")

    def _kill_warm_process(self) -> None:
        found = subprocess.run(["pgrep", "-f", "staged_assets.refresh.warm_process"], capture_output=True, text=True)
        for pid in map(int, found.stdout.split()):
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                if f"DAGSTER_HOME={self._scene.home}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    os.kill(pid, signal.SIGKILL)
                    self.done["warm process killed"] += 1
                    self._progress("the warm process was killed")

    def _kill_daemon(self) -> None:
        self._scene.stop("daemon", kill=True)
        self._scene.start_daemon()
        self.done["daemon killed"] += 1
        self._progress("the daemon was killed and started again")


def _outputs(scene: Scene) -> dict[str, list[Any]]:
    """Table → its rows, without what differs from run to run."""
    with connect(scene.settings, read_only=True) as connection:
        return _tables(connection)


def _tables(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    found = {}
    names = "select table_name from duckdb_tables() where schema_name = 'staged' and table_name not like '%candidate'"
    for (name,) in connection.execute(names).fetchall():
        columns = [row[0] for row in connection.execute(f"describe staged.{name}").fetchall()]
        left_out = ", ".join(column for column in columns if column in _STAMPS)
        kept = f"* exclude ({left_out})" if left_out else "*"
        found[name] = connection.execute(f"select {kept} from staged.{name} order by all").fetchall()
    return found


def measure(minutes: float, progress: Callable[[str], None]) -> dict[str, Any]:
    """Let it run, and compare."""
    dice = random.Random(11)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        with scene.running() as instance:
            for system in STAGED:
                scene.change(system)
            soak = Soak(scene, dice, progress)
            soak.go_on(minutes)
            progress("waiting until all is published")
            settled = soak.settle()
            statuses = Counter(run.status.value for run in instance.get_runs())
        incremental = _outputs(scene)
        os.environ.update({name: value for name, value in scene.environment.items() if "STAGED" in name})
        full = [sys.executable, "-m", "staged_assets.cli", "run", "--full-refresh", "--json"]
        scene.start_crm()
        refreshed = subprocess.run(full, cwd=folder, env=scene.environment, capture_output=True, text=True)
        scene.stop("crm")
        whole = _outputs(scene)
        different = sorted(name for name in whole if whole[name] != incremental.get(name))
        with duckdb.connect(str(scene.settings.read_copy_path), read_only=True) as copy:
            copied = _tables(copy)
        copy_differs = sorted(name for name in copied if copied[name] != whole[name])
    return {
        "minutes": minutes,
        "done": dict(soak.done),
        "runs": dict(statuses),
        "problems": soak.problems,
        "all_published": settled,
        "full_refresh_status": refreshed.returncode,
        "different_from_full_refresh": different,
        "read_copy_different": copy_differs,
    }


def main() -> None:
    """Run and print."""
    given = parser(__doc__)
    given.add_argument("--minutes", type=float, default=30)
    options = given.parse_args()
    started = time.monotonic()
    found = measure(options.minutes, lambda line: say(f"{time.monotonic() - started:6.0f} s  {line}"))
    finish(options, found)
    good = found["all_published"] and not (
        found["problems"] or found["different_from_full_refresh"] or found["read_copy_different"]
    )
    raise SystemExit(0 if good and not found["full_refresh_status"] else 1)


if __name__ == "__main__":
    main()
