"""The operational systems in the asset graph: external assets, where lineage starts, and how each is refreshed."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import dagster as dg

from staged_assets.sources.config import Sources
from staged_assets.sources.models import Feed
from staged_assets.sources.needs import written
from staged_assets.sources.refresh_plan import FeedPlan, RefreshPlan

#: Dagster takes no shorter one
_SHORTEST_WINDOW = timedelta(minutes=1)


def system_asset(system: str) -> dg.AssetKey:
    """The asset of an operational system."""
    return dg.AssetKey([system])


def feed_asset(system: str, feed: str) -> dg.AssetKey:
    """The asset of a table, endpoint or stream."""
    return dg.AssetKey([system, feed])


def freshness_policy(window: timedelta | None) -> dg.FreshnessPolicy | None:
    """Stale when not confirmed for so long: a materialization says that the source was asked, and all is here."""
    return dg.FreshnessPolicy.time_window(fail_window=max(window, _SHORTEST_WINDOW)) if window is not None else None


def refresh_table(feeds: Sequence[FeedPlan]) -> str:
    """How feeds are refreshed and why, as Markdown."""
    lines = ["| feed | mode | trigger | when | stale after | reason |", "|---|---|---|---|---|---|"]
    for plan in feeds:
        choice = plan.choice
        lines.append(
            f"| {plan.system}/{plan.feed.name} | {choice.mode} | {choice.trigger} | {plan.when} |"
            f" {written(choice.freshness)} | {choice.reason} |"
        )
    return "\n".join(lines)


def external_specs(sources: Sources, plan: RefreshPlan) -> list[dg.AssetSpec]:
    """The operational systems, and of each the tables, endpoints or streams that feed a dataset."""
    systems = [
        dg.AssetSpec(
            key=system_asset(name),
            description=described.description or None,
            group_name=name,
            owners=[described.owner or sources.default_owner],
            kinds={described.connector},
            tags={"staged_assets/role": "system"},
        )
        for name, described in sources.systems.items()
    ]
    tables: dict[dg.AssetKey, list[tuple[str, Feed]]] = {}
    for system, described in sources.systems.items():
        for feed in described.feeds:
            # One table can feed several datasets.
            tables.setdefault(feed_asset(system, feed.name), []).append((system, feed))
    return [*systems, *(_feed_spec(key, feeds, sources, plan) for key, feeds in tables.items())]


def _feed_spec(
    key: dg.AssetKey, feeds: Sequence[tuple[str, Feed]], sources: Sources, plan: RefreshPlan
) -> dg.AssetSpec:
    system, feed = feeds[0]
    described = sources.systems[system]
    datasets = [each.dataset for _, each in feeds]
    planned = [found for found in plan.feeds if found.system == system and found.feed.name == feed.name]
    metadata: dict[str, Any] = {
        "key": ", ".join(feed.key),
        "change cursor": _change_cursor(feed),
        "time zone": described.time_zone,
        "survivorship priority": described.priority,
    }
    if planned:
        metadata["refresh"] = dg.MetadataValue.md(refresh_table(planned))
    return dg.AssetSpec(
        key=key,
        deps=[system_asset(system)],
        description=f"{feed.description or described.description} Feeds {', '.join(datasets)}.".strip(),
        group_name=system,
        owners=[sources.owner(feed.dataset, system)],
        kinds={described.connector},
        tags={
            "staged_assets/role": "source",
            **({"staged_assets/dataset": datasets[0]} if len(datasets) == 1 else {}),
            **({"staged_assets/mode": planned[0].choice.mode.replace(" ", "_")} if planned else {}),
        },
        metadata=metadata,
        freshness_policy=freshness_policy(min((found.choice.freshness for found in planned), default=None)),
    )


def _change_cursor(feed: Feed) -> str:
    if feed.changes == "change_feed":
        return "the server's log"
    return feed.updated_at or ("none (snapshots)" if feed.is_snapshot else "none (positions)")
