"""Sensors: one for each system with feeds in real time. A tick asks the source, never the warehouse."""

import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from staged_assets.landing.asked import Asked, FeedKey, Memory, feed_key
from staged_assets.refresh.freshness import Confirmation
from staged_assets.refresh.questions import Questions, name_of
from staged_assets.refresh.reachable import report_reachable
from staged_assets.refresh.runs import EVERY_SYSTEM, REAL_TIME_PRIORITY, SYSTEM_TAG, job_name, request
from staged_assets.refresh.sensor_cursor import Cursor, FeedState
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import marks
from staged_assets.sources.marks import NOTHING, Mark, Question
from staged_assets.sources.refresh_plan import FeedPlan, RefreshPlan
from staged_assets.staging.project import StagingProject

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
        """Ask; request one run for all that has changed, and others for what has failed before."""
        return _Tick(self, context.instance, Cursor.read(context.cursor, [*map(name_of, self.feeds)])).run(context)


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
        return dg.SensorResult(run_requests=requested) if requested else dg.SkipReason(reason)

    def _decide(self) -> tuple[list[dg.RunRequest], str]:
        if self._is_under_way():
            return [], f"A run for {self._system} waits or is under way: what changes meanwhile is taken after it."
        feeds = self._sensor.feeds
        known = self._memory.asked(map(_key, feeds))
        for plan in feeds:
            if _key(plan) in known:
                self._state(plan).note_landed(known[_key(plan)].at)
        due = [plan for plan in feeds if self._is_due(plan)]
        if not due:
            return [], " ".join(["No feed is due.", *self._waiting()])
        marks = self._ask(due, known)
        answered = [plan for plan in feeds if name_of(plan) in marks]
        changed = [p for p in answered if self._has_changed(p, marks[name_of(p)], known.get(_key(p)))]
        unchanged = [plan for plan in answered if plan not in changed]
        for plan in unchanged:
            self._state(plan).retries = 0
        confirmed = self._confirm(unchanged, changed)
        said = [f"{self._system} has nothing new{confirmed}."] if answered and not changed else []
        return self._request(changed, known), " ".join([*said, *self._waiting()])

    def _state(self, plan: FeedPlan) -> FeedState:
        return self._cursor.feeds[name_of(plan)]

    def _is_under_way(self) -> bool:
        tags = {SYSTEM_TAG: [self._system, EVERY_SYSTEM]}
        return bool(self._instance.get_run_ids(RunsFilter(statuses=_UNDER_WAY, tags=tags), limit=1))

    def _is_due(self, plan: FeedPlan) -> bool:
        state = self._state(plan)
        return self._now >= state.retry_at and self._now - state.asked >= plan.choice.every.total_seconds() - _EARLY

    def _waiting(self) -> list[str]:
        """What is put off, and why."""
        waiting: dict[tuple[str, float], list[str]] = {}
        for name, state in self._cursor.feeds.items():
            if state.retry_at > self._now:
                waiting.setdefault((state.problem, state.retry_at), []).append(name)
        return [
            f"{', '.join(names)}: {problem} Asked again in {at - self._now:.0f} s."
            for (problem, at), names in waiting.items()
        ]

    def _has_changed(self, plan: FeedPlan, mark: Mark, known: Asked | None) -> bool:
        if known is None or mark is None:
            return True
        compared = plan.feed.compare_keys_every if plan.feed.lands_missing_keys else timedelta.max
        return mark not in (NOTHING, known.mark) or self._now - known.at >= compared.total_seconds()

    def _ask(self, due: Sequence[FeedPlan], known: Mapping[FeedKey, Asked]) -> dict[str, Mark]:
        """Feed → what the source says; what could not be asked is put off."""
        sensor = self._sensor
        questions = Questions(
            sensor.feeds,
            lambda feeds: sensor.ask(sensor.sources, self._system, [(p, _basis(known.get(_key(p)))) for p in feeds]),
            state=self._state,
            clock=sensor.clock,
        )
        questions.put(due)
        # One whose run has failed waits, though it was asked to find out whether the system is down.
        put_off = {name for name, state in self._cursor.feeds.items() if state.retries and state.retry_at > self._now}
        marks = {name: mark for name, mark in questions.marks.items() if name not in put_off}
        for name in marks:
            self._cursor.feeds[name].note_answer(self._now)
        for name, problem in questions.errors.items():
            self._cursor.feeds[name].note_no_answer(self._now, problem)
        self._report(questions)
        return marks

    def _report(self, questions: Questions) -> None:
        """Once when the system is down, which is when no feed can be asked, and once when it is back."""
        cursor = self._cursor
        if questions.marks and cursor.down is not False:
            cursor.down = False
            report_reachable(self._instance, self._system, None)
        elif questions.errors and not cursor.down and all(state.failures for state in cursor.feeds.values()):
            cursor.down = True
            report_reachable(self._instance, self._system, next(iter(questions.errors.values())))

    def _confirm(self, feeds: Sequence[FeedPlan], changed: Sequence[FeedPlan]) -> str:
        """All that these feeds have is here: said in the asset graph as often as their freshness needs it."""
        self._memory.note_confirmed({_key(plan): self._now for plan in feeds})
        confirmed = Confirmation(self._instance, self._memory, self._sensor.plan, self._now).of(feeds, changed)
        return f"; {', '.join(confirmed)} confirmed" if confirmed else ""

    def _request(self, changed: Sequence[FeedPlan], known: Mapping[FeedKey, Asked]) -> list[dg.RunRequest]:
        """One run for all that has changed; what has failed is tried again in a run of its own."""
        runs: dict[str | None, list[FeedPlan]] = {}
        for plan in changed:
            if not self._has_failed(plan, known.get(_key(plan))):
                runs.setdefault(plan.feed.dataset if self._state(plan).retries else None, []).append(plan)
        return [self._run_for(feeds) for feeds in runs.values()]

    def _has_failed(self, plan: FeedPlan, known: Asked | None) -> bool:
        """Whether the last run for a feed has failed and brought nothing of it: others may be why it failed."""
        state = self._state(plan)
        if state.run_key is None:
            return False
        if self._run_has_failed(state.run_key) and (known is None or known.at < state.requested_at):
            state.note_failed_run(self._now)
            return True
        state.retries = 0
        return False

    def _run_for(self, feeds: Sequence[FeedPlan]) -> dg.RunRequest:
        cursor = self._cursor
        cursor.requests += 1
        run_key = f"{self._system}:{cursor.id}:{cursor.requests}"
        for plan in feeds:
            state = self._state(plan)
            state.run_key, state.requested_at = run_key, self._now
        return request(
            self._system,
            feeds,
            self._sensor.project,
            run_key=run_key,
            trigger=" and ".join(sorted({plan.choice.trigger for plan in feeds})),
            priority=REAL_TIME_PRIORITY,
        )

    def _run_has_failed(self, run_key: str) -> bool:
        runs = self._instance.get_runs(RunsFilter(tags={"dagster/run_key": run_key}), limit=1)
        return any(run.status in _FAILED for run in runs)


def _key(plan: FeedPlan) -> FeedKey:
    return feed_key(plan.system, plan.feed)


def _basis(asked: Asked | None) -> str | None:
    return asked.basis if asked is not None else None
