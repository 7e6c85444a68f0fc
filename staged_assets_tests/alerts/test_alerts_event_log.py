"""The contract with Dagster's storage, which has no public interface for this, and the position in the log."""

from collections.abc import Iterator

import psycopg2
import pytest
from dagster import DagsterEventType, DagsterInstance

from staged_assets.alerts import event_log
from staged_assets.alerts.event_log import SETTLING_SECONDS, Position, newest_position, read, read_entries
from staged_assets_tests.alerts.conftest import POSTGRES, Clock
from staged_assets_tests.alerts.events import (
    report_check,
    report_freshness,
    run_checks,
    run_given_up_by_the_monitor,
    run_that,
)
from staged_assets_tests.postgres import PostgresServer


def names(reading: event_log.Reading) -> list[str]:
    return [entry.dagster_event.asset_check_evaluation_data.check_name for entry in reading.entries]


def test_entries_come_in_order_from_runs_and_outside_of_runs(any_instance: DagsterInstance):
    before = newest_position(any_instance)
    report_check(any_instance, "first", passed=True)
    run_checks(any_instance, {"second": True, "third": False})
    report_check(any_instance, "fourth", passed=False)
    found = read_entries(any_instance, before.settled, DagsterEventType.ASSET_CHECK_EVALUATION, 10)
    assert list(found) == sorted(found)
    data = [entry.dagster_event.asset_check_evaluation_data for entry in found.values()]
    assert [evaluation.check_name for evaluation in data] == ["first", "second", "third", "fourth"]
    assert [evaluation.passed for evaluation in data] == [True, True, False, False]
    assert [bool(entry.run_id) for entry in found.values()] == [False, True, True, False]


def test_entries_are_limited_and_read_on_from_an_id(any_instance: DagsterInstance):
    before = newest_position(any_instance)
    for number in range(5):
        report_check(any_instance, f"check_{number}", passed=True)
    first = read_entries(any_instance, before.settled, DagsterEventType.ASSET_CHECK_EVALUATION, 2)
    rest = read_entries(any_instance, max(first), DagsterEventType.ASSET_CHECK_EVALUATION, 10)
    assert len(first) == 2
    assert len(rest) == 3


def test_every_type_that_is_read_is_found(any_instance: DagsterInstance):
    before = newest_position(any_instance)
    report_check(any_instance, "a", passed=False)
    run_that(any_instance, fails=True)
    run_that(any_instance, fails=False)
    run_given_up_by_the_monitor(any_instance)
    report_freshness(any_instance, "stg_sales", "FAIL")
    found = [entry.dagster_event.event_type for entry in read(any_instance, before, 0, 100).entries]
    assert found == [
        DagsterEventType.ASSET_CHECK_EVALUATION,
        DagsterEventType.RUN_FAILURE,
        DagsterEventType.RUN_SUCCESS,
        DagsterEventType.RUN_FAILURE,
        DagsterEventType.FRESHNESS_STATE_CHANGE,
    ]


def test_an_entry_is_read_once(any_instance: DagsterInstance):
    before = newest_position(any_instance)
    report_check(any_instance, "a", passed=False)
    first = read(any_instance, before, 0, 100)
    report_check(any_instance, "b", passed=False)
    second = read(any_instance, first.position, 0, 100)
    assert names(first) == ["a"]
    assert names(second) == ["b"]


def test_history_is_not_read(any_instance: DagsterInstance):
    report_check(any_instance, "before", passed=False)
    position = newest_position(any_instance)
    assert read(any_instance, position, 0, 100).entries == []


def test_an_empty_log_has_a_position(instance: DagsterInstance):
    position = newest_position(instance)
    report_check(instance, "a", passed=False)
    assert names(read(instance, position, 0, 100)) == ["a"]


def test_more_than_the_limit_is_read_in_order_over_several_readings(any_instance: DagsterInstance):
    position = newest_position(any_instance)
    for number in range(7):
        report_check(any_instance, f"check_{number}", passed=True)
        run_given_up_by_the_monitor(any_instance)
    readings = []
    for _ in range(6):
        readings.append(read(any_instance, position, 0, 3))
        position = readings[-1].position
    times = [entry.timestamp for reading in readings for entry in reading.entries]
    assert [len(reading.entries) for reading in readings] == [3, 3, 3, 3, 2, 0]
    assert [reading.more for reading in readings] == [True, True, True, True, False, False]
    assert times == sorted(times)


