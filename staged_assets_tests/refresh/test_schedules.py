"""Schedules: as the plan has them, through daylight saving, and caught up once when the daemon was down."""

import itertools
import logging
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance
from dagster._core.remote_origin import InProcessCodeLocationOrigin
from dagster._core.test_utils import create_test_daemon_workspace_context, freeze_time, instance_for_test
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import InProcessWorkspaceLoadTarget
from dagster._scheduler.scheduler import launch_scheduled_runs
from dagster._utils.schedules import cron_string_iterator

from staged_assets.definitions import defs
from staged_assets.refresh.policy import NIGHT, plan_refresh
from staged_assets.refresh.schedules import build_schedules, schedule_name
from staged_assets.settings import DEMO_SOURCES, Settings
from staged_assets.sources.config import load_sources
from staged_assets.staging.project import StagingProject


def test_there_is_one_for_each_system_and_time_of_the_plan(shared_home: Path) -> None:
    plan = plan_refresh(load_sources(DEMO_SOURCES))
    (schedule,) = build_schedules(plan, StagingProject(Settings(home=shared_home)))
    assert (schedule.name, schedule.cron_schedule, schedule.execution_timezone) == (
        "erp_at_22_00",
        "0 22 * * *",
        "Europe/Berlin",
    )
    assert schedule.default_status is dg.DefaultScheduleStatus.RUNNING
    run = schedule.evaluate_tick(dg.build_schedule_context()).run_requests[0]  # type: ignore[index]
    config = run.run_config["ops"]["staged_area"]["config"]
    assert (config["systems"], config["feeds"]) == (["erp"], ["branch", "site", "vendor"])
    assert int(run.tags["dagster/priority"]) < 0


@pytest.mark.parametrize(
    ("cron", "name"),
    [
        ("*/30 * * * *", "erp_every_30_minutes"),
        ("0 * * * *", "erp_every_hour"),
        ("0 */12 * * *", "erp_every_12_hours"),
        ("5 3 * * *", "erp_at_03_05"),
    ],
)
def test_names_say_when(cron: str, name: str) -> None:
    assert schedule_name("erp", cron) == name


@pytest.mark.parametrize("zone", ["Europe/Berlin", "Europe/London", "America/New_York", "Australia/Lord_Howe"])
@pytest.mark.parametrize("at", ["0 1 * * *", "30 1 * * *", "30 2 * * *", f"{NIGHT.minute} {NIGHT.hour} * * *"])
def test_a_day_has_one_batch_when_the_clocks_change_too(zone: str, at: str) -> None:
    start = datetime(2026, 1, 1, 12, tzinfo=UTC)
    times = cron_string_iterator(start.timestamp(), at, zone)
    found = [next(times) for _ in range(365)]
    assert len({moment.date() for moment in found}) == 365
    gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
    assert max(abs(gap.total_seconds() - 86_400) for gap in gaps) <= 3_600
    assert found[-1] - found[0] >= timedelta(days=363)


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[DagsterInstance]:
    coordinator = {"module": "dagster._core.test_utils", "class": "MockedRunCoordinator"}
    with instance_for_test({"run_coordinator": coordinator}, temp_dir=str(tmp_path)) as made:
        yield made


@pytest.fixture
def workspace(instance: DagsterInstance) -> Iterator[WorkspaceProcessContext]:
    assert defs.schedules
    origin = InProcessCodeLocationOrigin(
        loadable_target_origin=LoadableTargetOrigin(module_name="staged_assets.definitions", attribute="defs"),
        location_name="staged_assets",
    )
    with create_test_daemon_workspace_context(InProcessWorkspaceLoadTarget(origin), instance) as context:
        yield context


def _daemon(workspace: WorkspaceProcessContext, at: datetime) -> None:
    """The scheduler's look at its schedules, at a time."""
    with freeze_time(at):
        for error in launch_scheduled_runs(workspace, logging.getLogger("scheduler"), at, {}):
            assert error is None, error


def _batches(instance: DagsterInstance) -> list[dg.DagsterRun]:
    return [run for run in instance.get_runs() if run.job_name != "retention"]


def test_a_window_that_was_missed_is_caught_up_once(
    instance: DagsterInstance, workspace: WorkspaceProcessContext
) -> None:
    noon = datetime(2026, 6, 1, 12, tzinfo=UTC)
    _daemon(workspace, noon)
    assert not _batches(instance)
    _daemon(workspace, noon + timedelta(hours=9))
    assert len(_batches(instance)) == 1
    down_for_three_days = noon + timedelta(days=3)
    _daemon(workspace, down_for_three_days)
    runs = _batches(instance)
    assert len(runs) == 2
    assert runs[0].tags[".dagster/scheduled_execution_time"] == "2026-06-03T20:00:00+00:00"
    _daemon(workspace, down_for_three_days + timedelta(minutes=1))
    assert len(_batches(instance)) == 2
