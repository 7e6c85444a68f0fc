"""Retention by Dagster itself: its job, once a day."""

import dagster as dg

from staged_assets.settings import Settings


def build_retention(settings: Settings) -> tuple[dg.JobDefinition, dg.ScheduleDefinition]:
    """The job that prunes, and its schedule: each day, whatever is in batch or in real time."""

    @dg.op(description=f"Delete runs that ended more than {settings.keep_days} days ago, and what is left of them.")
    def prune_old_runs(context: dg.OpExecutionContext) -> None:
        # Imported where used: the storage's tables bring SQLAlchemy and Alembic along.
        from staged_assets.retention import prune

        pruned = prune(context.instance, settings, context.log.info)
        context.log.info(f"Deleted: {pruned.runs} runs, {pruned.events} events of no run, {pruned.folders} folders.")

    @dg.job(name="retention", description="Keep Dagster's history, and so the cost of a run, from growing for ever.")
    def retention() -> None:
        prune_old_runs()

    status = dg.DefaultScheduleStatus.RUNNING if settings.automatic else dg.DefaultScheduleStatus.STOPPED
    return retention, dg.ScheduleDefinition(
        name="retention_daily", job=retention, cron_schedule="15 4 * * *", default_status=status
    )
