"""How each feed is refreshed: what the policy has chosen, from which sensors, schedules and freshness are made."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal

from staged_assets.sources.models import Feed
from staged_assets.sources.needs import written

Trigger = Literal["change feed", "change poll", "event arrival", "schedule"]


@dataclass(frozen=True)
class Choice:
    """How a feed is refreshed.

    Attributes:
        mode: in real time, a sensor asks the source whether anything changed; in batch, a schedule reads it.
        trigger: what a refresh comes from.
        every: from one question, or batch, to the next.
        cron, time_zone: of the schedule, in batch.
        worst: from a change in the source to its publication, at most.
        freshness: how old what is staged may become before somebody is told.
        reason: one sentence.
    """

    mode: Literal["real time", "batch"]
    trigger: Trigger
    every: timedelta
    worst: timedelta
    freshness: timedelta
    reason: str
    cron: str | None = None
    time_zone: str | None = None


@dataclass(frozen=True)
class FeedPlan:
    """How one feed is refreshed.

    Attributes:
        system: its name.
        feed: as `sources.yaml` has it.
        choice: what was chosen for it.
    """

    system: str
    feed: Feed
    choice: Choice

    @property
    def is_real_time(self) -> bool:
        """Whether a sensor asks for it."""
        return self.choice.mode == "real time"

    def as_dict(self) -> dict[str, str | float | None]:
        """For `--json`; durations in seconds."""
        choice = self.choice
        return {
            "system": self.system,
            "feed": self.feed.name,
            "dataset": self.feed.dataset,
            "mode": choice.mode,
            "trigger": choice.trigger,
            "every": choice.every.total_seconds(),
            "cron": choice.cron,
            "time_zone": choice.time_zone,
            "freshness": choice.freshness.total_seconds(),
            "reason": choice.reason,
        }

    @property
    def when(self) -> str:
        """How often, as a person says it."""
        choice = self.choice
        minute, hour, *_ = (choice.cron or "").split() or ("", "")
        if hour.isdecimal():
            return f"daily at {int(hour):02}:{int(minute):02} {choice.time_zone}"
        return f"every {written(choice.every)}"


class RefreshPlan:
    """How each feed is refreshed: the whole of what sensors, schedules and freshness policies are made from.

    Args:
        feeds: in the file's order.
    """

    def __init__(self, feeds: list[FeedPlan]) -> None:
        self.feeds = feeds

    def of_feed(self, system: str, feed: Feed) -> FeedPlan:
        """The plan of one feed."""
        return next(plan for plan in self.feeds if plan.system == system and plan.feed is feed)

    def of_dataset(self, dataset: str) -> list[FeedPlan]:
        """The feeds of a dataset."""
        return [plan for plan in self.feeds if plan.feed.dataset == dataset]

    def freshness(self, dataset: str) -> timedelta | None:
        """How old a dataset may become; None where nothing feeds it."""
        return min((plan.choice.freshness for plan in self.of_dataset(dataset)), default=None)

    def real_time(self) -> dict[str, list[FeedPlan]]:
        """System → its feeds that a sensor asks for."""
        return _grouped((plan.system, plan) for plan in self.feeds if plan.is_real_time)

    def schedules(self) -> dict[tuple[str, str, str], list[FeedPlan]]:
        """System, cron line and time zone → the feeds that are read then."""
        return _grouped(
            ((plan.system, plan.choice.cron, plan.choice.time_zone), plan)
            for plan in self.feeds
            if plan.choice.cron is not None and plan.choice.time_zone is not None
        )


def _grouped(pairs: Iterable[tuple[Any, FeedPlan]]) -> dict[Any, list[FeedPlan]]:
    found: dict[Any, list[FeedPlan]] = {}
    for key, plan in pairs:
        found.setdefault(key, []).append(plan)
    return found
