"""End to end: the real daemon runs the sensor, and a run of its own fails a check, then is mended."""

from pathlib import Path

import yaml
from dagster import DagsterInstance

from staged_assets_tests.alerts.conftest import Webhook
from staged_assets_tests.alerts.daemon import running_daemon, wait_for

LOCATION = Path(__file__).parent / "tiny_location.py"
ROOT = Path(__file__).parents[2]


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
        "interval_seconds: 1\n"
        "gather_seconds: 5\n"
    )
    environ = {
        "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT), "TINY_SIGNALS": str(signals), "TINY_HOOK": webhook.url,
        "STAGED_ASSETS_ALERTS": str(tmp_path / "alerts.yaml"),
    }  # fmt: skip
    with (
        DagsterInstance.from_config(str(home)) as instance,
        running_daemon(home, environ, "--python-file", str(LOCATION)) as log,
    ):
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
