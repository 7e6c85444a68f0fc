"""Change data capture: what `sources.yaml` may say of it, how its records are marked, and how far behind it is."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Annotated

from pydantic import Field, StringConstraints

from staged_assets.sources.needs import Duration
from staged_assets.sources.strict import Name, Strict

#: columns that each record of a change feed has beside those of its table; named as those of an event's envelope
COMMITTED_AT, OPERATION = "$.committed_at", "$.operation"
#: value of `OPERATION` of a record that was deleted
DELETED = "delete"


class ChangeFeed(Strict):
    """The changes of a PostgreSQL table, by logical replication.

    Attributes:
        slot: the replication slot, this feed's alone; by default made from the names of system and feed.
        publication: names the table; by default called as the slot.
        create: whether slot and publication are created where they are missing.
        warn_bytes: of the server's log that wait to be read, from which on a person is warned.
        warn_after: how long the oldest change may wait before a person is warned.
    """

    slot: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,63}$")] | None = None
    publication: Name | None = None
    create: bool = True
    warn_bytes: Annotated[int, Field(gt=0)] = 1_000_000_000
    warn_after: Duration = timedelta(days=2)

    def lag(self, slot: str, size: int, seconds: float | None) -> "Lag":
        """How far a slot is behind, held against what is said here."""
        late = seconds is not None and seconds >= self.warn_after.total_seconds()
        return Lag(slot, size, seconds, is_long=late or size >= self.warn_bytes)


@dataclass(frozen=True)
class Lag:
    """How far a slot is behind.

    Attributes:
        size: bytes of the server's log that it has not confirmed.
        seconds: since the oldest change that it has not confirmed; None where there is none.
        is_long: whether a person is to be warned.
    """

    slot: str
    size: int
    seconds: float | None
    is_long: bool

    def __str__(self) -> str:
        oldest = "no change waits" if self.seconds is None else f"the oldest change waits for {self.seconds:,.0f} s"
        return f"the slot {self.slot} is {self.size:,} bytes behind, {oldest}"
