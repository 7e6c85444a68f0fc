"""The alert sensor: each tick reads on in the event log and tells people what is new."""

import json
import threading
import time
from collections.abc import Callable, Collection

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus, RunsFilter

from staged_assets.alerts.channels import Courier, Sender, build_sender
from staged_assets.alerts.config import Alerts, load_alerts
from staged_assets.alerts.event_log import newest_position, read
from staged_assets.alerts.interpret import Interpreter, concerns_of
from staged_assets.alerts.messages import time_of
from staged_assets.alerts.state import State
from staged_assets.alerts.store import StateStore
from staged_assets.errors import AlertError, ConfigurationError
from staged_assets.settings import Settings

SENSOR_NAME = "alerts"

#: Events that a tick reads at most.
EVENTS_PER_TICK = 1000

#: Seconds that a tick waits for channels: other sensors may wait for this one, and a later answer still counts.
LONGEST_WAIT = 10.0

_DESCRIPTION = (
    "Tells people of failed checks, failed runs and stale data, once, and when it is over. Who is told what, is said in"
    " alerts.yaml. What it remembers is in the instance's storage: the cursor shows it, and resetting it does nothing."
)
_ENDED = (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED)


def build_alert_sensor(settings: Settings) -> dg.SensorDefinition:
    """The sensor, running by default.

    Args:
        settings: say where the `alerts.yaml` is.

    Raises:
        ConfigurationError: something in `alerts.yaml` is wrong.
    """
    ticks = AlertTicks(load_alerts(settings.alerts_path))

    @dg.sensor(
        name=SENSOR_NAME,
        description=_DESCRIPTION,
        minimum_interval_seconds=ticks.alerts.interval_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
    )
    def alerts(context: dg.SensorEvaluationContext) -> dg.SkipReason:
        return ticks.tick(context)

    return alerts


class AlertTicks:
    """What the sensor does, tick by tick.

    Args:
        alerts: who is told what.
        clock: seconds since 1970.
        longest_wait: seconds that a tick waits for channels.
        name: under which the memory is kept, beside the code location's.
    """

    def __init__(
        self,
        alerts: Alerts,
        clock: Callable[[], float] = time.time,
        longest_wait: float = LONGEST_WAIT,
        name: str = SENSOR_NAME,
    ) -> None:
        self.alerts = alerts
        self.clock = clock
        self.longest_wait = longest_wait
        self.name = name
        self.courier = Courier()
        self._one_at_a_time = threading.Lock()

    def tick(self, context: dg.SensorEvaluationContext) -> dg.SkipReason:
        """Read, remember, tell.

        Raises:
            AlertError: a channel is broken; the memory is safe, and the other channels have been told.
        """
        if not self._one_at_a_time.acquire(blocking=False):
            return dg.SkipReason("The tick before this one still waits for a channel.")
        try:
            return _Tick(self, context).run()
        finally:
            self._one_at_a_time.release()


