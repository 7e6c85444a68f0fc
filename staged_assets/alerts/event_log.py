"""Dagster's event log, read on from where it was left."""

from collections.abc import Mapping
from dataclasses import dataclass

from dagster import DagsterEventType, DagsterInstance, EventLogEntry
from pydantic import BaseModel

#: What is read; everything else in the log is passed over.
EVENT_TYPES = (
    DagsterEventType.ASSET_CHECK_EVALUATION,
    DagsterEventType.RUN_FAILURE,
    DagsterEventType.RUN_SUCCESS,
    DagsterEventType.FRESHNESS_STATE_CHANGE,
)

#: Seconds for which the log is read again: in PostgreSQL an event can become visible after one with a higher id.
SETTLING_SECONDS = 120.0


class Position(BaseModel):
    """How far the log has been read.

    Attributes:
        settled: every event up to this id has been read.
        settled_at: the time of that event, by which it is recognised.
        recent: id → time of what has been read beyond it.
    """

    settled: int = 0
    settled_at: float | None = None
    recent: dict[int, float] = {}

    def settle(self, now: float) -> "Position":
        """The position once what is old enough can have no predecessor that is still to come."""
        old = [event_id for event_id, at in self.recent.items() if at < now - SETTLING_SECONDS]
        if not old:
            return self
        settled = max(old)
        rest = {event_id: at for event_id, at in self.recent.items() if event_id > settled}
        return Position(settled=settled, settled_at=self.recent[settled], recent=rest)


@dataclass(frozen=True)
class Reading:
    """What was read: events in the order of their ids, where the log was left, whether more is there."""

    entries: list[EventLogEntry]
    position: Position
    more: bool = False
    rewound: bool = False


def read_entries(
    instance: DagsterInstance, after: int, event_type: DagsterEventType | None, limit: int
) -> Mapping[int, EventLogEntry]:
    """Id → event, ascending, of runs and outside of runs: the one place that knows Dagster's storage.

    Dagster has no public interface for this; `test_alerts_event_log.py` holds the contract.
    """
    return instance.event_log_storage.get_logs_for_all_runs_by_log_id(
        after_cursor=after, dagster_event_type=event_type, limit=limit
    )


def newest_position(instance: DagsterInstance) -> Position:
    """The end of the log: nothing that is there now will be read."""
    newest = instance.event_log_storage.get_maximum_record_id() or 0
    return Position(settled=newest, settled_at=_time_of(instance, newest))


def read(instance: DagsterInstance, position: Position, now: float, limit: int) -> Reading:
    """What is new in the log, at most `limit` events.

    Ids are given out again in SQLite when the newest run is deleted: the position then goes back to the last event that
    is not newer than the one it knew.
    """
    rewound = _is_lost(instance, position)
    if rewound:
        position = _found_again(instance, position)
    entries: dict[int, EventLogEntry] = {}
    for event_type in EVENT_TYPES:
        # One more than can be taken: so there is more wherever a type was not read to its end.
        entries |= read_entries(instance, position.settled, event_type, limit + len(position.recent) + 1)
    ids = sorted(entries)
    new = [event_id for event_id in ids if position.recent.get(event_id) != entries[event_id].timestamp]
    more = len(new) > limit
    if more:
        new = new[:limit]
        ids = [event_id for event_id in ids if event_id <= new[-1]]
    recent = {event_id: entries[event_id].timestamp for event_id in ids}
    position = Position(settled=position.settled, settled_at=position.settled_at, recent=recent).settle(now)
    return Reading([entries[event_id] for event_id in new], position, more, rewound)


def _time_of(instance: DagsterInstance, event_id: int) -> float | None:
    if event_id <= 0:
        return None
    entry = read_entries(instance, event_id - 1, None, 1).get(event_id)
    return entry.timestamp if entry else None


def _is_lost(instance: DagsterInstance, position: Position) -> bool:
    """Whether the log has been cut back behind the position, or its ids mean other events by now."""
    if position.settled <= 0:
        return False
    found = read_entries(instance, position.settled - 1, None, 1)
    if position.settled in found:
        return position.settled_at is not None and found[position.settled].timestamp != position.settled_at
    return not found


def _found_again(instance: DagsterInstance, position: Position) -> Position:
    known_until = position.settled_at
    newest = instance.event_log_storage.get_maximum_record_id() or 0
    low, high = 0, newest
    while known_until is not None and low < high:
        middle = (low + high + 1) // 2
        # The last event up to `middle` can't be asked for; the first from there on can.
        first_id, first = next(iter(read_entries(instance, middle - 1, None, 1).items()))
        if first.timestamp <= known_until:
            low = first_id
        else:
            high = middle - 1
    settled = low if known_until is not None else newest
    return Position(settled=settled, settled_at=_time_of(instance, settled))
