"""Which failures are open, and what each channel has been told of them."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Literal

from pydantic import BaseModel

from staged_assets.alerts.config import Alerts
from staged_assets.alerts.event_log import Position
from staged_assets.alerts.models import Severity
from staged_assets.alerts.observations import Facts, Observation, Subject

#: What a line of a message says: it failed; failed again after passing in between; a warning has become an error; still
#: fails; passes again; failed and passed again before anyone was told.
News = Literal["failed", "again", "worse", "still", "recovered", "passed"]

HOUR = 3600.0
DAY = 24 * HOUR


class Told(BaseModel):
    """What a channel was told last of a failure.

    Attributes:
        at: when.
        times: how often in this streak.
        seen: how many failing runs there were by then.
        severity: what it was then.
        again: it has passed and failed again since.
        done: told that it is over.
    """

    at: float
    times: int = 1
    seen: int = 1
    severity: Severity = "error"
    again: bool = False
    done: bool = False


class Failure(BaseModel):
    """A subject that fails, or whose recovery is still to be told.

    Attributes:
        since: when the streak of failures began.
        seen: failing runs in the streak.
        last: when it was seen last, failing or passing.
        told: channel → what it was told.
    """

    subject: Subject
    severity: Severity
    since: float
    last: float
    failing: bool = True
    seen: int = 1
    run_id: str | None = None
    facts: Facts = Facts()
    owners: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    assets: frozenset[str] = frozenset()
    told: dict[str, Told] = {}

    @property
    def changed_at(self) -> float:
        """When it began to fail, or to pass."""
        return self.since if self.failing else self.last


class Line(BaseModel, frozen=True):
    """One thing to tell a channel: what is new, and the failure as it stood then."""

    news: News
    failure: Failure


class Trouble(BaseModel):
    """A channel that does not take messages.

    Attributes:
        since: when the first attempt failed.
        attempts: how many have failed.
        reason: why the last one did.
    """

    since: float
    attempts: int
    reason: str


class ChannelState(BaseModel):
    """When a channel may be sent something again, and what is wrong with it."""

    next_at: float = 0.0
    trouble: Trouble | None = None


class State(BaseModel):
    """All that the sensor has to remember."""

    position: Position = Position()
    failures: dict[str, Failure] = {}
    channels: dict[str, ChannelState] = {}
    unusable: tuple[str, ...] = ()

    def observe(self, observations: Iterable[Observation]) -> None:
        """Take note of what was seen, in the order in which it happened."""
        for observation in observations:
            if observation.failing:
                self._fail(observation)
            else:
                self._pass(observation)

    def is_failing(self, subject: Subject) -> bool:
        """Whether a subject was seen to fail last."""
        known = self.failures.get(subject.key)
        return known is not None and known.failing

    def due(self, channel: str, now: float, alerts: Alerts) -> list[Line]:
        """What a channel is to be told, whenever that will be. Warnings wait for the end of quiet hours."""
        hours = alerts.channels[channel].quiet_hours
        quiet = hours is not None and hours.now(now)
        lines = []
        for failure in self.failures.values():
            if quiet and failure.severity == "warn":
                continue
            wanted = channel in _channels(failure, alerts)
            news = _news(failure, failure.told.get(channel), wanted, now, alerts.reminders.after_hours)
            if news is not None:
                lines.append(Line(news=news, failure=failure.model_copy(deep=True)))
        return lines

    def ready(
        self,
        channel: str,
        lines: Sequence[Line],
        now: float,
        alerts: Alerts,
        active: Callable[[Collection[str]], Collection[str]],
    ) -> bool:
        """Whether to send a message now: not too soon after the last one, nor while a run may find more.

        Args:
            active: of these run ids, those of runs that go on.
        """
        if not lines or now < self.channels.get(channel, ChannelState()).next_at:
            return False
        waiting = [line.failure for line in lines if now - line.failure.changed_at < alerts.gather_seconds]
        if len(waiting) < len(lines) or any(failure.run_id is None for failure in waiting):
            return True
        runs = {failure.run_id for failure in waiting if failure.run_id is not None}
        return not runs <= set(active(runs))

    def delivered(self, channel: str, lines: Iterable[Line], now: float, alerts: Alerts) -> None:
        """A channel has taken a message."""
        self.channels[channel] = ChannelState(next_at=now + alerts.gather_seconds)
        for line in lines:
            self._tell(channel, line, now)
        self.tidy(alerts)

    def refused(self, channel: str, reason: str, now: float, alerts: Alerts) -> Trouble:
        """A channel has not taken a message: it is tried again, after a while that grows."""
        before = self.channels.get(channel, ChannelState()).trouble
        trouble = Trouble(
            since=before.since if before else now, attempts=(before.attempts if before else 0) + 1, reason=reason
        )
        self.channels[channel] = ChannelState(next_at=now + alerts.retries.pause(trouble.attempts), trouble=trouble)
        return trouble

    def tidy(self, alerts: Alerts) -> None:
        """Drop what is over and told, and channels that are configured no more."""
        self.channels = {name: state for name, state in self.channels.items() if name in alerts.channels}
        for key, failure in list(self.failures.items()):
            failure.told = {name: told for name, told in failure.told.items() if name in alerts.channels}
            if not failure.failing and not _channels_to_tell(failure, alerts):
                del self.failures[key]

    def forget(self, now: float, alerts: Alerts) -> list[Failure]:
        """Drop what there has been no news of for long; returned are those that some channel was never told of."""
        oldest = now - alerts.reminders.forget_after_days * DAY
        gone = [failure for failure in self.failures.values() if failure.last < oldest]
        for failure in gone:
            del self.failures[failure.subject.key]
        return [
            f for f in gone if _channels(f, alerts) - f.told.keys() or (not f.failing and _channels_to_tell(f, alerts))
        ]

    def _fail(self, seen: Observation) -> None:
        known = self.failures.get(seen.subject.key)
        failure = Failure(
            subject=seen.subject, severity=seen.severity, since=seen.at, last=seen.at, run_id=seen.run_id,
            facts=seen.facts, owners=seen.owners, datasets=seen.datasets, assets=seen.assets,
        )  # fmt: skip
        if known is not None and known.failing:
            same_run = seen.run_id is not None and seen.run_id == known.run_id
            failure.since, failure.seen = known.since, known.seen + (0 if same_run else 1)
            failure.told = known.told
        elif known is not None:
            failure.told = {
                name: told.model_copy(update={"again": True}) for name, told in known.told.items() if not told.done
            }
        self.failures[seen.subject.key] = failure

    def _pass(self, seen: Observation) -> None:
        for failure in self.failures.values():
            if failure.failing and _recovers(failure, seen):
                failure.failing, failure.last, failure.run_id = False, seen.at, seen.run_id

    def _tell(self, channel: str, line: Line, now: float) -> None:
        """Note what a channel knows now; of a streak that began after the message was written, it does not know yet."""
        then = line.failure
        failure = self.failures.get(then.subject.key)
        if failure is None:
            return
        is_same_streak = failure.since == then.since
        if not is_same_streak and not then.failing:
            failure.told.pop(channel, None)
            return
        before = failure.told.get(channel)
        reminded = line.news == "still" and before is not None
        failure.told[channel] = Told(
            at=now,
            times=(before.times if before and reminded else 0) + 1,
            seen=then.seen,
            severity=then.severity,
            again=not is_same_streak,
            done=not then.failing,
        )


def _news(failure: Failure, told: Told | None, wanted: bool, now: float, after_hours: Sequence[float]) -> News | None:
    if told is None:
        return ("failed" if failure.failing else "passed") if wanted else None
    if told.done:
        return None
    if not failure.failing:
        return "recovered"
    if not wanted:
        return None
    if told.again:
        return "again"
    if told.severity == "warn" and failure.severity == "error":
        return "worse"
    return "still" if _is_due_again(failure, told, now, after_hours) else None


def _is_due_again(failure: Failure, told: Told, now: float, after_hours: Sequence[float]) -> bool:
    # Stale data stay stale by themselves; anything else has to be seen to fail again.
    if failure.subject.kind != "freshness" and failure.seen <= told.seen:
        return False
    hours = after_hours[min(told.times, len(after_hours)) - 1]
    return now >= told.at + hours * HOUR


def _channels(failure: Failure, alerts: Alerts) -> frozenset[str]:
    return alerts.channels_for(failure.subject.kind, failure.severity, failure.owners, failure.datasets)


def _channels_to_tell(failure: Failure, alerts: Alerts) -> set[str]:
    """Those that must still hear that it is over."""
    concerned = _channels(failure, alerts) | failure.told.keys()
    return {name for name in concerned if name not in failure.told or not failure.told[name].done}


def _recovers(failure: Failure, seen: Observation) -> bool:
    if failure.subject.key == seen.subject.key:
        return True
    # A run of some assets only has recovered when another one has refreshed them all.
    return failure.subject.kind == seen.subject.kind == "run" and bool(failure.assets) and failure.assets <= seen.assets