class _Tick:
    def __init__(self, ticks: AlertTicks, context: dg.SensorEvaluationContext) -> None:
        self._alerts = ticks.alerts
        self._clock = ticks.clock
        self._longest_wait = ticks.longest_wait
        self._courier = ticks.courier
        self._context = context
        self._instance: DagsterInstance = context.instance
        self._store = StateStore(self._instance, _full_name(context, ticks.name))
        self._problems: list[str] = []
        self._news: list[str] = []

    def run(self) -> dg.SkipReason:
        state = self._store.load()
        if state is None:
            state = State(position=newest_position(self._instance))
            self._news.append("Began at the end of the event log: what failed before is not told.")
        self._read(state)
        senders = self._senders(state)
        # Before the first message leaves: from here on nothing that was read can be lost.
        self._store.save(state)
        self._send(state, senders)
        self._receive(state)
        self._store.save(state)
        self._show(state)
        if self._problems:
            raise AlertError(" ".join(self._problems))
        return dg.SkipReason(" ".join(self._news) or "Nothing new.")

    def _read(self, state: State) -> None:
        now = self._clock()
        reading = read(self._instance, state.position, now, EVENTS_PER_TICK)
        interpreter = Interpreter(
            self._instance,
            concerns_of(self._context.repository_def),
            lambda: any(f.subject.kind == "run" and f.failing for f in state.failures.values()),
        )
        for entry in reading.entries:
            state.observe(interpreter.observations(entry))
        state.position = reading.position
        if reading.rewound:
            self._context.log.warning("The event log has been cut back; it is read again from where it is known.")
        if reading.more:
            self._news.append("More events are waiting than one tick reads.")
        self._note_forgotten(state, now)
        state.tidy(self._alerts)

    def _note_forgotten(self, state: State, now: float) -> None:
        untold = state.forget(now, self._alerts)
        if untold:
            names = ", ".join(sorted(failure.subject.key for failure in untold)[:3])
            self._problems.append(
                f"{len(untold)} failures were never told to everyone, and are followed no longer: {names}."
            )

    def _senders(self, state: State) -> dict[str, Sender | ConfigurationError]:
        """Each channel's sender, or why there is none; the latter is told when it changes."""
        senders = {name: self._sender(name) for name in self._alerts.channels}
        unusable = {name: str(error) for name, error in senders.items() if isinstance(error, ConfigurationError)}
        if tuple(unusable) != state.unusable:
            self._problems += unusable.values()
        state.unusable = tuple(unusable)
        return senders

    def _sender(self, channel: str) -> Sender | ConfigurationError:
        try:
            return build_sender(self._alerts, channel, self._context.log)
        except ConfigurationError as error:
            return error

    def _send(self, state: State, senders: dict[str, Sender | ConfigurationError]) -> None:
        now = self._clock()
        for channel, sender in senders.items():
            lines = state.due(channel, now, self._alerts)
            if self._courier.is_busy(channel) or not state.ready(channel, lines, now, self._alerts, self._active):
                self._news += [f"{len(lines)} for {channel} wait."] if lines else []
                continue
            if isinstance(sender, ConfigurationError):
                self._note_refusal(state, channel, str(sender).removesuffix("."))
            else:
                self._courier.send(channel, sender, lines, self._alerts.base_url)

    def _receive(self, state: State) -> None:
        for delivery in self._courier.arrived(self._longest_wait):
            if delivery.refused is None:
                state.delivered(delivery.channel, delivery.lines, self._clock(), self._alerts)
                self._news.append(f"Told {delivery.channel} of {len(delivery.lines)}.")
            else:
                self._note_refusal(state, delivery.channel, delivery.refused)
            self._store.save(state)

    def _note_refusal(self, state: State, channel: str, reason: str) -> None:
        trouble = state.refused(channel, reason, self._clock(), self._alerts)
        waiting = len(state.due(channel, self._clock(), self._alerts))
        since = time_of(trouble.since)
        sentence = (
            f"Channel {channel} takes no message (attempt {trouble.attempts}, since {since}): {reason};"
            f" {waiting} alerts wait for it and are tried again later."
        )
        self._context.log.warning(sentence)
        self._news.append(sentence)
        if trouble.attempts >= self._alerts.retries.broken_after_attempts:
            self._problems.append(sentence)

    def _active(self, run_ids: Collection[str]) -> set[str]:
        runs = self._instance.get_runs(filters=RunsFilter(run_ids=list(run_ids)))
        return {run.run_id for run in runs if run.status not in _ENDED}

    def _show(self, state: State) -> None:
        """The cursor is for people: what the sensor remembers is in the store."""
        failing = sum(failure.failing for failure in state.failures.values())
        troubled = sorted(name for name, channel in state.channels.items() if channel.trouble)
        cursor = json.dumps({"read_until": state.position.settled, "failing": failing, "troubled_channels": troubled})
        if cursor != self._context.cursor:
            self._context.update_cursor(cursor)


def _full_name(context: dg.SensorEvaluationContext, name: str) -> str:
    origin = context.code_location_origin
    return f"{origin.location_name if origin else 'local'}/{name}"
