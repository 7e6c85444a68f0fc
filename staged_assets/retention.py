"""Retention: what is kept of runs that are long over, and what old states of the dbt project left, is deleted.

Nothing that is current goes: of each asset and each check the last events stay, and so do the runs that they are of.
The data itself, raw rows first of all, is never touched.
"""

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import dagster as dg
from dagster._core.storage.event_log.schema import (
    AssetCheckExecutionsTable,
    AssetEventTagsTable,
    SqlEventLogStorageTable,
)
from sqlalchemy import Connection, delete, func, select

from staged_assets.settings import Settings
from staged_assets.staging.project import StagingProject

#: of runs and events that no run has
_RUNLESS = ""
_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]
#: SQLite takes no more than some thousand parameters
_AT_ONCE = 500
_PRUNED_AT = "staged_assets/pruned_at"
_DAY = 86_400.0


@dataclass(frozen=True)
class Pruned:
    """What was deleted: runs with their events and logs, events of no run, folders of old states of the dbt project."""

    runs: int = 0
    events: int = 0
    folders: int = 0


def prune(
    instance: dg.DagsterInstance, settings: Settings, on_progress: Callable[[str], None] = lambda line: None
) -> Pruned:
    """Delete what is older than `settings.keep_days` and not current.

    Args:
        on_progress: told a sentence now and then.
    """
    before = datetime.now(UTC) - timedelta(days=settings.keep_days)
    runs = _old_runs(instance, before)
    for number, run_id in enumerate(runs):
        if number % 100 == 0:
            on_progress(f"deleting {len(runs) - number:,} runs that ended before {before:%Y-%m-%d}")
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
    events = _prune_index(instance, runs, before)
    pruned = Pruned(len(runs), events, _prune_folders(settings, before))
    instance.daemon_cursor_storage.set_cursor_values({_PRUNED_AT: str(time.time())})
    return pruned


def prune_if_due(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Once a day, for whom no daemon does it."""
    last = instance.daemon_cursor_storage.get_cursor_values({_PRUNED_AT}).get(_PRUNED_AT)
    if last is None or time.time() - float(last) >= _DAY:
        prune(instance, settings)


def _old_runs(instance: dg.DagsterInstance, before: datetime) -> list[str]:
    filters = dg.RunsFilter(statuses=_FINISHED, updated_before=before)
    found = instance.run_storage.get_run_ids(filters)
    current = _current_runs(instance) if found else set()
    return [run_id for run_id in found if run_id not in current]


def _current_runs(instance: dg.DagsterInstance) -> set[str]:
    """The runs of the last event of each kind of each asset, and of the last evaluation of each check."""
    events, checks = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c
    with _index(instance) as connection:
        found = connection.execute(select(events.run_id).where(events.id.in_(_last_events())))
        evaluated = connection.execute(select(checks.run_id).where(checks.id.in_(_last_evaluations())))
        return {run_id for (run_id,) in [*found, *evaluated]}


def _last_events() -> Any:
    events = SqlEventLogStorageTable.c
    asked = select(func.max(events.id)).where(events.asset_key.is_not(None))
    return asked.group_by(events.asset_key, events.dagster_event_type)


def _last_evaluations(column: str = "id") -> Any:
    checks = AssetCheckExecutionsTable.c
    asked = select(func.max(checks[column])).where(checks[column].is_not(None))
    return asked.group_by(checks.asset_key, checks.check_name)


def _prune_index(instance: dg.DagsterInstance, runs: Sequence[str], before: datetime) -> int:
    """What deleting a run leaves of it, and events of no run, as sensors report them."""
    events, checks, tags = SqlEventLogStorageTable.c, AssetCheckExecutionsTable.c, AssetEventTagsTable.c
    moment = before.replace(tzinfo=None)
    with _index(instance) as connection:
        for start in range(0, len(runs), _AT_ONCE):
            some = runs[start : start + _AT_ONCE]
            connection.execute(delete(AssetCheckExecutionsTable).where(checks.run_id.in_(some)))
        old = (checks.run_id == _RUNLESS) & (checks.evaluation_event_timestamp < moment)
        connection.execute(delete(AssetCheckExecutionsTable).where(old & checks.id.not_in(_last_evaluations())))
        pruned = _prune_runless(connection, moment)
        left = tags.event_id.not_in(select(events.id))
        connection.execute(delete(AssetEventTagsTable).where((tags.event_timestamp < moment) & left))
    with instance.event_log_storage.run_connection(_RUNLESS) as connection:  # type: ignore[attr-defined]
        # SQLite has these events twice: in the index, and in a log of their own.
        _prune_runless(connection, moment)
    return pruned


def _prune_runless(connection: Connection, before: datetime) -> int:
    events = SqlEventLogStorageTable.c
    old = (events.run_id == _RUNLESS) & (events.timestamp < before)
    for current in (_last_events(), _last_evaluations("evaluation_event_storage_id")):
        old &= events.id.not_in(current)
    return int(connection.execute(delete(SqlEventLogStorageTable).where(old)).rowcount)


def _index(instance: dg.DagsterInstance) -> Any:
    """A transaction on the events of all assets. No public interface of Dagster's: held by a contract test."""
    return instance.event_log_storage.index_connection()  # type: ignore[attr-defined]


def _prune_folders(settings: Settings, before: datetime) -> int:
    current = StagingProject(settings).target_path
    others = [folder for folder in current.parent.glob("*") if folder.is_dir() and folder != current]
    old = [folder for folder in others if folder.stat().st_mtime < before.timestamp()]
    for folder in old:
        # What the disk refuses to delete is tried again tomorrow.
        shutil.rmtree(folder, ignore_errors=True)
    return sum(not folder.exists() for folder in old)
