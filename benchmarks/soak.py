"""Operation, simulated: three systems change, one fails at random, daemon and warm process are killed now and then.

    .venv/bin/python -m benchmarks.soak [--minutes 30] [--json FILE]

Records are made, changed and deleted; three feeds are in real time, one in batch. Meanwhile the web UI executes checks
of whole tables by themselves and batch runs, and `status`, runs and replays by hand and readers of the read copy go on.
At the end all that was sent must be published, no run may have failed but for what was done to it, and every output,
quarantine included, must equal a full refresh. Prints one JSON object; ends with status 1 if not.
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

import dagster as dg
import duckdb

from benchmarks.command import finish, parser, say
from benchmarks.latency import PATIENCE
from benchmarks.living_systems import FEEDS, LivingSystems
from staged_assets.landing.warehouse import connect
from staged_assets.refresh.runs import TRIGGER_TAG

#: what a command or a run may end with while the CRM is down
_DOWN = "can't be reached"
#: what a run says of its end whose process was killed, by what ended it
_KILLED = ("SIGKILL", "signal 9", "is gone", "no longer", "crash", "interrupted")
#: what run monitoring says of a run whose launcher was killed, with the daemon, just when it began to start it
_NEVER_STARTED = "seconds to start"
#: columns that say when a refresh ran
_STAMPS = ("_staged_at", "_first_seen_at")
#: records of each feed that are there when it begins: so many that one that is refused is no high share
_AT_FIRST = 10
#: seconds in which all that was sent must be published, and all runs be over, when nothing fails any more
_LONGEST_QUIET = 900.0
#: seconds that a command may take before it is taken for one that waits for ever
_LONGEST_COMMAND = 600.0
_OVER = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class Soak:
    """One course of operation.

    Args:
        scene: the systems.
        dice: decides what happens.
        progress: told of it.
    """

    def __init__(self, scene: LivingSystems, dice: random.Random, progress: Callable[[str], None]) -> None:
        self._scene = scene
        self._dice = dice
        self._progress = progress
        self._crm_is_down = False
        self._commands: list[tuple[str, float, subprocess.Popen[str]]] = []
        self.done: Counter[str] = Counter()
        self.problems: list[str] = []

    def begin(self, instance: dg.DagsterInstance) -> None:
        """Publish all datasets for the first time: checks by themselves need something to look at."""
        for feeds in FEEDS.values():
            for feed in feeds:
                for _ in range(_AT_FIRST):
                    self._scene.make(feed)
        run_id = self._scene.launch_all()
        self._progress("waiting until all is published for the first time")
        until = time.monotonic() + PATIENCE
        while (status := _status(instance, run_id)) not in _OVER and time.monotonic() < until:
            time.sleep(0.5)
        if status != dg.DagsterRunStatus.SUCCESS:
            raise RuntimeError(f"the first run is {status.value}: {_reason(instance, run_id)}")

    def go_on(self, minutes: float) -> None:
        """Let things happen for so long, each at least once; afterwards everything runs."""
        until = time.monotonic() + minutes * 60
        weights: dict[Callable[[], None], float] = {
            self._change: 0.60,
            self._command: 0.10,
            self._read: 0.05,
            self._toggle_crm: 0.04,
            self._check: 0.04,
            self._refuse: 0.02,
            self._batch: 0.01,
            self._kill_warm_process: 0.01,
            self._kill_daemon: 0.005,
        }
        first = list(weights)
        told = time.monotonic()
        while first or time.monotonic() < until:
            if time.monotonic() > told + 60:
                told = time.monotonic()
                self._progress(", ".join(f"{count} {what}" for what, count in self.done.items()))
            event = first.pop(0) if first else self._dice.choices(list(weights), list(weights.values()))[0]
            event()
            self._collect()
            time.sleep(self._dice.uniform(0, 2))
        if self._crm_is_down:
            self._toggle_crm()
        while self._commands:
            self._collect()
            time.sleep(0.2)
        # What has changed since the last batch.
        self._batch()

    def settle(self, instance: dg.DagsterInstance) -> bool:
        """Wait until all that was sent is published, and no run is under way."""
        until = time.monotonic() + _LONGEST_QUIET
        while time.monotonic() < until:
            is_there = self._scene.published() == self._scene.expected
            is_there &= self._scene.quarantined() == self._scene.refused
            if is_there and all(run.status in _OVER for run in instance.get_runs(limit=50)):
                return True
            time.sleep(2)
        found = self._scene.published()
        for feed, expected in self._scene.expected.items():
            amiss = sorted(set(expected.items()) ^ set(found[feed].items()))
            if amiss:
                self.problems.append(f"{feed}: not as sent are {len(amiss)} keys and values: {amiss[:6]}")
        return False

    def _problem(self, sentence: str) -> None:
        self.problems.append(sentence)
        self._progress(sentence)

    def _change(self) -> None:
        systems = [name for name in FEEDS if not (name == "crm" and self._crm_is_down)]
        self.done[f"records {self._scene.live(self._dice.choice(systems))}"] += 1

    def _refuse(self) -> None:
        self._scene.refuse()
        self.done["records to be quarantined"] += 1

    def _check(self) -> None:
        self._scene.launch_checks(self._dice.choice([feed for feeds in FEEDS.values() for feed in feeds]))
        self.done["checks of a whole table"] += 1

    def _batch(self) -> None:
        self._scene.launch_batch()
        self.done["batch runs by the web UI"] += 1

    def _command(self) -> None:
        if len(self._commands) >= 2:
            return
        verbs = [["status"], ["run"], ["run", "--system", "erp"], ["replay", "sales", "--from", "1"]]
        arguments = self._dice.choice(verbs)
        self._start(" ".join(arguments), [sys.executable, "-m", "staged_assets.cli", *arguments, "--json"])
        self.done[f"{arguments[0]} by hand"] += 1

    def _read(self) -> None:
        copy = self._scene.settings.read_copy_path
        if copy is None or not copy.exists():
            return
        script = f"import duckdb, time; c = duckdb.connect({str(copy)!r}, read_only=True);" + (
            " c.sql('from duckdb_tables()').fetchall(); time.sleep(5)"
        )
        self._start("reader", [sys.executable, "-c", script])
        self.done["readers"] += 1

    def _start(self, name: str, command: list[str]) -> None:
        process = subprocess.Popen(
            command, cwd=self._scene.folder, env=self._scene.environment, stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._commands.append((name, time.monotonic(), process))

    def _collect(self) -> None:
        for entry in list(self._commands):
            name, started, process = entry
            if process.poll() is None:
                if time.monotonic() < started + _LONGEST_COMMAND:
                    continue
                process.kill()
            _, said = process.communicate()
            self._commands.remove(entry)
            if process.returncode and _DOWN not in said:
                self._problem(f"{name} ended with {process.returncode}: {said.strip()[-300:]}")

    def _toggle_crm(self) -> None:
        if self._crm_is_down:
            self._scene.start_crm()
        else:
            self._scene.stop("crm", kill=True)
        self._crm_is_down = not self._crm_is_down
        self.done["crm up or down"] += 1
        self._progress(f"the CRM is {'down' if self._crm_is_down else 'up'}")

    def _kill_warm_process(self) -> None:
        """With the runs that it has forked, which look like it."""
        found = subprocess.run(["pgrep", "-f", "staged_assets.refresh.warm_process"], capture_output=True, text=True)
        for pid in map(int, found.stdout.split()):
            with contextlib.suppress(OSError):  # it may have ended meanwhile
                if f"DAGSTER_HOME={self._scene.home}".encode() in Path(f"/proc/{pid}/environ").read_bytes():
                    parent = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1]
                    os.kill(pid, signal.SIGKILL)
                    what = "run" if parent in found.stdout.split() else "warm process"
                    self.done[f"{what} killed"] += 1
                    self._progress(f"the {what} was killed")

    def _kill_daemon(self) -> None:
        self._scene.stop("daemon", kill=True)
        self._scene.start_daemon()
        self.done["daemon killed"] += 1
        self._progress("the daemon was killed and started again")


def _status(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRunStatus:
    (run,) = instance.get_runs(dg.RunsFilter(run_ids=[run_id]))
    return run.status


def _kind(run: dg.DagsterRun) -> str:
    by = run.tags.get(TRIGGER_TAG) or ("sensor" if run.tags.get("dagster/sensor_name") else "by hand")
    return f"{'checks' if run.job_name == '__ASSET_JOB' else run.job_name}, {by}"


def _runs(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Of each kind of run, how they ended and how long the one waited that waited longest; why runs failed."""
    kinds: dict[str, dict[str, Any]] = {}
    reasons: Counter[str] = Counter()
    for record in instance.get_run_records():
        run = record.dagster_run
        one = kinds.setdefault(_kind(run), {"longest_wait_seconds": 0.0})
        one[run.status.value] = one.get(run.status.value, 0) + 1
        if record.start_time is not None:
            wait = record.start_time - record.create_timestamp.timestamp()
            one["longest_wait_seconds"] = max(one["longest_wait_seconds"], round(wait, 1))
        if run.status != dg.DagsterRunStatus.SUCCESS:
            reasons[_reason(instance, run.run_id)] += 1
    return {"kinds": dict(sorted(kinds.items())), "failed_because": dict(reasons.most_common())}


