"""The launcher in a real daemon, with a code server and run monitoring."""

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from dagster import DagsterRunStatus, RunsFilter

from staged_assets.refresh.processes import supported
from staged_assets_tests.alerts.daemon import running_daemon, wait_for
from staged_assets_tests.command_line import ROOT
from staged_assets_tests.refresh.test_warm_launcher import parent_of
from staged_assets_tests.refresh.warm_area import WarmArea

pytestmark = pytest.mark.skipif(
    not supported(), reason="only Linux can fork safely; elsewhere the stock launcher is used"
)

Log = Callable[[], str]


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[WarmArea, Log]]:
    """A home with its daemon, and what that has written."""
    area = WarmArea(tmp_path_factory.mktemp("area"))
    area.set_up()
    environ = {"DAGSTER_HOME": str(area.home), "PYTHONPATH": str(ROOT)}
    with running_daemon(area.folder, environ, "--python-file", str(area.code)) as log:
        yield area, log
    area.end()


def _started(area: WarmArea, log: Log, name: str, **orders: object) -> str:
    """A run that the sensor requests, once it has begun."""
    (area.folder / f"order_{name}.json").write_text(json.dumps(orders))
    found = RunsFilter(tags={"dagster/run_key": f"order_{name}.json"}, statuses=[DagsterRunStatus.STARTED])
    wait_for(f"run {name}", lambda: area.instance.get_runs(found), log)
    return area.instance.get_runs(found)[0].run_id


def _ended(area: WarmArea, log: Log, run_id: str) -> DagsterRunStatus:
    wait_for("the end of the run", lambda: area.run(run_id).is_finished, log)
    return area.run(run_id).status


def test_a_requested_run_is_forked(daemon: tuple[WarmArea, Log], tmp_path: Path) -> None:
    area, log = daemon
    run_id = _started(area, log, "ordinary", wait_for=str(tmp_path / "go"))
    assert area.process_of(run_id)
    (tmp_path / "go").touch()
    assert _ended(area, log, run_id) is DagsterRunStatus.SUCCESS


def test_run_monitoring_finds_a_run_that_crashed_after_the_warm_process(daemon: tuple[WarmArea, Log]) -> None:
    area, log = daemon
    run_id = _started(area, log, "crash", wait_for="never")
    process = area.process_of(run_id)
    os.kill(parent_of(process), signal.SIGKILL)
    os.kill(process, signal.SIGKILL)
    assert _ended(area, log, run_id) is DagsterRunStatus.FAILURE
    assert any(f"The run's process (pid {process}) is gone" in message for message in area.messages(run_id))
