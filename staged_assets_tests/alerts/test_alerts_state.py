"""The memory: for any course of events, everyone hears what fails and when it is over, and never too often."""

import itertools
from collections.abc import Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staged_assets.alerts.config import Alerts
from staged_assets.alerts.models import AlertsFile, Severity
from staged_assets.alerts.observations import Observation, Subject
from staged_assets.alerts.state import HOUR, Line, State

GATHER = 60.0
REMINDERS = [1.0, 4.0]
NOON = 1_750_000_000.0 // 86400 * 86400 + 12 * HOUR


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


def test_a_failure_is_told_once_however_often_it_is_seen():
    course = Course(alerts())
    told = []
    for number in range(10):
        course.observe(check("a", True, course.now, run_id=str(number)))
        told += course.tick()
    assert told == ["failed"]


def test_a_failure_that_goes_on_is_told_again_at_widening_intervals():
    course = Course(alerts())
    times = []
    for minute in range(0, 12 * 60):
        course.observe(check("a", True, course.now, run_id=str(minute)))
        times += [minute] * len(course.tick())
    assert [after - before for before, after in itertools.pairwise(times)] == [60, 240, 240]


def test_a_reminder_says_how_often_it_has_failed_and_since_when():
    course = Course(alerts())
    for number in range(12):
        course.observe(check("a", True, course.now + number, run_id=str(number)))
    course.tick()
    course.observe(check("a", True, course.now, run_id="12"))
    assert course.tick(passing=HOUR) == ["still"]
    failure = course.told["all"][-1][1][0].failure
    assert (failure.seen, failure.since) == (13, NOON)


def test_a_check_that_is_evaluated_twice_in_a_run_is_counted_once():
    course = Course(alerts())
    course.observe(check("a", True, course.now, run_id="1"), check("a", True, course.now, run_id="1"))
    assert course.state.failures["check:stg_sales:a"].seen == 1


def test_a_check_that_is_not_evaluated_again_is_not_told_again():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick()
    assert course.tick(passing=100 * HOUR) == []


def test_stale_data_are_told_again_by_themselves():
    course = Course(alerts())
    course.observe(freshness(True, course.now))
    assert [course.tick(), course.tick(passing=HOUR), course.tick(passing=HOUR)] == [["failed"], ["still"], []]


def test_a_recovery_is_told_once():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick()
    told = []
    for _ in range(3):
        course.observe(check("a", False, course.now))
        told += course.tick()
    assert told == ["recovered"]
    assert course.state.failures == {}


def test_what_passes_is_not_told():
    course = Course(alerts())
    course.observe(check("a", False, course.now))
    assert course.tick() == []
    assert course.state.failures == {}


def test_a_warning_that_becomes_an_error_is_told():
    course = Course(alerts())
    course.observe(check("a", True, course.now, "warn"))
    course.tick()
    course.observe(check("a", True, course.now, "error"))
    assert course.tick() == ["worse"]


def test_forty_checks_are_one_message():
    course = Course(alerts())
    course.observe(*(check(str(number), True, course.now) for number in range(40)))
    assert len(course.tick()) == 40
    assert len(course.told["all"]) == 1


def test_what_a_run_finds_is_gathered_until_it_ends():
    course = Course(alerts(gather_seconds=600), active={"run"})
    course.observe(check("a", True, course.now, run_id="run"))
    first = course.tick()
    course.observe(check("b", True, course.now, run_id="run"))
    course.active.clear()
    assert (first, course.tick()) == ([], ["failed", "failed"])


def test_what_a_long_run_finds_is_told_after_a_while():
    course = Course(alerts(), active={"run"})
    course.observe(check("a", True, course.now, run_id="run"))
    assert [course.tick(passing=30), course.tick(passing=31)] == [[], ["failed"]]


def test_a_channel_is_not_sent_two_messages_at_once():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick()
    course.observe(check("b", True, course.now))
    assert [course.tick(passing=1), course.tick(passing=GATHER)] == [[], ["failed"]]


def test_a_refusal_is_tried_again_after_a_pause_that_grows():
    course = Course(alerts(retries={"first_seconds": 30, "longest_seconds": 200}))
    course.observe(check("a", True, course.now))
    attempts = []
    for second in range(0, 1000, 10):
        course.tick(refusing={"all"}, passing=10)
        trouble = course.state.channels["all"].trouble
        attempts += [second] * (trouble is not None and trouble.attempts > len(attempts))
    assert [after - before for before, after in itertools.pairwise(attempts)] == [30, 60, 120, 200, 200, 200]
    assert course.tick(passing=200) == ["failed"]
    assert course.state.channels["all"].trouble is None


