"""Freshness: asked, and all is here; which is so, too, where the source has simply had no change.

Dagster judges an asset by its last materialization. A run gives one; where nothing has changed there is no run, so the
sensor reports one, without a run, as often as the freshness policy needs it and no more often.
"""

from collections.abc import Sequence

import dagster as dg
from dagster import DagsterInstance

from staged_assets.landing.asked import Memory, feed_key
from staged_assets.sources.refresh_plan import FeedPlan, RefreshPlan
from staged_assets.staging.operational import feed_asset

#: a materialization is reported when this part of the time after which an asset is stale has passed
_PART = 1 / 3


class Confirmation:
    """Says in the asset graph that what is staged is all that the sources have.

    Args:
        now: seconds since 1970.
    """

    def __init__(self, instance: DagsterInstance, memory: Memory, plan: RefreshPlan, now: float) -> None:
        self._instance = instance
        self._memory = memory
        self._plan = plan
        self._now = now

    def of(self, feeds: Sequence[FeedPlan], changed: Sequence[FeedPlan] = ()) -> list[str]:
        """Confirm what these feeds feed.

        Args:
            feeds: that were asked just now and have nothing new.
            changed: that were asked just now and have: what they feed, too, waits for its run.

        Returns:
            The names of the assets that were confirmed.
        """
        staged = self._memory.staged({plan.feed.dataset for plan in feeds})
        good = [plan for plan in feeds if staged.get(plan.feed.dataset)]
        wanted = {
            feed_asset(plan.system, plan.feed.name): plan.choice.freshness.total_seconds() * _PART for plan in good
        }
        for dataset in dict.fromkeys(plan.feed.dataset for plan in good):
            freshness = self._plan.freshness(dataset)
            if freshness is not None and self._is_whole(dataset):
                wanted[dg.AssetKey(f"stg_{dataset}")] = freshness.total_seconds() * _PART
        for plan in changed:
            wanted.pop(feed_asset(plan.system, plan.feed.name), None)
            wanted.pop(dg.AssetKey(f"stg_{plan.feed.dataset}"), None)
        return [key.to_user_string() for key, after in wanted.items() if self._confirm(key, after)]

    def _is_whole(self, dataset: str) -> bool:
        """Whether everything that feeds a dataset was asked in the time in which it has to be."""
        feeds = self._plan.of_dataset(dataset)
        confirmed = self._memory.confirmed(feed_key(plan.system, plan.feed) for plan in feeds)
        return all(
            self._now - confirmed.get(feed_key(plan.system, plan.feed), 0.0) < plan.choice.freshness.total_seconds()
            for plan in feeds
        )

    def _confirm(self, key: dg.AssetKey, after: float) -> bool:
        event = self._instance.get_latest_materialization_event(key)
        if event is None or self._now - event.timestamp < after:
            return False
        last = event.asset_materialization
        metadata = dict(last.metadata) if last is not None else {}
        self._instance.report_runless_asset_event(
            dg.AssetMaterialization(key, description="The source was asked and has nothing new.", metadata=metadata)
        )
        return True
