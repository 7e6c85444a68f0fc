"""The ways to reach people, and the messages that are under way."""

import logging
import re
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

from staged_assets.alerts.config import Alerts
from staged_assets.alerts.messages import Limits, Message, compose
from staged_assets.alerts.state import Line
from staged_assets.errors import ConfigurationError

#: Seconds after which the answer of a channel is no longer waited for.
FOR_EVER = 600.0

#: Characters; the title only counts what the body tells.
LONGEST_TITLE = 60

_STATUS = re.compile(r"error=(\d{3})\b")


class Refused(Exception):
    """A channel has not taken a message; the text says why, without secrets and without the message."""


class Sender(Protocol):
    """Something that takes messages."""

    limits: Limits

    def send(self, message: Message) -> None:
        """Hand a message over.

        Raises:
            Refused: it was not taken.
        """


class ConsoleSender:
    """The log: on the standard error of the code server, and in the sensor's tick.

    Args:
        log: the tick's logger, which writes to both.
        max_lines: of a message.
    """

    def __init__(self, log: logging.Logger, max_lines: int) -> None:
        self.limits = Limits(lines=max_lines)
        self._log = log

    def send(self, message: Message) -> None:
        """Write it, as loudly as it deserves."""
        level = {"error": logging.ERROR, "warn": logging.WARNING, None: logging.INFO}[message.severity]
        self._log.log(level, "%s\n%s", message.title, message.text)


class AppriseSender:
    """A service that Apprise knows.

    Args:
        url: the service's Apprise URL; a secret.
        max_lines: of a message.
        timeout: seconds for connecting, and for an answer.

    Raises:
        ConfigurationError: Apprise does not know such a URL.
    """

    def __init__(self, url: str, max_lines: int, timeout: float) -> None:
        # Only here, since the default configuration does without.
        import apprise

        # No time limit of its own: that would take threads from a pool which all services share.
        asset = apprise.AppriseAsset(
            app_id="staged-assets", app_desc="staged-assets", secure_logging=True, service_timeout=0
        )
        with _silent(logging.getLogger("apprise")):
            service = apprise.Apprise.instantiate(url, asset=asset)
        if service is None:
            raise ConfigurationError("expected an Apprise URL, such as mailto://… or slack://…")
        service.socket_connect_timeout = service.socket_read_timeout = timeout
        self._apprise = apprise
        self._service: Any = service
        title = min(service.title_maxlen or LONGEST_TITLE, LONGEST_TITLE)
        # Some services put the title into the body.
        self.limits = Limits(body=service.body_maxlen - title - 5, title=title, lines=max_lines)

    def send(self, message: Message) -> None:
        """Send it, in the format that the service prefers."""
        formats = self._service.notify_format
        wanted = {str(getattr(f, "value", f)) for f in (formats if isinstance(formats, tuple | list) else [formats])}
        markdown = bool(wanted & {"markdown", "html"})
        kinds = self._apprise.NotifyType
        sending = self._apprise.Apprise()
        sending.add(self._service)
        with sending.notify(
            title=message.title,
            body=message.markdown if markdown else message.text,
            body_format=self._apprise.NotifyFormat.MARKDOWN if markdown else self._apprise.NotifyFormat.TEXT,
            notify_type={"error": kinds.FAILURE, "warn": kinds.WARNING, None: kinds.SUCCESS}[message.severity],
        ) as result:
            if result:
                return
            status = _status(result.logs())
        raise Refused(f"it answered with status {status}" if status else "it could not be reached or did not agree")


@contextmanager
def _silent(logger: logging.Logger) -> Iterator[None]:
    """Apprise logs a URL that it does not know as it stands, secrets and all."""
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _status(entries: Iterable[Any]) -> str | None:
    """The status of an answer, from what Apprise has logged; nothing else of that is safe to repeat."""
    found = (_STATUS.search(entry.message) for entry in entries)
    return next((match[1] for match in found if match), None)


def build_sender(alerts: Alerts, name: str, log: logging.Logger) -> Sender:
    """The sender of a configured channel.

    Raises:
        ConfigurationError: its URL is not set, or not one that Apprise knows.
    """
    channel = alerts.channels[name]
    if channel.kind == "console":
        return ConsoleSender(log, channel.max_lines)
    url = alerts.url(name)
    try:
        return AppriseSender(url, channel.max_lines, channel.timeout_seconds)
    except ConfigurationError as error:
        raise ConfigurationError(
            f"{alerts.path}: channels.{name}.url refers to the environment variable {channel.variable}: {error}."
        ) from None


@dataclass
class Delivery:
    """A message on its way to a channel.

    Attributes:
        lines: what it tells.
        started: by the monotonic clock.
        refused: why it was not taken; None where it was.
        is_late: it has been waited for in vain, which has been told.
    """

    channel: str
    lines: Sequence[Line]
    started: float = field(default_factory=time.monotonic)
    refused: str | None = None
    is_late: bool = False
    done: threading.Event = field(default_factory=threading.Event)


class Courier:
    """Sends to all channels at once, and waits for none longer than it may.

    A channel that has not answered by then is left to itself: its answer counts when it comes; until then it is sent
    nothing else, unless that takes for ever.
    """

    def __init__(self) -> None:
        self._under_way: dict[str, Delivery] = {}

    def is_busy(self, channel: str) -> bool:
        """Whether a message to a channel is still under way."""
        return channel in self._under_way

    def send(self, channel: str, sender: Sender, lines: Sequence[Line], base_url: str) -> None:
        """Set a message on its way."""
        delivery = Delivery(channel, lines)
        self._under_way[channel] = delivery
        message = compose(lines, base_url, sender.limits)
        # A daemon: a service that never answers must not keep the code server from ending.
        threading.Thread(target=_hand_over, args=(delivery, sender, message), daemon=True).start()

    def arrived(self, seconds: float) -> Iterator[Delivery]:
        """Deliveries as they end, for at most so many seconds; then, once, those that have not ended by then."""
        until = time.monotonic() + seconds
        while True:
            yield from self._ended()
            awaited = [delivery for delivery in self._under_way.values() if not delivery.is_late]
            if not awaited:
                return
            if time.monotonic() >= until:
                break
            awaited[0].done.wait(0.02)
        for delivery in awaited:
            delivery.is_late = True
            yield Delivery(delivery.channel, delivery.lines, refused="it has not answered in time")

    def _ended(self) -> Iterator[Delivery]:
        for channel, delivery in list(self._under_way.items()):
            if delivery.done.is_set():
                del self._under_way[channel]
                yield delivery
            elif time.monotonic() - delivery.started > FOR_EVER:
                del self._under_way[channel]


def _hand_over(delivery: Delivery, sender: Sender, message: Message) -> None:
    try:
        sender.send(message)
    except Refused as reason:
        delivery.refused = str(reason)
    except Exception as error:  # noqa: BLE001 - whatever a plugin raises, the channel has not taken the message
        delivery.refused = f"it failed with {type(error).__name__}"
    finally:
        delivery.done.set()
