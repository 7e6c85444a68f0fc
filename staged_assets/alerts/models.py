"""The types of `alerts.yaml`: channels, routes, and how often a person is told."""

import re
from datetime import datetime, time
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import BeforeValidator, Field, StringConstraints, field_validator, model_validator

from staged_assets.catalogue import DATASETS
from staged_assets.sources.models import Name, Strict, nearest

Severity = Literal["error", "warn"]
Kind = Literal["check", "run", "freshness"]

#: The whole of a channel's URL comes from one environment variable.
REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def _clock(value: object) -> object:
    if not isinstance(value, str) or not _CLOCK.fullmatch(value):
        # YAML reads an unquoted 22:00 as the number 1320.
        raise ValueError('expected a time of day in quotes, such as "22:00"')
    return time.fromisoformat(value)


Clock = Annotated[time, BeforeValidator(_clock)]
Positive = Annotated[float, Field(gt=0, strict=False)]


class QuietHours(Strict):
    """When warnings are held back; they are told when it is over. Errors are never held.

    Attributes:
        time_zone: IANA name.
        start: written `from`.
        end: written `to`; on the next day where it is not after `from`.
    """

    time_zone: Name
    start: Clock = Field(alias="from")
    end: Clock = Field(alias="to")

    @field_validator("time_zone")
    @classmethod
    def _known_zone(cls, zone: str) -> str:
        if zone not in available_timezones():
            raise ValueError(f"no time zone of that name is known, {nearest(zone, sorted(available_timezones()))}")
        return zone

    @model_validator(mode="after")
    def _some_time(self) -> "QuietHours":
        if self.start == self.end:
            raise ValueError("expected from and to to differ")
        return self

    def now(self, at: float) -> bool:
        """Whether it is quiet at a point in time (seconds since 1970)."""
        clock = datetime.fromtimestamp(at, ZoneInfo(self.time_zone)).time()
        if self.start < self.end:
            return self.start <= clock < self.end
        return clock >= self.start or clock < self.end


class Channel(Strict):
    """A way to reach people.

    Attributes:
        kind: `console` (the log of the code server and of the sensor's tick) or `apprise`.
        url: for `apprise`: a reference to the environment variable which holds the Apprise URL.
        timeout_seconds: how long the channel may take to answer.
        max_lines: how many lines a message has at most; the rest is counted.
        quiet_hours: when warnings are held.
    """

    kind: Literal["console", "apprise"]
    url: str | None = None
    timeout_seconds: Annotated[float, Field(gt=0, le=30, strict=False)] = 15.0
    max_lines: Annotated[int, Field(ge=1)] = 20
    quiet_hours: QuietHours | None = None

    @field_validator("url")
    @classmethod
    def _reference(cls, url: str | None) -> str | None:
        if url is not None and not REFERENCE.fullmatch(url):
            # The message must not repeat what may be a secret.
            raise ValueError("expected a reference to an environment variable, such as ${ALERTS_URL}, and nothing else")
        return url

    @model_validator(mode="after")
    def _url_where_needed(self) -> "Channel":
        if (self.kind == "apprise") != (self.url is not None):
            raise ValueError("expected a url for kind apprise, and none for kind console")
        return self

    @property
    def variable(self) -> str | None:
        """The environment variable with the URL."""
        found = REFERENCE.fullmatch(self.url or "")
        return found[1] if found else None


class Route(Strict):
    """Where alerts go; what is left out, matches everything.

    Attributes:
        owners: of the assets, as in the asset graph.
        datasets: of the fourteen.
        severities: `error`, `warn`.
        kinds: `check`, `run`, `freshness`.
        to: channels; none of them for what is not to be told at all.
    """

    owners: list[str] | None = None
    datasets: list[str] | None = None
    severities: list[Severity] | None = None
    kinds: list[Kind] | None = None
    to: list[str]

    @field_validator("datasets")
    @classmethod
    def _known_datasets(cls, datasets: list[str] | None) -> list[str] | None:
        for name in datasets or ():
            if name not in DATASETS:
                raise ValueError(f"there is no dataset {name!r}, {nearest(name, DATASETS)}")
        return datasets


class Reminders(Strict):
    """How often a failure that goes on is told again.

    Attributes:
        after_hours: since it was told last; the last one repeats.
        forget_after_days: without news, a failure is no longer followed.
    """

    after_hours: Annotated[list[Positive], Field(min_length=1)] = [1.0, 4.0, 16.0]
    forget_after_days: Positive = 30.0


class Retries(Strict):
    """What happens when a channel does not take a message.

    Attributes:
        first_seconds: until the second attempt; doubled each time.
        longest_seconds: between two attempts.
        broken_after_attempts: from then on each failed attempt fails the sensor's tick, visibly in the web UI.
    """

    first_seconds: Positive = 30.0
    longest_seconds: Positive = 3600.0
    broken_after_attempts: Annotated[int, Field(ge=1)] = 6

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many failed attempts."""
        return min(self.first_seconds * 2.0 ** min(attempts - 1, 32), self.longest_seconds)


class AlertsFile(Strict):
    """`alerts.yaml`.

    Attributes:
        base_url: of the web UI, for links.
        interval_seconds: between two looks at what is new.
        gather_seconds: how long what a run still finds is gathered, and the shortest time between a channel's messages.
        channels: by name.
        routes: each one that matches counts.
        otherwise: channels for what no route matches.
    """

    version: Literal[1]
    base_url: Annotated[str, StringConstraints(pattern=r"^(https?://\S+|\$\{[A-Za-z_][A-Za-z0-9_]*\})$")] = (
        "http://127.0.0.1:3000"
    )
    interval_seconds: Annotated[int, Field(ge=1)] = 30
    gather_seconds: Annotated[float, Field(ge=0, strict=False)] = 60.0
    reminders: Reminders = Reminders()
    retries: Retries = Retries()
    channels: Annotated[dict[Name, Channel], Field(min_length=1)]
    routes: list[Route]
    otherwise: list[str]

    @model_validator(mode="after")
    def _known_channels(self) -> "AlertsFile":
        places = [("otherwise", self.otherwise)]
        places += [(f"routes[{index}].to", route.to) for index, route in enumerate(self.routes)]
        for place, names in places:
            for name in names:
                if name not in self.channels:
                    raise ValueError(f"{place} names the channel {name!r}, {nearest(name, self.channels)}")
        return self
