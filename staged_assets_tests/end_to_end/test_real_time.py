"""A row in the ERP, a contact through the CRM's API, a sale by webhook: each is staged by itself, soon."""

import time
from pathlib import Path

import pytest

from benchmarks.latency import STAGED, Scene, wait_until_visible
from staged_assets.refresh.run_worker import WORKER_TAG
from staged_assets.refresh.runs import SYSTEM_TAG, TRIGGER_TAG


def test_changes_in_three_systems_are_staged_by_daemon_sensors_and_warm_runs(tmp_path: Path) -> None:
    scene = Scene(tmp_path)
    with scene.running() as instance:
        for _ in range(2):
            for system, asset in STAGED.items():
                started = time.time()
                scene.change(system)
                wait_until_visible(instance, asset, started)
        runs = instance.get_runs()
    assert scene.staged() == scene.changes == dict.fromkeys(STAGED, 2)
    assert {run.tags[SYSTEM_TAG] for run in runs} == set(STAGED)
    assert {run.tags[TRIGGER_TAG] for run in runs} == {"change poll", "event arrival"}
    assert any(WORKER_TAG in run.tags for run in runs), "none was forked from the warm process"


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scene names its own."""
    monkeypatch.setenv("DAGSTER_HOME", "")