def test_a_channel_that_refuses_does_not_keep_others_from_being_told():
    course = Course(
        alerts(channels={"broken": {"kind": "console"}, "all": {"kind": "console"}}, otherwise=["broken", "all"])
    )
    course.observe(check("a", True, course.now))
    assert course.tick(refusing={"broken"}) == ["failed"]
    assert list(course.told) == ["all"]


def test_a_failure_that_passed_before_anyone_was_told_is_told():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick(refusing={"all"})
    course.observe(check("a", False, course.now))
    assert course.tick() == ["passed"]
    assert course.state.failures == {}


def test_a_failure_that_comes_back_before_its_recovery_was_told_is_told_again():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick()
    course.observe(check("a", False, course.now), check("a", True, course.now + 1))
    assert course.tick() == ["again"]


def test_a_late_answer_does_not_hide_what_happened_since():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick(slow={"all"})
    course.observe(check("a", False, course.now), check("a", True, course.now + 1))
    assert course.tick() == []
    assert course.tick() == ["again"]


def test_a_late_answer_to_a_recovery_does_not_hide_the_next_failure():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick()
    course.observe(check("a", False, course.now))
    course.tick(slow={"all"})
    course.observe(check("a", True, course.now))
    course.tick()
    assert course.tick() == ["failed"]


QUIET = {"time_zone": "UTC", "from": "22:00", "to": "07:00"}


def quiet() -> Alerts:
    return alerts(channels={"all": {"kind": "console", "quiet_hours": QUIET}})


def test_warnings_wait_for_the_end_of_quiet_hours_and_errors_do_not():
    course = Course(quiet(), now=NOON + 11 * HOUR)
    course.observe(check("a", True, course.now, "warn"), check("b", True, course.now, "error"))
    assert course.tick() == ["failed"]
    assert course.told["all"][0][1][0].failure.severity == "error"
    assert course.tick(passing=7 * HOUR) == []
    assert course.tick(passing=HOUR) == ["failed"]


def test_a_warning_that_passed_in_quiet_hours_is_told_after_them():
    course = Course(quiet(), now=NOON + 11 * HOUR)
    course.observe(check("a", True, course.now, "warn"), check("a", False, course.now + 1, "warn"))
    assert course.tick() == []
    assert course.tick(passing=8 * HOUR) == ["passed"]


def test_a_channel_that_is_new_hears_what_is_open_and_one_that_is_gone_keeps_nothing_open():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick()
    course.alerts = alerts(channels={"other": {"kind": "console"}}, otherwise=["other"])
    assert course.tick() == ["failed"]
    course.observe(check("a", False, course.now))
    course.tick()
    assert course.state.failures == {}


def test_a_recovery_is_told_to_whom_the_failure_was_told():
    by_severity = alerts(
        channels={"errors": {"kind": "console"}, "warnings": {"kind": "console"}},
        routes=[{"severities": ["error"], "to": ["errors"]}, {"severities": ["warn"], "to": ["warnings"]}],
        otherwise=[],
    )
    course = Course(by_severity)
    course.observe(check("a", True, course.now, "error"))
    course.tick()
    course.observe(check("a", True, course.now, "warn"))
    course.tick()
    course.observe(check("a", False, course.now))
    assert course.tick() == ["recovered", "recovered"]


def run(failing: bool, at: float, part: str, *assets: str, job: str = "__ASSET_JOB") -> Observation:
    return Observation(Subject(kind="run", name=job, part=part), failing, at, run_id=str(at), assets=frozenset(assets))


def test_a_run_of_some_assets_recovers_when_another_run_has_refreshed_them():
    course = Course(alerts())
    course.observe(run(True, course.now, "1", "stg_items", "stg_shops"))
    course.tick()
    course.observe(run(False, course.now, "2", "stg_items"))
    assert course.tick() == []
    course.observe(run(False, course.now, "", "stg_items", "stg_shops", "stg_sales", job="refresh_all"))
    assert course.tick() == ["recovered"]


