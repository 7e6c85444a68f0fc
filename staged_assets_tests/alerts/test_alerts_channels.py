"""Channels, tried on real servers of this machine: a web server and a mail server, well and unwell."""

import logging
import socket
import time

import pytest

from staged_assets.alerts import channels
from staged_assets.alerts.channels import AppriseSender, ConsoleSender, Courier, Delivery, Refused, build_sender
from staged_assets.alerts.messages import Limits, Message, compose
from staged_assets.alerts.observations import Subject
from staged_assets.alerts.state import Failure, Line
from staged_assets.errors import ConfigurationError

BASE = "http://127.0.0.1:3000"
LINE = Line(
    news="failed",
    failure=Failure(
        subject=Subject(kind="check", name="stg_sales", part="required"), severity="error", since=0, last=0
    ),
)
MESSAGE = compose([LINE], BASE, Limits())


def apprise_sender(url: str, timeout: float = 5.0) -> AppriseSender:
    return AppriseSender(url, max_lines=20, timeout=timeout)


def deliver(courier: Courier, *senders: tuple[str, AppriseSender], seconds: float = 10) -> dict[str, Delivery]:
    for name, sender in senders:
        courier.send(name, sender, [LINE], BASE)
    return {delivery.channel: delivery for delivery in courier.arrived(seconds)}


def test_a_webhook_receives_the_message(webhook):
    apprise_sender(webhook.url).send(MESSAGE)
    [body] = webhook.received
    assert body["title"] == "staged-assets: 1 error"
    assert "stg_sales required" in body["message"]
    assert body["type"] == "failure"


@pytest.mark.parametrize("status", [400, 401, 404, 500, 503])
def test_a_webhook_that_answers_with_an_error_has_refused(webhook, status):
    webhook.answer = status
    with pytest.raises(Refused, match=f"it answered with status {status}"):
        apprise_sender(webhook.url).send(MESSAGE)


def test_a_webhook_that_is_not_there_has_refused():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    with pytest.raises(Refused, match="could not be reached"):
        apprise_sender(f"json://127.0.0.1:{port}").send(MESSAGE)


def test_a_webhook_that_does_not_answer_has_refused_after_the_timeout(webhook):
    webhook.delay = 30
    with pytest.raises(Refused):
        apprise_sender(webhook.url, timeout=0.3).send(MESSAGE)


def test_a_webhook_that_is_slow_has_taken_the_message(webhook):
    webhook.delay = 1
    apprise_sender(webhook.url).send(MESSAGE)
    assert len(webhook.received) == 1


def test_mail_is_received_as_html_and_as_text(mail_server):
    apprise_sender(mail_server.url).send(MESSAGE)
    [mail] = mail_server.received
    assert mail["subject"] == "staged-assets: 1 error"
    assert mail["to"] == "dataengineering@examplecorp.com"
    html, plain = mail.get_body(["html"]).get_content(), mail.get_body(["plain"]).get_content()
    assert f'href="{BASE}/assets/stg_sales?view=checks&amp;checkDetail=required"' in html
    assert "stg_sales required" in plain


def test_mail_that_is_not_taken_is_refused(mail_server):
    mail_server.refusing = True
    with pytest.raises(Refused):
        apprise_sender(mail_server.url).send(MESSAGE)


def test_the_console_is_the_log(caplog):
    log = logging.getLogger("alerts of a test")
    with caplog.at_level(logging.INFO):
        for severity in ("error", "warn", None):
            ConsoleSender(log, 20).send(Message("Title", "Text", "*Text*", severity))
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("ERROR", "Title\nText"), ("WARNING", "Title\nText"), ("INFO", "Title\nText"),
    ]  # fmt: skip


@pytest.mark.parametrize("url", ["", "nonsense", "no_such_service://s3cret", "slack://s3cret"])
def test_a_url_that_apprise_does_not_know_is_told_without_it(configured, caplog, url):
    alerts = configured({"HOOK": url}, channels={"hook": {"kind": "apprise", "url": "${HOOK}"}}, otherwise=["hook"])
    with pytest.raises(
        ConfigurationError, match=r"channels\.hook\.url refers to the environment variable HOOK"
    ) as error:
        build_sender(alerts, "hook", logging.getLogger())
    assert "s3cret" not in str(error.value) + caplog.text


@pytest.mark.parametrize(
    ("url", "longest"),
    [
        (f"pagerduty://{'a' * 32}@{'b' * 32}", 1024),
        (f"slack://T1234ABCD/B1234ABCD/{'a' * 24}/#alerts", 35000),
        (f"twilio://AC{'a' * 32}:{'b' * 32}@15555555555/15555555556", 160),
        ("json://localhost", 32768),
    ],
)
def test_the_limits_are_those_of_the_service(url, longest):
    limits = apprise_sender(url).limits
    assert longest - 100 < limits.body + limits.title < longest


def test_nothing_is_waited_for_longer_than_it_may_and_the_others_are_told(webhook, mail_server):
    webhook.delay = 30
    began = time.monotonic()
    found = deliver(
        Courier(), ("hook", apprise_sender(webhook.url, 20)), ("mail", apprise_sender(mail_server.url)), seconds=2
    )
    assert time.monotonic() - began < 5
    assert found["mail"].refused is None
    assert found["hook"].refused == "it has not answered in time"


def test_a_late_answer_counts_when_it_comes(webhook):
    webhook.delay = 1.5
    courier = Courier()
    first = deliver(courier, ("hook", apprise_sender(webhook.url)), seconds=0.2)
    busy = courier.is_busy("hook")
    at_once = list(courier.arrived(0.1))
    time.sleep(2)
    [second] = courier.arrived(0.1)
    assert first["hook"].refused == "it has not answered in time"
    assert busy
    assert at_once == []
    assert second.refused is None
    assert not courier.is_busy("hook")


def test_a_channel_that_never_answers_is_given_up_and_can_be_tried_again(webhook, monkeypatch):
    webhook.delay = 30
    courier = Courier()
    deliver(courier, ("hook", apprise_sender(webhook.url, 20)), seconds=0.1)
    busy = courier.is_busy("hook")
    monkeypatch.setattr(channels, "FOR_EVER", 0.0)
    gone = list(courier.arrived(0.1))
    assert busy
    assert gone == []
    assert not courier.is_busy("hook")


def test_whatever_a_service_raises_is_a_refusal():
    class Broken:
        limits = Limits()

        def send(self, message: Message) -> None:
            raise ZeroDivisionError("s3cret")

    found = deliver(Courier(), ("broken", Broken()))
    assert found["broken"].refused == "it failed with ZeroDivisionError"
