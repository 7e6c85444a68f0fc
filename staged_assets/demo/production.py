"""What one feed sends: each entity's records with their history and their dirt, judged by the reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from staged_assets.demo.dice import Dice
from staged_assets.demo.dirt import Planting, plantings
from staged_assets.demo.dirt_kinds import DIRT
from staged_assets.demo.feeds import RECORD_NO, Feed
from staged_assets.demo.histories import ONCE, SPOILERS, History, Step, histories_of, steps
from staged_assets.demo.plan import Plan, Treated
from staged_assets.demo.records import Record
from staged_assets.demo.truth import DELETE, UPSERT, Row, Violation, judge
from staged_assets.demo.world import World, created, utc_text
from staged_assets.demo.writers import line_of

Dirty = Treated[Planting] | None


@dataclass(slots=True)
class Sent:
    """A record on its way.

    Attributes:
        row: what is to become of it.
        fields: what is written, by source column.
        cursor: the update time as its system writes it.
        arrival: seconds from the start of the demo's time.
        damaged: what is written instead, if it lost its shape.
    """

    row: Row
    fields: Record
    cursor: str | None
    arrival: int
    damaged: bytes | None = None


@dataclass(frozen=True)
class Production:
    """What one feed sends.

    Attributes:
        world: how much there is of everything.
        feed: the feed.
        numbers: its entities.
        damage: which of the damaged records is damaged how.
        dirt: which of the other entities are dirty.
        histories: which of them have more than one version.
    """

    world: World
    feed: Feed
    numbers: range
    damage: Plan[Planting]
    dirt: Plan[Planting]
    histories: Plan[History]

    @classmethod
    def of(cls, world: World, feed: Feed) -> "Production":
        """Plan a feed."""
        numbers = world.numbers(feed.system, feed.dataset)
        size = len(numbers)
        planted = [(planting, planting.count(size)) for planting in plantings(feed, DIRT)]
        damages = [each for each in planted if each[0].damages]
        damaged = sum(count for _, count in damages)
        values = [each for each in planted if not each[0].damages]
        histories = [(history, max(1, round(history.rate * size))) for history in histories_of(feed)]
        return cls(
            world,
            feed,
            numbers,
            Plan(damaged, damages, stride=0.5),
            Plan(size - damaged, values, stride=0.618, offset=world.seed),
            Plan(size - damaged, histories, stride=0.414, offset=world.seed),
        )

    def entities(self) -> Iterator[list[Sent]]:
        """The records of each entity, judged, in order of arrival."""
        for position, number in enumerate(self.numbers):
            dirt, history = self.treatment(position)
            sent = [self.send(number, step, history.kind, dirt) for step in steps(history, 1 + number % 3)]
            judge([each.row for each in sent], self.feed.key)
            yield sent

    def treatment(self, position: int) -> tuple[Dirty, History]:
        """The dirt of the entity at a position among the feed's, and its history.

        Damaged records are spread evenly and have one version: that of a damaged record can't be told.
        """
        size, damaged = len(self.numbers), self.damage.treated
        before = position * damaged // size
        if (position + 1) * damaged // size > before:
            return self.damage.at(before), ONCE
        happening = self.histories.at(position - before)
        return self.dirt.at(position - before), happening.by if happening else ONCE

    def created(self, number: int) -> int:
        """When an entity came to be."""
        dice = Dice(self.world.seed, self.feed.name, number)
        return created(self.feed.dataset, number, self.numbers, dice)

    def send(
        self,
        number: int,
        step: Step,
        kind: str = "",
        dirt: Dirty = None,
        since: int | None = None,
    ) -> Sent:
        """One record of an entity, not judged yet.

        Args:
            number: the entity.
            step: content and times.
            kind: the history that the record belongs to; empty for a plain one.
            dirt: what is planted in it.
            since: when the entity came to be, if not in the time of the first generation.
        """
        feed = self.feed
        dice = Dice(self.world.seed, feed.name, number)
        start = created(feed.dataset, number, self.numbers, dice)
        if since is not None:
            start = since
        record = feed.maker(self.world, number, step.version, start, dice)
        violations = self._spoil(record, step, dirt)
        if step.deletes and feed.system != "erp":
            record = {name: value for name, value in record.items() if name == feed.key}
        record_no = f"{feed.source}-{number}-{step.content}"
        updated = start + step.updated
        fields, cursor = self._fields(record, record_no, step.deletes, updated)
        damaged = None
        if dirt and dirt.by.damages:
            damaged = dirt.by.damage(line_of(fields), record_no, dirt.turn)
        readable = damaged is None and not any(column == feed.key for _, column in violations)
        row = Row(
            dataset=feed.dataset,
            system=feed.system,
            record_no=record_no,
            key=number if readable else None,
            updated=utc_text(updated) if cursor and damaged is None else None,
            operation=DELETE if step.deletes else UPSERT,
            violations=violations,
            kinds=_kinds(kind, dirt),
        )
        return Sent(row, fields, cursor, start + step.arrival, damaged)

    def _spoil(self, record: Record, step: Step, dirt: Dirty) -> Sequence[Violation]:
        violations: Sequence[Violation] = ()
        if dirt:
            violations = dirt.by.violations
            if not dirt.by.damages:
                dirt.by.plant(record, dirt.turn)
        if step.spoiled:
            column, value, code = SPOILERS[self.feed.dataset]
            record[column] = value
            violations = [each for each in violations if each[1] != column] + [(code, column)]
        return violations

    def _fields(self, record: Record, record_no: str, deletes: bool, updated: int) -> tuple[Record, str | None]:
        feed = self.feed
        fields: Record = {RECORD_NO: record_no}
        cursor = None
        if feed.marker and feed.cursor:
            column, kept, deleted = feed.marker
            cursor = feed.notation.cursor(updated)
            fields[column] = deleted if deletes else kept
            fields[feed.cursor] = cursor
        columns = feed.columns
        for name, value in record.items():
            fields[columns.get(name, name)] = value
        return fields, cursor

    def columns(self) -> list[str]:
        """The source columns of the feed's records."""
        return list(self.send(self.numbers[0], Step("A")).fields)


def _kinds(kind: str, dirt: Dirty) -> list[str]:
    kinds = [kind] if kind else []
    if dirt:
        kinds.append(dirt.by.dirt.kind)
    return kinds
