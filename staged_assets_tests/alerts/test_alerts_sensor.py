"""The sensor's ticks on real instances, with real checks, and channels that are well, slow or broken."""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from typing import Any

import dagster as dg
import pytest
from dagster import DagsterInstance

from staged_assets.alerts import event_log
from staged_assets.alerts import sensor as sensor_module
from staged_assets.alerts.config import Alerts
from staged_assets.alerts.sensor import AlertTicks, build_alert_sensor
from staged_assets.errors import AlertError
from staged_assets.refresh.reachable import report_reachable
from staged_assets.settings import Settings
from staged_assets_tests.alerts.conftest import Clock
from staged_assets_tests.alerts.events import (
    WARN,
    report_check,
    report_freshness,
    run_checks,
    run_given_up_by_the_monitor,
    run_that,
)

Configured = Callable[..., Alerts]
_numbers = count()


@dataclass
class Ticking:
    """A sensor that ticks when told to; its memory is its own, and has begun."""

    instance: DagsterInstance
    alerts: Alerts
    clock: Clock
    longest_wait: float = 10.0
    name: str = ""

    def __post_init__(self) -> None:
        self.name = self.name or f"alerts_{next(_numbers)}"
        self.restart()

    def restart(self) -> None:
        """As when the code server starts anew."""
        self.ticks = AlertTicks(self.alerts, self.clock, self.longest_wait, self.name)

    def __call__(self, definitions: dg.Definitions | None = None) -> str:
        context = dg.build_sensor_context(self.instance, definitions=definitions or dg.Definitions())
        return self.ticks.tick(context).skip_message or ""

    def later(self, **passing: float) -> str:
        self.clock.pass_by(**passing)
        return self()


@pytest.fixture
def hooked(configured: Configured, webhook: Any) -> Alerts:
    """One channel: the webhook."""
    return configured(
        {"HOOK": webhook.url},
        channels={"hook": {"kind": "apprise", "url": "${HOOK}"}},
        otherwise=["hook"],
        retries={"broken_after_attempts": 3},
    )


@pytest.fixture
def ticking(any_instance: DagsterInstance, hooked: Alerts, clock: Clock) -> Ticking:
    made = Ticking(any_instance, hooked, clock)
    made()
    return made


def test_history_is_never_told(any_instance, hooked, clock, webhook):
    report_check(any_instance, "before", passed=False)
    ticking = Ticking(any_instance, hooked, clock)
    assert ticking().startswith("Began at the end of the event log")
    report_check(any_instance, "after", passed=False)
    ticking()
    [text] = webhook.texts
    assert "after" in text
    assert "before" not in text


def test_checks_in_runs_and_outside_of_them_are_told_whatever_their_severity(any_instance, ticking, webhook):
    run_checks(any_instance, {"in_run": False})
    report_check(any_instance, "outside", passed=False, severity=WARN)
    assert ticking() == "Told hook of 2."
    [body] = webhook.received
    assert body["title"] == "staged-assets: 1 error, 1 warning"
    assert "in_run" in body["message"]
    assert "outside" in body["message"]


def test_forty_checks_of_one_run_are_one_message(any_instance, ticking, webhook):
    run_checks(any_instance, {f"check_{number:02}": False for number in range(40)})
    ticking()
    ticking.later(hours=1)
    [text] = webhook.texts
    assert "40 errors" in text
    assert "… and 20 more." in text


def test_a_failed_run_a_run_given_up_and_stale_data_are_told(any_instance, ticking, webhook):
    run_that(any_instance, fails=True, job="refresh_erp")
    run_given_up_by_the_monitor(any_instance, job="refresh_crm")
    report_freshness(any_instance, "stg_sales", "FAIL")
    ticking()
    [text] = webhook.texts
    assert "job refresh_erp`](" in text
    assert "job refresh_crm`](" in text
    assert "stg_sales" in text
    assert "became stale" in text


def test_a_failure_that_goes_on_is_told_at_widening_intervals_and_its_recovery_once(any_instance, ticking, webhook):
    for _ in range(3):
        report_check(any_instance, "required", passed=False)
        ticking.later(minutes=2)
    report_check(any_instance, "required", passed=False)
    ticking.later(hours=1)
    report_check(any_instance, "required", passed=True)
    ticking.later(minutes=2)
    report_check(any_instance, "required", passed=True)
    ticking.later(minutes=2)
    first, reminder, recovery = webhook.texts
    assert "failed at" in first
    assert "still failing (4 runs, since " in reminder
    assert "passes again" in recovery


