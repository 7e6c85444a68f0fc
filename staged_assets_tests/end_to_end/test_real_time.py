"""A row in the ERP, a contact through the CRM's API, a sale by webhook: each is staged by itself, soon."""

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from benchmarks.latency import STAGED, Scene, wait_until_visible
from staged_assets.landing.warehouse import connect
from staged_assets.refresh.run_worker import WORKER_TAG
from staged_assets.refresh.runs import SYSTEM_TAG, TRIGGER_TAG
from staged_assets.sources.needs import read_duration

#: With room: alone on two cores each takes 4 to 7 s; with three times as much to do, 4 to 9 s, and the very first 20 s.
REQUIRED = "60s"


def test_changes_in_three_systems_are_staged_in_time_by_daemon_sensors_and_warm_runs(tmp_path: Path) -> None:
    """Records that are made, one that is changed and one that is deleted."""
    scene = Scene(tmp_path, REQUIRED)
    took: dict[str, float] = {}
    with scene.running() as instance:

        def visible(what: str, change: Callable[[], object], asset: str) -> None:
            started = time.time()
            change()
            took[what] = wait_until_visible(instance, asset, started)

        for _ in range(2):
            for system, asset in STAGED.items():
                visible(f"{system} {scene.changes[system] + 1}", partial(scene.change, system), asset)
        assert scene.staged() == scene.changes == dict.fromkeys(STAGED, 2)
        visible("erp 1 updated", partial(scene.update, 1, 77), STAGED["erp"])
        visible("erp 2 deleted", partial(scene.delete, 2), STAGED["erp"])
        runs = instance.get_runs()
    with connect(scene.settings, read_only=True) as connection:
        staged = connection.execute("select inventory_id::varchar, quantity_on_hand::integer from staged.stg_inventory")
        assert staged.fetchall() == [("1", 77)]
    late = {what: seconds for what, seconds in took.items() if seconds > read_duration(REQUIRED).total_seconds()}
    assert not late
    assert {run.tags[SYSTEM_TAG] for run in runs} == set(STAGED)
    assert {run.tags[TRIGGER_TAG] for run in runs} == {"change poll", "event arrival"}
    assert any(WORKER_TAG in run.tags for run in runs), "none was forked from the warm process"


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """The scene names its own."""
    monkeypatch.setenv("DAGSTER_HOME", "")
