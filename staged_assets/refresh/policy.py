"""The choice between real time and batch: from what a feed can do and what the business needs, nothing else.

The figures are what the software is measured to do (see `benchmarks/README.md`), with room: a refresh in real time,
forked from the warm process, is done within 20 s of the question that found the change; a batch within 15 minutes, one
at night within an hour.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import time, timedelta
from pathlib import Path

from staged_assets.errors import ConfigurationError
from staged_assets.sources.config import Sources
from staged_assets.sources.models import DuckdbSystem, Feed
from staged_assets.sources.needs import Changes, written
from staged_assets.sources.refresh_plan import Choice, FeedPlan, RefreshPlan, Trigger

#: Dagster's sensors are looked at no more often
SHORTEST_INTERVAL = timedelta(seconds=5)
LONGEST_INTERVAL = timedelta(minutes=10)
#: questions in the time in which what is staged becomes too old: they are cheap
ASKED_IN_TIME = 12
#: of a change feed that nothing is required of: the server keeps its log until it is read
IDLE_CHANGE_FEED = timedelta(minutes=12)
#: from the question that finds a change until it is published and checked
REAL_TIME_RUN, BATCH_RUN = timedelta(seconds=20), timedelta(minutes=15)
LEAST_REAL_TIME = timedelta(seconds=30)
#: above it a batch is chosen, where the source may be read at any time
MOST_REAL_TIME = timedelta(hours=1)
#: a day, an hour where the clocks are set back, an hour for the run
NIGHTLY = timedelta(hours=26)
#: where there is no window; no clock is set forward or back then, in any zone that does it at 1, 2 or 3
NIGHT = time(3, 30)
#: each divides an hour or a day, so that a cron line in UTC is evenly spaced
BATCH_INTERVALS = (*(timedelta(hours=hours) for hours in (12, 8, 6, 4, 3, 2, 1)), timedelta(minutes=30))
#: less than a snapshot read in batches can give
LEAST_SNAPSHOT = BATCH_INTERVALS[-1] + BATCH_RUN

#: keys are not read more often than this to meet a requirement
MARGIN_OF_KEYS = timedelta(minutes=1)

_TRIGGERS: dict[Changes, Trigger] = {
    "change_feed": "change feed",
    "change_cursor": "change poll",
    "events": "event arrival",
}


@dataclass(frozen=True)
class Need:
    """What the choice is made from.

    Attributes:
        changes: how the source shows what changed.
        shows_deletes: whether deletes can be told at all.
        max_staleness: how old what is staged may be; None where nothing is required.
        needs_deletes: whether deletes must be staged.
        keys_compared_every: how often deletes are looked for, where that is by comparing keys.
        window: start of the time of day in which the system may be read in bulk; None where it may be at any time.
        time_zone: of the window.
    """

    changes: Changes
    shows_deletes: bool = True
    max_staleness: timedelta | None = None
    needs_deletes: bool = False
    keys_compared_every: timedelta | None = None
    window: time | None = None
    time_zone: str = "UTC"


class UnmetError(Exception):
    """A requirement that can't be met; what it is, and what would meet it."""


def choose(need: Need) -> Choice:
    """Choose how a feed is refreshed.

    Raises:
        UnmetError: what is required can't be met by what the source can do.
    """
    if need.needs_deletes and not need.shows_deletes:
        raise UnmetError(
            "deletes are required, but the source does not show them: give the feed a delete_marker or deletes:"
            " by_key_comparison, or leave the requirement out"
        )
    choice = _choose(need)
    if need.needs_deletes and need.keys_compared_every is not None and need.max_staleness is not None:
        _check_keys(need.keys_compared_every, need.max_staleness, choice)
    return choice


def _choose(need: Need) -> Choice:
    required = need.max_staleness
    if need.changes == "change_feed":
        return _real_time(need, required or IDLE_CHANGE_FEED)
    if required is None or required >= NIGHTLY:
        return _nightly(need)
    if need.changes == "snapshot":
        return _snapshot(need, required)
    if required <= MOST_REAL_TIME or need.window is not None:
        return _real_time(need, required)
    return _every(need, required)


def _check_keys(compared_every: timedelta, required: timedelta, choice: Choice) -> None:
    """Deletes that are told by comparing keys are told when a refresh finds that it is time to compare them.

    Raises:
        UnmetError: they can be told too late.
    """
    # Each batch compares, unless the one before did so less than this ago.
    enough = choice.every / 2 if choice.mode == "batch" else required - choice.worst
    if compared_every <= enough:
        return
    least = MARGIN_OF_KEYS if choice.mode == "real time" else timedelta()
    remedy = (
        f"set compare_keys_every to {written(enough)} or less"
        if enough > least
        else f"raise max_staleness to {written((compared_every + REAL_TIME_RUN) * 4 / 3 + timedelta(seconds=1))}"
    )
    raise UnmetError(
        f"deletes are required within max_staleness {written(required)}, but they are told by comparing keys every"
        f" {written(compared_every)}: {remedy}, or use a delete_marker"
    )


