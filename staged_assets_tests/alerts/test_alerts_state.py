"""The memory: what is told of a failure, when, and to whom."""

import itertools

import pytest

from staged_assets.alerts.config import Alerts
from staged_assets.alerts.observations import Observation, Subject
from staged_assets.alerts.state import HOUR
from staged_assets_tests.alerts.course import GATHER, NOON, QUIET, Course, alerts, check, freshness


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


def test_trouble_is_known_since_it_began():
    course = Course(alerts())
    course.observe(check("a", True, course.now))
    course.tick(refusing={"all"})
    began = course.now
    course.tick(refusing={"all"})
    trouble = course.state.channels["all"].trouble
    assert trouble is not None
    assert (trouble.since, trouble.attempts) == (began, 2)


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


def by_severity() -> Alerts:
    return alerts(
        channels={"errors": {"kind": "console"}, "warnings": {"kind": "console"}},
        routes=[{"severities": ["error"], "to": ["errors"]}, {"severities": ["warn"], "to": ["warnings"]}],
        otherwise=[],
    )


def test_a_channel_is_told_of_what_is_routed_to_it_alone():
    course = Course(by_severity())
    course.observe(check("a", True, course.now, "warn"))
    course.tick()
    assert list(course.told) == ["warnings"]


def test_a_channel_is_not_reminded_of_what_concerns_it_no_more():
    course = Course(by_severity())
    course.observe(check("a", True, course.now, "error", "1"))
    course.tick()
    course.observe(check("a", True, course.now, "warn", "2"))
    course.tick(passing=2 * HOUR)
    assert [len(course.told[name]) for name in ("errors", "warnings")] == [1, 1]


def test_a_recovery_is_told_to_whom_the_failure_was_told():
    course = Course(by_severity())
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


def test_a_job_does_not_recover_by_the_run_of_another():
    course = Course(alerts())
    course.observe(run(True, course.now, "", job="refresh_erp"))
    course.tick()
    course.observe(run(False, course.now, "", "stg_items", job="refresh_crm"))
    assert course.tick() == []
    course.observe(run(False, course.now, "", "stg_items", job="refresh_erp"))
    assert course.tick() == ["recovered"]


def test_what_there_is_no_news_of_is_forgotten_and_named_when_it_was_never_told():
    course = Course(alerts())
    course.observe(check("told", True, course.now))
    course.tick()
    course.observe(check("untold", True, course.now))
    later = course.now + 31 * 24 * HOUR
    assert [failure.subject.part for failure in course.state.forget(later, course.alerts)] == ["untold"]
    assert course.state.failures == {}


@pytest.mark.parametrize("number", [500])
def test_the_memory_of_many_open_failures_is_small(number):
    course = Course(alerts())
    course.observe(
        *(check(f"a_check_with_a_long_name_{index}", True, course.now, run_id="x" * 36) for index in range(number))
    )
    course.tick()
    assert len(course.state.model_dump_json(exclude_defaults=True)) < 500 * number
