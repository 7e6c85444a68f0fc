"""The types of `sources.yaml` that say what a system can do, and what the business needs of it."""

import re
from datetime import time, timedelta
from typing import Annotated, Any, Literal, cast

from pydantic import BeforeValidator, Field, StringConstraints

from staged_assets.sources.strict import Strict

_DURATION = r"^\d+(s|m|h|d)$"
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_TIME = r"^([01]\d|2[0-3]):[0-5]\d$"

#: how a source shows what changed, the one that shows it latest first
Changes = Literal["snapshot", "change_cursor", "events", "change_feed"]
CHANGES: tuple[Changes, ...] = ("snapshot", "change_cursor", "events", "change_feed")


def read_duration(written: Any) -> timedelta:
    """`30s`, `15m`, `4h` or `1d`.

    Raises:
        ValueError: it is something else.
    """
    if not isinstance(written, str) or not re.match(_DURATION, written):
        raise ValueError("expected a duration such as 30s, 15m, 4h or 1d")
    return timedelta(**{_UNITS[written[-1]]: int(written[:-1])})


def _read_time(written: Any) -> time:
    if not isinstance(written, str) or not re.match(_TIME, written):
        raise ValueError("expected a time of day in quotes, such as '22:30'")
    return time.fromisoformat(written)


Duration = Annotated[
    timedelta,
    BeforeValidator(read_duration, json_schema_input_type=Annotated[str, StringConstraints(pattern=_DURATION)]),
]
TimeOfDay = Annotated[
    time, BeforeValidator(_read_time, json_schema_input_type=Annotated[str, StringConstraints(pattern=_TIME)])
]


class Capabilities(Strict):
    """What a system can do, where that is less than its connector and feeds could.

    Attributes:
        changes: the best way in which it shows changes.
        deletes: whether a deleted record can be told at all.
    """

    changes: Changes | None = None
    deletes: Literal["visible", "invisible"] | None = None


class Requirements(Strict):
    """What the business needs.

    Attributes:
        max_staleness: how old what is staged may be.
        deletes: whether a record that was deleted in the source must be staged as deleted.
    """

    max_staleness: Duration | None = None
    deletes: Literal["required", "ignored"] | None = None


class BatchWindow(Strict):
    """When a system may be read in bulk, in its time zone; `to` may be on the next day."""

    start: TimeOfDay = Field(alias="from")
    end: TimeOfDay = Field(alias="to")


def written(duration: timedelta) -> str:
    """A duration as `sources.yaml` has it, in the largest unit that fits."""
    seconds = int(duration.total_seconds())
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60)):
        if seconds >= size and seconds % size == 0:
            return f"{seconds // size}{unit}"
    return f"{seconds}s"


def least(*ways: Changes | None) -> Changes:
    """The one of several ways to show changes that shows them latest."""
    known = cast(list[Changes], [way for way in ways if way is not None])
    return min(known, key=CHANGES.index)