def _real_time(need: Need, required: timedelta) -> Choice:
    if required < LEAST_REAL_TIME:
        raise UnmetError(
            f"max_staleness is {written(required)}, and a refresh in real time takes up to {written(LEAST_REAL_TIME)}:"
            f" raise it to {written(LEAST_REAL_TIME)}"
        )
    interval = min(max(_seconds(required / ASKED_IN_TIME), SHORTEST_INTERVAL), LONGEST_INTERVAL)
    if need.max_staleness is None:
        why = "the server keeps its log until it is read, so it is read as it grows, though no staleness is required"
    else:
        how = {
            "change_feed": "the server's log tells every change",
            "change_cursor": "the source can be asked for what changed",
            "events": "events come as files or deliveries",
        }[need.changes]
        less = (
            "no more than an hour" if required <= MOST_REAL_TIME else "less than one batch a day, in its window, gives"
        )
        why = f"the {written(required)} that are required are {less}, and {how}"
        if need.changes == "change_feed":
            why = f"no more than {written(required)} are required, and {how}"
    return Choice(
        mode="real time",
        trigger=_TRIGGERS[need.changes],
        every=interval,
        worst=interval + REAL_TIME_RUN,
        freshness=need.max_staleness or timedelta(hours=1),
        reason=f"{why[0].upper()}{why[1:]}.",
    )


def _seconds(duration: timedelta) -> timedelta:
    return timedelta(seconds=int(duration.total_seconds()))


def _nightly(need: Need) -> Choice:
    at = need.window or NIGHT
    required = need.max_staleness
    where = "in its window" if need.window is not None else "at night"
    asked = "No staleness is required" if required is None else f"{written(required)} are allowed"
    return Choice(
        mode="batch",
        trigger="schedule",
        every=timedelta(days=1),
        cron=f"{at.minute} {at.hour} * * *",
        time_zone=need.time_zone,
        worst=NIGHTLY,
        freshness=required or NIGHTLY,
        reason=f"{asked}, so one batch a day, {where}, is enough.",
    )


def _snapshot(need: Need, required: timedelta) -> Choice:
    better = "give the feed updated_at (or a change_feed, or events) so that it can be asked for what changed"
    if need.window is not None:
        raise UnmetError(
            f"max_staleness is {written(required)}, but the source can only be read whole, once a day in its"
            f" batch_window, which gives {written(NIGHTLY)}: {better}, take the batch_window away, or raise it to"
            f" {written(NIGHTLY)}"
        )
    if required < LEAST_SNAPSHOT:
        raise UnmetError(
            f"max_staleness is {written(required)}, but the source can only be read whole, which gives"
            f" {written(LEAST_SNAPSHOT)}: {better}, or raise it to {written(LEAST_SNAPSHOT)}"
        )
    return _every(need, required)


def _every(need: Need, required: timedelta) -> Choice:
    interval = next(interval for interval in BATCH_INTERVALS if interval + BATCH_RUN <= required)
    hours, minutes = divmod(int(interval.total_seconds()) // 60, 60)
    how = "it can only be read whole" if need.changes == "snapshot" else "nothing needs it within the hour"
    return Choice(
        mode="batch",
        trigger="schedule",
        every=interval,
        cron=f"*/{minutes} * * * *" if minutes else "0 * * * *" if hours == 1 else f"0 */{hours} * * *",
        time_zone="UTC",
        worst=interval + BATCH_RUN,
        freshness=required,
        reason=f"{how[0].upper()}{how[1:]}, and a batch every {written(interval)} meets the {written(required)}"
        " that are required.",
    )


def need_of(sources: Sources, system: str, feed: Feed) -> Need:
    """What is said of a feed, in `sources.yaml`."""
    described = sources.systems[system]
    can = sources.capabilities(system, feed)
    return Need(
        changes=can.changes or feed.changes,
        shows_deletes=can.deletes != "invisible",
        max_staleness=sources.max_staleness(system, feed),
        needs_deletes=sources.needs_deletes(system, feed),
        keys_compared_every=feed.compare_keys_every if feed.lands_missing_keys else None,
        window=described.batch_window.start if described.batch_window is not None else None,
        time_zone=described.time_zone,
    )


def plan_refresh(sources: Sources, warehouse: Path | None = None) -> RefreshPlan:
    """Choose for each feed of each system.

    Args:
        warehouse: its file, which may be a source, too: tables that a loader puts there.

    Raises:
        ConfigurationError: a requirement can't be met.
    """
    return RefreshPlan(
        [
            FeedPlan(name, feed, _chosen(sources, name, feed, warehouse))
            for name, system in sources.systems.items()
            for feed in system.feeds
        ]
    )


def _chosen(sources: Sources, system: str, feed: Feed, warehouse: Path | None) -> Choice:
    try:
        choice = choose(need_of(sources, system, feed))
        if choice.mode == "real time" and _reads(sources, system, warehouse):
            least = NIGHTLY if sources.systems[system].batch_window is not None else MOST_REAL_TIME + BATCH_RUN
            raise UnmetError(
                "its file is the warehouse, which each refresh changes, so it can't be asked whether its loader did:"
                f" raise max_staleness to {written(least)}, which is met in batches, or give the loader a file of its"
                " own"
            )
        return choice
    except UnmetError as error:
        raise ConfigurationError(
            f"{sources.path}: what is required of {feed.dataset} from {system} ({feed.name}) can't be met: {error}."
        ) from error


def _reads(sources: Sources, system: str, file: Path | None) -> bool:
    """Whether a system is that DuckDB file."""
    # Where a variable is not set, that is told when the system is read.
    with suppress(ConfigurationError):
        resolved = sources.resolve(system) if isinstance(sources.systems[system], DuckdbSystem) else None
        if file is not None and isinstance(resolved, DuckdbSystem):
            return Path(resolved.connection.path).resolve() == file.resolve()
    return False