def test_a_source_that_is_down_is_told_once_and_that_it_is_back_once(any_instance, ticking, webhook):
    """As its sensor reports it: when it goes down, and when it answers again."""
    report_reachable(any_instance, "crm", "crm: it can't be reached: start it.")
    ticking()
    ticking.later(minutes=5)
    report_reachable(any_instance, "crm", None)
    ticking.later(minutes=2)
    ticking.later(minutes=2)
    down, back = webhook.texts
    assert down.startswith("staged-assets: 1 error\n")
    assert "crm reachable" in down
    assert "failed at" in down
    assert back.startswith("staged-assets: 1 recovered\n")
    assert "crm reachable" in back
    assert "passes again" in back


def test_what_was_read_is_told_after_the_process_was_killed(any_instance, ticking, webhook, monkeypatch):
    class Killed(BaseException):
        pass

    def killed(*_: Any) -> None:
        raise Killed

    report_check(any_instance, "required", passed=False)
    with monkeypatch.context() as patch:
        patch.setattr(sensor_module.Courier, "send", killed)
        with pytest.raises(Killed):
            ticking()
    ticking.restart()
    ticking()
    assert len(webhook.texts) == 1


def test_what_was_told_is_not_told_again_after_a_restart(any_instance, ticking, webhook):
    report_check(any_instance, "required", passed=False)
    ticking()
    ticking.restart()
    report_check(any_instance, "required", passed=False)
    ticking.later(minutes=5)
    assert len(webhook.texts) == 1


def test_a_delivery_that_failed_is_tried_again_later_and_nothing_is_lost(any_instance, ticking, webhook):
    webhook.answer = 500
    report_check(any_instance, "first", passed=False)
    assert "it answered with status 500; 1 alerts wait for it" in ticking()
    assert ticking.later(seconds=10) == "1 for hook wait."
    report_check(any_instance, "second", passed=False)
    webhook.answer = 200
    assert ticking.later(seconds=30) == "Told hook of 2."
    assert "2 errors" in webhook.texts[-1]


def test_a_channel_that_stays_broken_fails_the_tick_and_keeps_what_it_was_not_told(any_instance, ticking, webhook):
    webhook.answer = 503
    report_check(any_instance, "required", passed=False)
    ticking()
    ticking.later(minutes=10)
    with pytest.raises(
        AlertError, match=r"Channel hook takes no message \(attempt 3, since .* UTC\): it answered with status 503"
    ):
        ticking.later(hours=1)
    webhook.answer = 200
    assert ticking.later(hours=1) == "Told hook of 1."


def test_a_broken_channel_does_not_keep_another_from_being_told(any_instance, configured, clock, webhook, mail_server):
    webhook.delay = 30
    alerts = configured(
        {"HOOK": webhook.url, "MAIL": mail_server.url},
        channels={
            "hook": {"kind": "apprise", "url": "${HOOK}", "timeout_seconds": 20},
            "unset": {"kind": "apprise", "url": "${UNSET}"},
            "mail": {"kind": "apprise", "url": "${MAIL}"},
        },
        otherwise=["hook", "unset", "mail"],
    )
    ticking = Ticking(any_instance, alerts, clock, longest_wait=2)
    with pytest.raises(AlertError, match="environment variable UNSET, which is not set"):
        ticking()
    report_check(any_instance, "required", passed=False)
    began = time.monotonic()
    told = ticking()
    assert time.monotonic() - began < 10
    assert "Told mail of 1." in told
    assert "Channel hook takes no message (attempt 1, since " in told
    assert "it has not answered in time; 1 alerts wait for it" in told
    assert "Channel unset takes no message" in told
    assert len(mail_server.received) == 1


def test_a_channel_that_answers_late_has_been_told(any_instance, hooked, clock, webhook):
    ticking = Ticking(any_instance, hooked, clock, longest_wait=0.2)
    ticking()
    webhook.delay = 1.5
    report_check(any_instance, "required", passed=False)
    late = ticking()
    time.sleep(2.5)
    told = ticking.later(minutes=10)
    assert "it has not answered in time" in late
    assert "Told hook of 1." in told
    assert len(webhook.received) == 1