def test_what_there_is_no_news_of_is_forgotten_and_named_when_it_was_never_told():
    course = Course(alerts())
    course.observe(check("told", True, course.now))
    course.tick()
    course.observe(check("untold", True, course.now))
    later = course.now + 31 * 24 * HOUR
    assert [failure.subject.part for failure in course.state.forget(later, course.alerts)] == ["untold"]
    assert course.state.failures == {}


CHECKS = ["a", "b", "never failing"]
CHANNELS = ["all", "errors", "quiet"]
severities = st.sampled_from(["error", "warn"])
pauses = st.sampled_from([5.0, 30.0, 600.0, 2 * HOUR, 9 * HOUR])
steps = st.one_of(
    st.tuples(st.just("evaluate"), st.sampled_from(CHECKS), st.booleans(), severities, st.integers(0, 9)),
    st.tuples(
        st.just("tick"), st.frozensets(st.sampled_from(CHANNELS)), pauses, st.frozensets(st.sampled_from(CHANNELS))
    ),
)


@settings(max_examples=200, deadline=None)
@given(st.lists(steps, max_size=40))
def test_for_any_course_of_events_everyone_hears_what_fails_and_that_it_is_over(course_of_events):
    course = Course(
        alerts(
            channels={"all": {"kind": "console"}, "errors": {"kind": "console"},
                      "quiet": {"kind": "console", "quiet_hours": QUIET}},
            routes=[{"severities": ["error"], "to": ["errors", "all", "quiet"]}],
            otherwise=["all", "quiet"],
        )
    )  # fmt: skip
    began = course.now
    failing: dict[str, Severity] = {}
    streaks: list[tuple[str, float]] = []
    for step in course_of_events:
        if step[0] == "tick":
            course.tick(*step[1:])
            continue
        _, name, fails, severity, run_number = step
        fails = fails and name != "never failing"
        course.now += 1
        if fails and name not in failing:
            streaks.append((name, course.now))
        failing = {**failing, name: severity} if fails else {key: failing[key] for key in failing if key != name}
        course.observe(check(name, fails, course.now, severity, str(run_number)))
    # Long enough for every pause and for the end of quiet hours; short enough for nothing to be forgotten.
    for _ in range(3):
        course.tick(passing=9 * HOUR)

    for messages in course.told.values():
        _assert_told_in_order(lines for _, lines in messages)
        assert len(messages) <= 1 + (course.now - began) / GATHER
        _assert_reminders_widen(messages)
    for channel in ("all", "quiet"):
        assert _believed_failing(course, channel) == failing.keys()
        for name, since in streaks:
            assert any(
                at >= since for at, lines in course.told[channel] for line in lines if line.failure.subject.part == name
            )
    errors = {name for name, severity in failing.items() if severity == "error"}
    assert errors <= _believed_failing(course, "errors") <= failing.keys()
    assert {failure.subject.part for failure in course.state.failures.values()} == failing.keys()


def _assert_told_in_order(messages: Any) -> None:
    """Nobody hears of a recovery from what they have not heard of, nor twice of the same."""
    believed: dict[str, bool] = {}
    for line in itertools.chain.from_iterable(messages):
        name = line.failure.subject.part
        assert name != "never failing"
        assert believed.get(name, False) == (line.news in ("again", "worse", "still", "recovered"))
        believed[name] = line.news not in ("recovered", "passed")


def _assert_reminders_widen(messages: list[tuple[float, list[Line]]]) -> None:
    last: dict[str, tuple[float, int]] = {}
    for at, lines in messages:
        for line in lines:
            before, times = last.get(line.failure.subject.part, (at, 0))
            if line.news == "still":
                assert at - before >= REMINDERS[min(times, len(REMINDERS)) - 1] * HOUR
                last[line.failure.subject.part] = (at, times + 1)
            else:
                last[line.failure.subject.part] = (at, 1)


def _believed_failing(course: Course, channel: str) -> set[str]:
    believed = {}
    for _, lines in course.told.get(channel, []):
        believed |= {line.failure.subject.part: line.news not in ("recovered", "passed") for line in lines}
    return {name for name, fails in believed.items() if fails}


@pytest.mark.parametrize("number", [500])
def test_the_memory_of_many_open_failures_is_small(number):
    course = Course(alerts())
    course.observe(
        *(check(f"a_check_with_a_long_name_{index}", True, course.now, run_id="x" * 36) for index in range(number))
    )
    course.tick()
    assert len(course.state.model_dump_json(exclude_defaults=True)) < 500 * number
