"""A course of events for the memory, without Dagster."""

from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staged_assets.alerts.config import Alerts
from staged_assets.alerts.models import AlertsFile, Severity
from staged_assets.alerts.observations import Observation, Subject
from staged_assets.alerts.state import HOUR, Line, State

GATHER = 60.0
REMINDERS = [1.0, 4.0]
NOON = 1_750_000_000.0 // 86400 * 86400 + 12 * HOUR

QUIET = {"time_zone": "UTC", "from": "22:00", "to": "07:00"}


def alerts(**keys: Any) -> Alerts:
    content = {
        "version": 1,
        "gather_seconds": GATHER,
        "reminders": {"after_hours": REMINDERS},
        "channels": {"all": {"kind": "console"}},
        "routes": [],
        "otherwise": ["all"],
        **keys,
    }
    return Alerts(Path("alerts.yaml"), AlertsFile.model_validate(content), {})


def check(name: str, failing: bool, at: float, severity: Severity = "error", run_id: str | None = None) -> Observation:
    return Observation(Subject(kind="check", name="stg_sales", part=name), failing, at, severity, run_id)


def freshness(failing: bool, at: float) -> Observation:
    return Observation(Subject(kind="freshness", name="stg_sales"), failing, at)


@dataclass
class Course:
    """A state to which things happen, and what its channels were told; it is written down and read after each step."""

    alerts: Alerts
    now: float = NOON
    state: State = field(default_factory=State)
    told: dict[str, list[tuple[float, list[Line]]]] = field(default_factory=dict)
    active: set[str] = field(default_factory=set)
    late: dict[str, list[Line]] = field(default_factory=dict)

    def observe(self, *observations: Observation) -> None:
        self.state.observe(observations)
        self._write_down()

    def tick(
        self, refusing: Collection[str] = (), passing: float = GATHER, slow: Collection[str] = ()
    ) -> list[str]:  # fmt: skip
        """One tick some seconds later; the news that the channels took. A slow one has taken it by the next tick."""
        self.now += passing
        for channel, lines in self.late.items():
            self._taken(channel, lines)
        self.late = {}
        self.state.forget(self.now, self.alerts)
        self.state.tidy(self.alerts)
        taken = []
        for channel in self.alerts.channels:
            lines = self.state.due(channel, self.now, self.alerts)
            if not self.state.ready(channel, lines, self.now, self.alerts, lambda runs: self.active & set(runs)):
                continue
            if channel in refusing or channel in slow:
                self.state.refused(channel, "it could not be reached", self.now, self.alerts)
                self.late |= {channel: lines} if channel in slow else {}
            else:
                self._taken(channel, lines)
                taken += [line.news for line in lines]
            self._write_down()
        self._write_down()
        return taken

    def _taken(self, channel: str, lines: list[Line]) -> None:
        self.state.delivered(channel, lines, self.now, self.alerts)
        self.told.setdefault(channel, []).append((self.now, lines))

    def _write_down(self) -> None:
        self.state = State.model_validate_json(self.state.model_dump_json(exclude_defaults=True))
