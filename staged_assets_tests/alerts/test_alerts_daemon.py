"""End to end: the real daemon runs the sensor, and a run of its own fails a check, then is mended."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import yaml
from dagster import DagsterInstance

from staged_assets_tests.alerts.conftest import Webhook

LOCATION = Path(__file__).parent / "tiny_location.py"
ROOT = Path(__file__).parents[2]
PATIENCE = 150.0


@contextmanager
def running_daemon(home: Path, environ: dict[str, str]) -> Iterator[Callable[[], str]]:
    """`dagster-daemon run` until the end of the block; gives its output so far."""
    output = home / "daemon.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster._daemon", "run", "--python-file", str(LOCATION)],
            cwd=home, env={**os.environ, **environ}, stdout=file, stderr=subprocess.STDOUT,
        )  # fmt: skip
    try:
        yield lambda: output.read_text(errors="replace")
    finally:
        process.terminate()
        process.wait(timeout=30)


def wait_for(what: str, is_there: Callable[[], Any], log: Callable[[], str]) -> None:
    until = time.monotonic() + PATIENCE
    while not is_there():
        assert time.monotonic() < until, f"{what} did not come; the daemon wrote:\n{log()[-4000:]}"
        time.sleep(0.2)


def test_a_failed_check_of_a_run_reaches_a_person_once_and_so_does_its_recovery(
    tmp_path: Path, webhook: Webhook
) -> None:
    home, signals = tmp_path / "home", tmp_path / "signals"
    home.mkdir()
    signals.mkdir()
    coordinator = {
        "module": "dagster.core.run_coordinator",
        "class": "QueuedRunCoordinator",
        "config": {"dequeue_interval_seconds": 1},
    }
    (home / "dagster.yaml").write_text(
        yaml.safe_dump({"telemetry": {"enabled": False}, "run_coordinator": coordinator})
    )
    (tmp_path / "alerts.yaml").write_text(
        "version: 1\n"
        "channels: {hook: {kind: apprise, url: '${TINY_HOOK}'}, console: {kind: console}}\n"
        "routes: []\n"
        "otherwise: [hook, console]\n"
        "gather_seconds: 5\n"
    )
    environ = {
        "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT), "TINY_SIGNALS": str(signals), "TINY_HOOK": webhook.url,
        "STAGED_ASSETS_ALERTS": str(tmp_path / "alerts.yaml"),
    }  # fmt: skip
    with DagsterInstance.from_config(str(home)) as instance, running_daemon(home, environ) as log:
        memory = {"staged_assets/alerts/tiny_location.py/alerts"}
        wait_for("the sensor's first tick", lambda: instance.daemon_cursor_storage.get_cursor_values(memory), log)
        (signals / "run_1").touch()
        wait_for("the alert", lambda: webhook.received, log)
        (signals / "mended").touch()
        (signals / "run_2").touch()
        wait_for("the recovery", lambda: len(webhook.received) > 1, log)
        [mended, failed] = instance.get_run_records()
    alert, recovery = webhook.texts
    # The check failed the run: that is one failure, not two.
    assert alert.startswith("staged-assets: 1 error\n")
    assert "stg_sales dates_parse" in alert
    assert "7 of 7 rows (100.00 %)" in alert
    assert f"http://127.0.0.1:3000/runs/{failed.dagster_run.run_id}" in alert
    assert recovery.startswith("staged-assets: 1 recovered\n")
    assert f"/runs/{mended.dagster_run.run_id}" in recovery
    assert "ERROR stg_sales dates_parse: failed at" in log()