def test_one_tick_at_a_time(any_instance, hooked, clock, webhook):
    ticking = Ticking(any_instance, hooked, clock)
    ticking()
    webhook.delay = 2
    report_check(any_instance, "required", passed=False)
    first = threading.Thread(target=ticking)
    first.start()
    while not webhook.received:
        time.sleep(0.05)
    second = ticking()
    first.join()
    assert second == "The tick before this one still waits for a channel."
    assert len(webhook.received) == 1


def test_alerts_are_routed_by_the_owner_in_the_asset_graph(any_instance, configured, clock, webhook, mail_server):
    alerts = configured(
        {"HOOK": webhook.url, "MAIL": mail_server.url},
        channels={
            "hook": {"kind": "apprise", "url": "${HOOK}"},
            "mail": {"kind": "apprise", "url": "${MAIL}"},
        },
        routes=[{"owners": ["erp@examplecorp.com"], "to": ["mail"]}],
        otherwise=["hook"],
    )
    ticking = Ticking(any_instance, alerts, clock)
    ticking()
    assets = dg.Definitions(
        assets=[dg.AssetSpec("stg_items", owners=["erp@examplecorp.com"]), dg.AssetSpec("stg_sales")]
    )
    report_check(any_instance, "of_items", passed=False, asset="stg_items")
    report_check(any_instance, "of_sales", passed=False, asset="stg_sales")
    ticking(assets)
    assert "of_sales" in webhook.texts[0]
    assert "of_items" not in webhook.texts[0]
    assert "of_items" in mail_server.received[0].as_string()


def test_where_nothing_is_new_nothing_is_written_and_no_event_is_read(any_instance, ticking, monkeypatch):
    report_check(any_instance, "required", passed=False)
    ticking()
    ticking.later(minutes=10)
    read, written = [], []
    read_entries = event_log.read_entries

    def noted(*arguments: Any) -> Any:
        found = read_entries(*arguments)
        read.extend(found)
        return found

    monkeypatch.setattr(event_log, "read_entries", noted)
    monkeypatch.setattr(type(any_instance.run_storage), "set_cursor_values", lambda *_: written.append(1))
    assert ticking.later(minutes=10) == "Nothing new."
    # The last one is looked at, to see that the log is the same.
    assert len(read) == 1
    assert written == []


def test_a_tick_reads_no_more_than_its_limit(any_instance, ticking, webhook, monkeypatch):
    monkeypatch.setattr(sensor_module, "EVENTS_PER_TICK", 3)
    for number in range(5):
        report_check(any_instance, f"check_{number}", passed=False)
    assert ticking() == "More events are waiting than one tick reads. Told hook of 3."
    assert ticking.later(minutes=2) == "Told hook of 2."


def test_a_memory_that_can_not_be_read_begins_anew(any_instance, ticking, caplog):
    any_instance.daemon_cursor_storage.set_cursor_values(
        {f"staged_assets/alerts/local/{ticking.name}": '{"failures": 7}'}
    )
    report_check(any_instance, "required", passed=False)
    assert ticking().startswith("Began at the end of the event log")
    assert "written by another version" in caplog.text


def test_what_was_forgotten_untold_is_said(any_instance, ticking, webhook):
    webhook.answer = 500
    report_check(any_instance, "required", passed=False)
    ticking()
    with pytest.raises(
        AlertError, match="never told to everyone, and are followed no longer: check:stg_sales:required"
    ):
        ticking.later(days=31)


def test_the_sensor_runs_by_default_and_its_cursor_shows_what_it_remembers(any_instance, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    sensor = build_alert_sensor(Settings())
    result = sensor.evaluate_tick(dg.build_sensor_context(any_instance, definitions=dg.Definitions(sensors=[sensor])))
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING
    assert json.loads(result.cursor or "").keys() == {"read_until", "failing", "troubled_channels"}
    assert result.run_requests == []


def test_the_console_is_enough(any_instance, configured, clock, capfd):
    ticking = Ticking(any_instance, configured(), clock)
    ticking()
    report_check(any_instance, "required", passed=False)
    assert ticking() == "Told console of 1."
    assert "ERROR stg_sales required: failed at" in capfd.readouterr().err
