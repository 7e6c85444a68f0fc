"""Sensors: one for each system with feeds in real time. A tick asks the source, never the warehouse."""

import json
import time
import uuid
from collections.abc import Callable, Collection, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.landing.asked import Asked, FeedKey, Memory, feed_key
from staged_assets.refresh.freshness import Confirmation
from staged_assets.refresh.reachable import report_reachable
from staged_assets.refresh.runs import EVERY_SYSTEM, REAL_TIME_PRIORITY, SYSTEM_TAG, job_name, request
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import marks
from staged_assets.sources.marks import NOTHING, Mark, Question
from staged_assets.sources.refresh_plan import FeedPlan, RefreshPlan
from staged_assets.staging.project import StagingProject

#: seconds; after each failure twice as long
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0
#: a tick that comes a little early is not put off to the next one
_EARLY = 1.0

_UNDER_WAY = [
    DagsterRunStatus.QUEUED,
    DagsterRunStatus.NOT_STARTED,
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
]
_FAILED = (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)

#: what the source says of feeds
Ask = Callable[[Sources, str, Sequence[tuple[FeedPlan, str | None]]], list[Mark]]


def ask_source(sources: Sources, system: str, asked: Sequence[tuple[FeedPlan, str | None]]) -> list[Mark]:
    """The marks of feeds of a system.

    Args:
        asked: each with what the question builds on.

    Raises:
        SourceError: it could not be asked.
        ConfigurationError: its connection refers to something that is not set.
    """
    resolved = sources.resolve(system)
    named = {(feed.dataset, feed.name): feed for feed in resolved.feeds}
    return marks(resolved, [Question(named[plan.feed.dataset, plan.feed.name], basis) for plan, basis in asked])


@dataclass
class Cursor:
    """What a sensor remembers from tick to tick.

    Attributes:
        id, requests: make the keys of runs: a tick that is repeated has the same, and requests nothing twice.
        asked: feed → when it was asked last, in seconds since 1970.
        failures: how often in a row the source could not be asked.
        retries: how often in a row a run for the same change has failed.
        retry_at: nothing is done before.
        run_key: of the last run that was requested.
        judged: the last run that has failed.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    requests: int = 0
    asked: dict[str, float] = field(default_factory=dict)
    failures: int = 0
    retries: int = 0
    retry_at: float = 0.0
    run_key: str | None = None
    judged: str | None = None

    @staticmethod
    def read(text: str | None) -> "Cursor":
        """From the sensor's cursor; a new one where there is none, or one of another version."""
        try:
            return Cursor(**json.loads(text)) if text else Cursor()
        except (TypeError, ValueError):
            return Cursor()

    def write(self) -> str:
        """As the sensor's cursor."""
        return json.dumps(asdict(self))


def build_sensors(
    sources: Sources,
    plan: RefreshPlan,
    project: StagingProject,
    serving: Callable[[], AbstractContextManager[Any]] = nullcontext,
    *,
    running: bool = True,
) -> list[dg.SensorDefinition]:
    """The sensors.

    Args:
        serving: what must be there while the source is asked.
        running: whether they do by default.
    """
    status = dg.DefaultSensorStatus.RUNNING if running else dg.DefaultSensorStatus.STOPPED
    return [_sensor(SystemSensor(sources, system, plan, project), serving, status) for system in plan.real_time()]


def sensor_name(system: str) -> str:
    """The sensor of a system."""
    return f"{system}_changes"