def test_a_settled_position_forgets_what_it_has_read(any_instance: DagsterInstance, clock: Clock):
    report_check(any_instance, "before", passed=True)
    position = newest_position(any_instance)
    report_check(any_instance, "a", passed=True)
    fresh = read(any_instance, position, clock(), 100).position
    clock.pass_by(seconds=SETTLING_SECONDS + 1)
    settled = read(any_instance, fresh, clock(), 100).position
    assert len(fresh.recent) == 1
    assert settled.recent == {}
    assert settled.settled == max(fresh.recent)
    assert read(any_instance, settled, clock(), 100).entries == []


@pytest.fixture
def postgres(postgres_server: PostgresServer, postgres_database: str) -> Iterator["psycopg2.extensions.connection"]:
    connection = postgres_server.connect(postgres_database)
    yield connection
    connection.close()


@pytest.mark.parametrize("any_instance", [POSTGRES], indirect=True)
def test_an_event_that_is_committed_after_one_with_a_higher_id_is_read(
    any_instance: DagsterInstance, postgres: "psycopg2.extensions.connection", clock: Clock
):
    report_check(any_instance, "slow", passed=False)
    slow = newest_position(any_instance).settled
    with postgres.cursor() as cursor:
        cursor.execute("select event, dagster_event_type from event_logs where id = %s", [slow])
        row = cursor.fetchone()
        cursor.execute("delete from event_logs where id = %s", [slow])
        postgres.commit()
        position = newest_position(any_instance)
        cursor.execute("insert into event_logs (event, dagster_event_type) values (%s, %s)", row)
        report_check(any_instance, "quick", passed=False)
        first = read(any_instance, position, clock(), 100)
        postgres.commit()
    second = read(any_instance, first.position, clock(), 100)
    assert names(first) == ["quick"]
    assert names(second) == ["slow"]


def test_ids_that_are_given_out_again_are_noticed(instance: DagsterInstance, clock: Clock):
    report_check(instance, "old", passed=True)
    run_id = run_checks(instance, {"deleted": False})
    position = newest_position(instance)
    clock.pass_by(seconds=1)
    instance.delete_run(run_id)
    newest = newest_position(instance).settled
    for number in range(position.settled - newest + 2):
        report_check(instance, f"new_{number}", passed=False)
    reading = read(instance, position, clock(), 100)
    assert newest < position.settled
    assert reading.rewound
    assert names(reading) == [f"new_{number}" for number in range(position.settled - newest + 2)]


def test_a_log_that_was_cut_back_is_read_on(instance: DagsterInstance, clock: Clock):
    report_check(instance, "old", passed=True)
    run_id = run_checks(instance, {"deleted": False})
    position = newest_position(instance)
    instance.delete_run(run_id)
    cut = read(instance, position, clock(), 100)
    report_check(instance, "new", passed=False)
    assert cut.rewound
    assert cut.entries == []
    assert names(read(instance, cut.position, clock(), 100)) == ["new"]


def test_a_log_that_was_emptied_is_read_on(instance: DagsterInstance, clock: Clock):
    run_checks(instance, {"old": False})
    position = newest_position(instance)
    instance.event_log_storage.wipe()
    empty = read(instance, position, clock(), 100)
    report_check(instance, "new", passed=False)
    assert names(read(instance, empty.position, clock(), 100)) == ["new"]


def test_deleting_an_old_run_does_not_move_the_position(instance: DagsterInstance, clock: Clock):
    run_id = run_checks(instance, {"old": False})
    position = newest_position(instance)
    report_check(instance, "new", passed=False)
    instance.delete_run(run_id)
    reading = read(instance, position, clock(), 100)
    assert not reading.rewound
    assert names(reading) == ["new"]


def test_a_position_survives_being_written_down(clock: Clock):
    position = Position(settled=7, settled_at=1.5, recent={9: clock(), 11: clock() + 0.000001})
    assert Position.model_validate_json(position.model_dump_json()) == position