def _reason(instance: dg.DagsterInstance, run_id: str) -> str:
    events = {dg.DagsterEventType.STEP_FAILURE, dg.DagsterEventType.RUN_FAILURE, dg.DagsterEventType.ENGINE_EVENT}
    said = []
    for entry in instance.all_logs(run_id, of_type=events):
        event = entry.dagster_event
        if event is not None and event.is_step_failure and event.step_failure_data.user_failure_data:
            said += list(event.step_failure_data.user_failure_data.metadata["failures"].value)  # type: ignore[arg-type]
        elif event is not None and (event.is_failure or event.is_step_failure):
            error = getattr(event.event_specific_data, "error", None)
            said.append(f"{event.message or ''} {error.to_string() if error else ''}")
    text = " ".join(said)
    if said and all(_DOWN in one or "Execution of run" in one or "Steps failed" in one for one in said):
        return "the CRM was down"
    if any(sign in text for sign in _KILLED):
        return "it was killed"
    if _NEVER_STARTED in text:
        return "its launcher was killed"
    return " ".join(text.split())[:600] or "nothing is said"


def _failed_checks(instance: dg.DagsterInstance) -> dict[str, int]:
    """Check → how often it failed with an error."""
    found: Counter[str] = Counter()
    for run in instance.get_runs():
        for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ASSET_CHECK_EVALUATION):
            one = entry.dagster_event.asset_check_evaluation_data if entry.dagster_event else None
            if one is not None and not one.passed and one.severity == dg.AssetCheckSeverity.ERROR:
                found[f"{one.asset_key.to_user_string()}: {one.check_name}"] += 1
    return dict(found)