def _sensor(
    ticks: "SystemSensor", serving: Callable[[], AbstractContextManager[Any]], status: dg.DefaultSensorStatus
) -> dg.SensorDefinition:
    lines = [f"{plan.feed.dataset} ({plan.feed.name}), {plan.when}: {plan.choice.reason}" for plan in ticks.feeds]

    @dg.sensor(
        name=sensor_name(ticks.system),
        job_name=job_name(ticks.system),
        # A little less: the daemon looks every 5 s, and would else leave out every second time.
        minimum_interval_seconds=int(min(plan.choice.every for plan in ticks.feeds).total_seconds() - _EARLY),
        default_status=status,
        description="\n\n".join([f"Asks {ticks.system} whether anything has changed.", *lines]),
    )
    def changes(context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        with serving():
            return ticks.tick(context)

    return changes


class SystemSensor:
    """What the sensor of one system does, tick by tick.

    Args:
        ask: the source; a seam for tests.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        sources: Sources,
        system: str,
        plan: RefreshPlan,
        project: StagingProject,
        ask: Ask = ask_source,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.system = system
        self.feeds = plan.real_time()[system]
        self.sources = sources
        self.plan = plan
        self.project = project
        self.ask = ask
        self.clock = clock

    def tick(self, context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        """Ask; request one run for all that has changed."""
        return _Tick(self, context.instance, Cursor.read(context.cursor)).run(context)


class _Tick:
    def __init__(self, sensor: SystemSensor, instance: DagsterInstance, cursor: Cursor) -> None:
        self._sensor = sensor
        self._system = sensor.system
        self._instance = instance
        self._cursor = cursor
        self._memory = Memory(instance.daemon_cursor_storage)
        self._now = sensor.clock()

    def run(self, context: dg.SensorEvaluationContext) -> dg.SensorResult | dg.SkipReason:
        before = self._cursor.write()
        requested, reason = self._decide()
        if self._cursor.write() != before or context.cursor is None:
            context.update_cursor(self._cursor.write())
        return dg.SensorResult(run_requests=[requested]) if requested is not None else dg.SkipReason(reason)

    def _decide(self) -> tuple[dg.RunRequest | None, str]:
        if self._now < self._cursor.retry_at:
            return None, f"{self._system} is asked again in {self._cursor.retry_at - self._now:.0f} s."
        if self._is_under_way():
            return None, f"A run for {self._system} waits or is under way: what changes meanwhile is taken after it."
        feeds = [plan for plan in self._sensor.feeds if self._is_due(plan)]
        if not feeds:
            return None, "No feed is due."
        known = self._memory.asked(map(_key, feeds))
        try:
            found = self._sensor.ask(
                self._sensor.sources, self._system, [(p, _basis(known.get(_key(p)))) for p in feeds]
            )
        except (SourceError, ConfigurationError) as error:
            return None, self._note_failure(str(error))
        self._note_answer(feeds)
        changed = [
            plan
            for plan, mark in zip(feeds, found, strict=True)
            if self._has_changed(plan, mark, known.get(_key(plan)))
        ]
        if not changed:
            self._cursor.retries = 0
            unchanged = self._confirm(feeds)
            return None, f"{self._system} has nothing new{unchanged}."
        same = [plan for plan in feeds if plan not in changed]
        self._memory.note_confirmed({_key(plan): self._now for plan in same})
        return self._request(changed)

    def _is_under_way(self) -> bool:
        tags = {SYSTEM_TAG: [self._system, EVERY_SYSTEM]}
        return bool(self._instance.get_run_ids(RunsFilter(statuses=_UNDER_WAY, tags=tags), limit=1))

    def _is_due(self, plan: FeedPlan) -> bool:
        asked = self._cursor.asked.get(_text(plan), 0.0)
        return self._now - asked >= plan.choice.every.total_seconds() - _EARLY

    def _has_changed(self, plan: FeedPlan, mark: Mark, known: Asked | None) -> bool:
        if known is None or mark is None:
            return True
        compared = plan.feed.compare_keys_every if plan.feed.lands_missing_keys else timedelta.max
        return mark not in (NOTHING, known.mark) or self._now - known.at >= compared.total_seconds()

    def _note_failure(self, message: str) -> str:
        cursor = self._cursor
        cursor.failures += 1
        pause = min(_FIRST_PAUSE * 2 ** (cursor.failures - 1), _LONGEST_PAUSE)
        cursor.retry_at = self._now + pause
        if cursor.failures == 1:
            report_reachable(self._instance, self._system, message)
        return f"{message} It is asked again in {pause:.0f} s (attempt {cursor.failures})."

    def _note_answer(self, feeds: Collection[FeedPlan]) -> None:
        cursor = self._cursor
        if cursor.failures or not cursor.asked:
            report_reachable(self._instance, self._system, None)
        cursor.failures = 0
        cursor.asked |= {_text(plan): self._now for plan in feeds}

    def _confirm(self, feeds: Sequence[FeedPlan]) -> str:
        """All that these feeds have is here: said in the asset graph as often as their freshness needs it."""
        self._memory.note_confirmed({_key(plan): self._now for plan in feeds})
        confirmed = Confirmation(self._instance, self._memory, self._sensor.plan, self._now).of(feeds)
        return f"; {', '.join(confirmed)} confirmed" if confirmed else ""

    def _request(self, changed: Sequence[FeedPlan]) -> tuple[dg.RunRequest | None, str]:
        cursor = self._cursor
        failed = self._failed_run()
        if failed is not None and failed != cursor.judged:
            cursor.judged, cursor.retries = failed, cursor.retries + 1
            pause = min(_FIRST_PAUSE * 2**cursor.retries, _LONGEST_PAUSE)
            cursor.retry_at = self._now + pause
            # It is not asked for in vain: what is due stays due.
            for plan in changed:
                cursor.asked.pop(_text(plan), None)
            return None, f"The run for these changes has failed: they are tried again in {pause:.0f} s."
        if failed is None:
            cursor.retries = 0
        cursor.requests += 1
        cursor.run_key = f"{self._system}:{cursor.id}:{cursor.requests}"
        trigger = " and ".join(sorted({plan.choice.trigger for plan in changed}))
        run = request(
            self._system,
            changed,
            self._sensor.project,
            run_key=cursor.run_key,
            trigger=trigger,
            priority=REAL_TIME_PRIORITY,
        )
        return run, ""

    def _failed_run(self) -> str | None:
        """The last run that was requested, if it has failed."""
        if self._cursor.run_key is None:
            return None
        runs = self._instance.get_runs(RunsFilter(tags={"dagster/run_key": self._cursor.run_key}), limit=1)
        return next((run.run_id for run in runs if run.status in _FAILED), None)


def _key(plan: FeedPlan) -> FeedKey:
    return feed_key(plan.system, plan.feed)


def _text(plan: FeedPlan) -> str:
    return f"{plan.feed.dataset}/{plan.feed.name}"


def _basis(asked: Asked | None) -> str | None:
    return asked.basis if asked is not None else None
