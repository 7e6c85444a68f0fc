"""What a refresh is requested with: by a sensor, a schedule or by hand, it is the same run."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import dagster as dg

from staged_assets.landing.layout import DATASETS
from staged_assets.sources.refresh_plan import FeedPlan
from staged_assets.staging.project import StagingProject

#: says of a run which source system it lands from; `EVERY_SYSTEM` where it is all of them
SYSTEM_TAG, EVERY_SYSTEM = "staged_assets/system", "all"
#: says of a run what it comes from
TRIGGER_TAG = "staged_assets/trigger"
#: Dagster's own: of the runs that wait, the one with the highest begins
PRIORITY_TAG = "dagster/priority"
REAL_TIME_PRIORITY, BATCH_PRIORITY = "10", "-10"


def job_name(system: str | None) -> str:
    """The job that refreshes what a system feeds; of all systems where there is none."""
    return f"refresh_{system or EVERY_SYSTEM}"


def asset_keys(datasets: Collection[str], project: StagingProject) -> list[dg.AssetKey]:
    """What is refreshed with datasets: what they have landed, staged and rejected, and what is made from them."""
    wanted = [name for name in DATASETS if name in datasets]
    companions = [name for name, made_from in project.companions.items() if made_from & set(wanted)]
    return [
        *(dg.AssetKey(["raw", name]) for name in wanted),
        *(dg.AssetKey(f"{role}_{name}") for name in wanted for role in ("stg", "quarantine")),
        *(dg.AssetKey(name) for name in companions),
    ]


def run_config(systems: Sequence[str], feeds: Iterable[str] = (), **more: Any) -> dict[str, Any]:
    """The configuration of a run.

    Args:
        systems: to land from; all where empty.
        feeds: of these systems, by name; all where empty.
        more: see `RefreshConfig`.
    """
    return {"ops": {"staged_area": {"config": {"systems": list(systems), "feeds": sorted(set(feeds)), **more}}}}


def request(
    system: str, feeds: Sequence[FeedPlan], project: StagingProject, *, run_key: str | None, trigger: str, priority: str
) -> dg.RunRequest:
    """A run for some feeds of a system."""
    return dg.RunRequest(
        run_key=run_key,
        job_name=job_name(system),
        run_config=run_config([system], [plan.feed.name for plan in feeds]),
        asset_selection=asset_keys({plan.feed.dataset for plan in feeds}, project),
        tags={SYSTEM_TAG: system, TRIGGER_TAG: trigger, PRIORITY_TAG: priority},
    )
