"""Random histories: what source systems send of a key over time, and in which order it arrives."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from hypothesis import assume
from hypothesis import strategies as st

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.values import BLANK, COLUMNS, SOUND, WRONG, Column
from staged_assets_tests.staged_area import Row

#: The source systems differ in date formats, decimal mark, time zone, country and priority.
SYSTEMS = ("crm", "ecommerce", "erp")

#: What was planted in a row, in its `_extra`: [code, column] of the reason for which it must be rejected.
PLANTED = "planted"


@dataclass(frozen=True)
class Step:
    """One record of a key.

    Attributes:
        content: rows of one key with the same letter hold the same.
        time: of the update, in days; None where the source has none.
        kind: sound, delete, rejected (a required value is bad) or malformed.
        system: position in `SYSTEMS`.
    """

    content: str
    time: int | None
    kind: str = "sound"
    system: int = 0


_KINDS = ["sound"] * 6 + ["delete"] * 2 + ["rejected", "rejected", "malformed"]


def steps(*, timed: bool, kinds: Sequence[str] = tuple(_KINDS)) -> st.SearchStrategy[Step]:
    """One step; `timed` steps all have an update time."""
    times: list[int | None] = [1, 2, 3, 4, 5] if timed else [None, None, 1, 2, 3, 4]
    everything = [
        Step(content, time, kind, system)
        for system in (0, 0, 1, 2)
        for kind in kinds
        for content in "ABC"
        for time in times
    ]
    return st.sampled_from(everything)


@dataclass
class Histories:
    """What is sent of several datasets.

    Attributes:
        steps: (dataset, key) → what is sent of it, in order.
        seed: of the values, and of the order in which what is sent of different keys arrives.
    """

    steps: dict[tuple[str, int], list[Step]] = field(repr=False)
    seed: int

    def arrivals(self) -> list["Arrival"]:
        """Everything, that of one key in its order, keys and datasets mixed."""
        order = [place for place, sent in self.steps.items() for _ in sent]
        Random(self.seed).shuffle(order)
        waiting = {place: iter(sent) for place, sent in self.steps.items()}
        return [Arrival(*place, next(waiting[place]), self.seed) for place in order]


@dataclass(frozen=True)
class Arrival:
    """A step of a key on its way."""

    dataset: str
    key: int
    step: Step
    seed: int = field(repr=False)

    def landing(self) -> tuple[str, str, Row]:
        """(dataset, system, row) as the harness lands it."""
        return self.dataset, SYSTEMS[self.step.system], self._row()

    def _row(self) -> Row:
        step = self.step
        dice = Random(f"{self.seed} {self.dataset} {self.key} {step.content} {step.kind} {step.system}")
        row: Row = {"_source_updated_at": step.time and f"2026-01-{step.time:02d}T00:00:00", "_extra": None}
        key, *others = COLUMNS[self.dataset]
        if step.kind == "malformed":
            return {**row, "_extra": json.dumps({"_malformed": f"{{{self.key}{step.content}"})}
        row[key.name] = str(self.key) if dice.random() < 0.8 else f" 0{self.key}\u00a0"
        if step.kind == "delete":
            return {**row, "_operation": "delete"}
        for column in others:
            row[column.name] = dice.choice(SOUND[column.kind]) if column.required else _any_value(column, dice)
        if step.kind == "rejected":
            planted = _spoil(row, dice.choice([c for c in (key, *others) if c.required]), dice)
            row["_extra"] = json.dumps({PLANTED: planted})
        elif dice.random() < 0.2:
            row["_extra"] = json.dumps({"unknown column": step.content})
        return row


def _any_value(column: Column, dice: Random) -> str | None:
    chance = dice.random()
    if chance < 0.15:
        return dice.choice(BLANK)
    return dice.choice(WRONG.get(column.kind, SOUND[column.kind]) if chance < 0.3 else SOUND[column.kind])


def _spoil(row: Row, column: Column, dice: Random) -> list[str]:
    """Make a required value bad; the [code, column] that must follow."""
    if column.kind == "end" and dice.random() < 0.3:
        row[column.name] = "2020-01-01"
        return ["before_valid_from", column.name]
    if column.kind == "text" or dice.random() < 0.5:
        row[column.name] = dice.choice(BLANK)
        return ["missing", column.name]
    row[column.name] = dice.choice(WRONG[column.kind])
    return ["unparseable", column.name]


@st.composite
def histories(
    draw: st.DrawFn,
    *,
    timed: bool = False,
    keys: int = 6,
    longest: int = 5,
    kinds: Sequence[str] = tuple(_KINDS),
) -> Histories:
    """Histories of some keys of each of the fourteen datasets.

    Args:
        timed: every record has an update time, and no two of a key (and system) the same: the source gives an order.
        keys: of each dataset.
        longest: history.
        kinds: of records that may occur.
    """
    step = steps(timed=timed, kinds=kinds)
    drawn = {
        (dataset, key): draw(st.lists(step, min_size=1, max_size=longest))
        for dataset in DATASETS
        for key in range(1, keys + 1)
    }
    # The simplest histories, which are always tried first, would be most of the few that there is time for.
    assume(len({step for sent in drawn.values() for step in sent}) > 20)
    if timed:
        drawn = {place: _without_ties(sent) for place, sent in drawn.items()}
    return Histories(drawn, draw(st.integers(0, 2**32)))


def _without_ties(sent: Iterable[Step]) -> list[Step]:
    """The last of several steps at the same time, for then the source gives no order."""
    return list({step.time: step for step in sent}.values())


def cut(arrivals: Sequence[Arrival], at: Iterable[float]) -> list[list[Arrival]]:
    """The batches between cuts, each given as a share of the whole."""
    places = [0, *sorted(round(share * len(arrivals)) for share in at), len(arrivals)]
    return [list(arrivals[start:end]) for start, end in pairwise(places)]


def cuts(count: int) -> st.SearchStrategy[list[float]]:
    """Where to cut."""
    return st.lists(st.floats(0, 1), min_size=count, max_size=count)
