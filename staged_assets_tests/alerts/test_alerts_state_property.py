"""For any course of events, everyone hears what fails and when it is over, and never too often."""

import itertools
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from staged_assets.alerts.models import Severity
from staged_assets.alerts.state import HOUR, Line
from staged_assets_tests.alerts.course import GATHER, QUIET, REMINDERS, Course, alerts, check

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
    for line in itertools.chain.from_iterable(lines for _, lines in course.told.get("errors", [])):
        assert line.failure.severity == "error" or line.news == "recovered"
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