def _outputs(scene: LivingSystems) -> dict[str, list[Any]]:
    """Table or view → its rows, without what differs from run to run."""
    with connect(scene.settings, read_only=True) as connection:
        return _relations(connection)


def _relations(connection: duckdb.DuckDBPyConnection) -> dict[str, list[Any]]:
    found = {}
    names = """
        select table_name from information_schema.tables
        where table_schema = 'staged' and table_name not like '%candidate' order by table_name
    """
    for (name,) in connection.execute(names).fetchall():
        columns = [row[0] for row in connection.execute(f"describe staged.{name}").fetchall()]
        left_out = ", ".join(column for column in columns if column in _STAMPS)
        kept = f"* exclude ({left_out})" if left_out else "*"
        found[name] = connection.execute(f"select {kept} from staged.{name} order by all").fetchall()
    return found


def measure(minutes: float, progress: Callable[[str], None], scene: LivingSystems) -> dict[str, Any]:
    """Let it run, and compare."""
    with scene.running() as instance:
        scene.start_web()
        soak = Soak(scene, scene.dice, progress)
        soak.begin(instance)
        soak.go_on(minutes)
        progress("waiting until all is published")
        settled = soak.settle(instance)
        runs, failed_checks = _runs(instance), _failed_checks(instance)
    known = {"the CRM was down", "it was killed", "its launcher was killed"}
    soak.problems += [f"a run failed: {reason}" for reason in runs["failed_because"] if reason not in known]
    incremental = _outputs(scene)
    full = [sys.executable, "-m", "staged_assets.cli", "run", "--full-refresh", "--json"]
    progress("refreshing all from raw")
    scene.start_crm()
    refreshed = subprocess.run(full, cwd=scene.folder, env=scene.environment, capture_output=True, text=True)
    scene.stop("crm")
    whole = _outputs(scene)
    with duckdb.connect(str(scene.settings.read_copy_path), read_only=True) as copy:
        copied = _relations(copy)
    return {
        "minutes": minutes,
        "done": dict(sorted(soak.done.items())),
        "runs": runs,
        "failed_checks": failed_checks,
        "problems": soak.problems,
        "all_published": settled,
        "full_refresh_status": refreshed.returncode,
        "rows": {name: len(rows) for name, rows in whole.items() if rows},
        "compared": len(whole),
        "different_from_full_refresh": sorted(n for n in {*whole, *incremental} if whole.get(n) != incremental.get(n)),
        "read_copy_different": sorted(name for name in copied if copied[name] != whole[name]),
    }


def is_good(found: dict[str, Any]) -> bool:
    """Whether nothing was amiss."""
    amiss = ("problems", "different_from_full_refresh", "read_copy_different", "full_refresh_status")
    return bool(found["all_published"]) and not any(found[name] for name in amiss)


def main() -> None:
    """Run and print."""
    given = parser(__doc__)
    given.add_argument("--minutes", type=float, default=30)
    options = given.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        scene = LivingSystems(Path(folder))
        found = measure(options.minutes, lambda line: say(f"{time.monotonic() - started:6.0f} s  {line}"), scene)
    finish(options, found)
    raise SystemExit(0 if is_good(found) else 1)


if __name__ == "__main__":
    main()
