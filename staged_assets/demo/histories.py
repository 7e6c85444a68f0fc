"""What happens to one entity over time: the versions its system sends, and in which order they arrive."""

from dataclasses import dataclass
from functools import lru_cache

from staged_assets.demo.feeds import Feed
from staged_assets.demo.world import DAY

_LATE = 5 * DAY


@dataclass(frozen=True)
class History:
    """One course of events.

    Attributes:
        kind: its name.
        script: what is sent, in order of arrival: a letter for the content (A, B, C; D delete; X a version with
            a bad required value), a digit for its place in the order of updates.
        rate: share of a feed's entities; at least one entity has it.
        feeds: where: `all`; `dated`, feeds with a change cursor; `events`, feeds of event files; `spoilable`,
            dated feeds of datasets with a required column beside the key.
    """

    kind: str
    script: str
    rate: float
    feeds: str = "dated"

    @property
    def places(self) -> list[tuple[str, int]]:
        """(content, place in the order of updates) in order of arrival."""
        return [(step[0], int(step[1])) for step in self.script.split()]


ONCE = History("", "A1", 1.0)

HISTORIES = (
    History("updated", "A1 B2", 0.05, "all"),
    History("updated_twice", "A1 B2 C3", 0.01),
    History("sent_again", "A1 A1", 0.01, "all"),
    History("touched", "A1 A2", 0.005),
    History("late", "B2 A1", 0.005),
    History("late_in_between", "A1 C3 B2", 0.002),
    History("back_again", "A1 B2 A3", 0.002),
    History("same_time", "A1 B1", 0.001, "events"),
    History("deleted", "A1 D2", 0.004),
    History("deleted_unseen", "D1", 0.0005),
    History("delete_sent_again", "A1 D2 D2", 0.0005),
    History("late_after_delete", "A1 D3 B2", 0.001),
    History("recreated", "A1 D2 B3", 0.001),
    History("recreated_alike", "A1 D2 A3", 0.0005),
    History("spoiled", "A1 X2", 0.002, "spoilable"),
    History("spoiled_then_repeated", "A1 X2 A3", 0.0005, "spoilable"),
)

#: dataset → (required column beside the key, the bad value of its X versions, its code)
SPOILERS: dict[str, tuple[str, str | None, str]] = {
    "audience_segments": ("segment_name", "  ", "missing"),
    "interactions": ("interaction_date", "last week", "unparseable"),
    "inventory": ("item_id", "unknown", "unparseable"),
    "loyalty_activities": ("activity_date", None, "missing"),
    "offers": ("valid_from", "2026-02-31", "unparseable"),
    "orders": ("item_id", "see note", "unparseable"),
    "sales": ("sale_date", "n/a", "missing"),
    "suppliers": ("supplier_name", "\u00a0", "missing"),
}


def histories_of(feed: Feed) -> list[History]:
    """The histories that a feed can have."""
    fits = {
        "all": True,
        "dated": feed.cursor is not None,
        "events": feed.system == "ecommerce",
        "spoilable": feed.cursor is not None and feed.dataset in SPOILERS,
    }
    return [history for history in HISTORIES if fits[history.feeds]]


@dataclass(frozen=True, slots=True)
class Step:
    """One record of an entity.

    Attributes:
        content: tells it from the entity's other records; equal content is equal to the letter.
        updated: update time, in seconds after the entity came to be.
        arrival: arrival time, likewise.
        version: which state of the entity it tells.
        deletes: whether it is a delete marker.
        spoiled: whether a required value is bad.
    """

    content: str
    updated: int = 0
    arrival: int = 0
    version: int = 0
    deletes: bool = False
    spoiled: bool = False


_VERSIONS = {"B": 1, "C": 2, "X": 1}


@lru_cache
def steps(history: History, gap_days: int) -> tuple[Step, ...]:
    """The steps in order of arrival; each place in the order of updates is `gap_days` after the one before.

    A step that is older than what has arrived arrives five days late.
    """
    timed = []
    arrival = 0
    for content, place in history.places:
        updated = (place - 1) * (gap_days * DAY + 420)
        arrival = max(updated, arrival + (_LATE if updated < arrival else 0))
        timed.append(Step(content, updated, arrival, _VERSIONS.get(content, 0), content == "D", content == "X"))
    return tuple(timed)
