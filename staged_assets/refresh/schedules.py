"""Schedules: one for each batch system and time, as the plan has it."""

import re
from collections.abc import Sequence

import dagster as dg

from staged_assets.refresh.runs import BATCH_PRIORITY, job_name, request
from staged_assets.sources.refresh_plan import FeedPlan, RefreshPlan
from staged_assets.staging.project import StagingProject


def build_schedules(plan: RefreshPlan, project: StagingProject, *, running: bool = True) -> list[dg.ScheduleDefinition]:
    """The schedules.

    A time that was missed while the daemon was down is caught up once when it is there again; a time of day that is
    skipped when the clocks go forward is taken at the next that there is, and one that comes twice, once.

    Args:
        running: whether they do by default.
    """
    status = dg.DefaultScheduleStatus.RUNNING if running else dg.DefaultScheduleStatus.STOPPED
    return [
        _schedule(system, cron, time_zone, feeds, project, status)
        for (system, cron, time_zone), feeds in plan.schedules().items()
    ]


def schedule_name(system: str, cron: str) -> str:
    """As `erp_at_22_00` or `erp_every_3_hours`."""
    minute, hour, *_ = cron.split()
    if minute.startswith("*/"):
        when = f"every_{minute[2:]}_minutes"
    elif hour == "*":
        when = "every_hour"
    elif hour.startswith("*/"):
        when = f"every_{hour[2:]}_hours"
    else:
        when = f"at_{int(hour):02}_{int(minute):02}"
    return re.sub(r"\W", "_", f"{system}_{when}")


def _schedule(
    system: str, cron: str, time_zone: str, feeds: Sequence[FeedPlan], project: StagingProject,
    status: dg.DefaultScheduleStatus,
) -> dg.ScheduleDefinition:  # fmt: skip
    run = request(system, feeds, project, run_key=None, trigger="schedule", priority=BATCH_PRIORITY)
    lines = [f"{plan.feed.dataset} ({plan.feed.name}): {plan.choice.reason}" for plan in feeds]

    @dg.schedule(
        name=schedule_name(system, cron),
        job_name=job_name(system),
        cron_schedule=cron,
        execution_timezone=time_zone,
        default_status=status,
        description="\n\n".join([f"Lands from {system} in batch.", *lines]),
    )
    def batch() -> dg.RunRequest:
        return run

    return batch
