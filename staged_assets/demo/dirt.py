"""How dirt is planted: one mechanism for every kind."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staged_assets.demo.dirty_values import ABSENT, ITSELF
from staged_assets.demo.feeds import Feed
from staged_assets.demo.records import Record
from staged_assets.demo.truth import Violation

MALFORMED = "malformed_record"


@dataclass(frozen=True)
class Dirt:
    """One kind of dirt.

    Attributes:
        kind: its name.
        columns: where it is planted, as `dataset.column`; `*.key` is the key of every dataset, `*.record` the
            whole record.
        rate: share of a feed's entities, for each column; at least one entity of a feed has it.
        code: the violation that is expected; None where the value is odd but right.
        values: what takes the place of the value, in turn: a text, a change of the value, a mapping of several
            columns' values, `ABSENT` (the record lacks the field), or for `malformed_record` a change of the
            line's bytes.
        systems: where it can occur.
        also: further violations, with their columns.
        at_least: number of entities, however low the rate.
    """

    kind: str
    columns: str
    rate: float
    code: str | None
    values: Sequence[Any]
    systems: tuple[str, ...] = ("erp", "crm", "ecommerce")
    also: tuple[Violation, ...] = ()
    at_least: int = 1


@dataclass(frozen=True)
class Planting:
    """A kind of dirt, for one column of a feed (None: for the record).

    Attributes:
        turn: with which of the values it begins, so that small feeds do not all have the same.
    """

    dirt: Dirt
    column: str | None
    turn: int

    @property
    def damages(self) -> bool:
        """Whether the line is damaged, not a value."""
        return self.dirt.code == MALFORMED

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What the rules must find."""
        return ((self.dirt.code, self.column), *self.dirt.also) if self.dirt.code else ()

    def count(self, size: int) -> int:
        """Number of entities, of so many, that have it."""
        return max(self.dirt.at_least, round(self.dirt.rate * size))

    def value(self, number: int) -> Any:
        """What is planted at the n-th time."""
        return self.dirt.values[(self.turn + number) % len(self.dirt.values)]

    def plant(self, record: Record, number: int) -> None:
        """Make a record dirty for the n-th time."""
        value, column = self.value(number), self.column or ""
        if value is ABSENT:
            record.pop(column)
        elif isinstance(value, Mapping):
            record.update({column if name == ITSELF else name: item for name, item in value.items()})
        else:
            record[column] = value(record[column]) if callable(value) else value

    def damage(self, line: bytes, record_no: str, number: int) -> bytes:
        """Spoil a line for the n-th time."""
        damaged: bytes = self.value(number)(line, record_no)
        return damaged


def plantings(feed: Feed, kinds: Iterable[Dirt]) -> list[Planting]:
    """All that can be wrong with a feed's records."""
    found: list[Planting] = []
    for dirt in kinds:
        for place in dirt.columns.split():
            dataset, column = place.split(".")
            if feed.system not in dirt.systems or dataset not in ("*", feed.dataset):
                continue
            target = {"record": None, "key": feed.key}.get(column, column)
            if target is None or target in feed.columns:
                found.append(Planting(dirt, target, len(found)))
    return found
