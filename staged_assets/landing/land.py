"""Landing: from a source system into the raw area, each record once, nothing refused, nothing changed.

A batch, its cursor and its line in `control.landings` are one transaction, so a landing that is killed anywhere goes
on from there. A record is the same as one that has landed when its system, dataset, version, operation and content
are; its version is the source's change time, else its position in a file, else the row that it comes after (below).

Records without a version (snapshots): a record lands when its content differs from what its key last landed with, and
the row that it comes after is its version, so A → B → A gives three rows and the same snapshot again none. A key that
vanished from a snapshot lands as a delete, if the feed says so, in the same transaction and before the others.
"""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from staged_assets.errors import SourceError
from staged_assets.landing.append import Appended, Incoming
from staged_assets.landing.drift import note_columns
from staged_assets.landing.mapping import (
    BAD_BYTES,
    BAD_TEXT,
    FILE,
    LINE,
    ORDINAL,
    FeedMapping,
    hand_made_select,
    position_name,
)
from staged_assets.landing.read_ahead import ReadAhead, closing_if_it_can_be
from staged_assets.landing.unchanged import with_unchanged
from staged_assets.landing.warehouse import transaction
from staged_assets.sources.arrays import integers, texts
from staged_assets.sources.batch import BATCH_RECORDS, Batch, Cursor
from staged_assets.sources.change_feed import Lag
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import confirm, read, read_keys
from staged_assets.sources.models import Feed

_CURSOR = "select cursor from control.cursors where system = ? and dataset = ? and feed = ?"
#: after a feed's name, that under which the comparison of its keys is remembered; no feed is called so
_KEYS = " keys"


@dataclass
class Landed:
    """What one landing of one feed did.

    Attributes:
        read: records that the source gave.
        landed: rows appended to raw, with the deletes of vanished keys.
        already_landed: records that were there before.
        vanished: deletes landed because a key was in the snapshot no more.
        malformed: landed records that were not of the right shape.
        seconds: how long it took.
        cursor: where the next landing goes on.
        problems: what a person should know of, one sentence each.
        drift: how the source's columns differ from before, one sentence each; also among the problems.
        lag: of a change feed: how far its slot was behind when the reading began.
    """

    system: str
    dataset: str
    feed: str
    read: int = 0
    landed: int = 0
    vanished: int = 0
    malformed: int = 0
    seconds: float = 0.0
    cursor: Cursor | None = None
    problems: list[str] = field(default_factory=list)
    drift: list[str] = field(default_factory=list)
    lag: Lag | None = None

    @property
    def already_landed(self) -> int:
        """Records that were there before."""
        return self.read + self.vanished - self.landed


OnProgress = Callable[[Landed], None]

#: a batch, and its rows as they are staged; None where there are none yet
Mapped = tuple[Batch, pa.Table | None]


def land_feed(
    connection: DuckDBPyConnection,
    sources: Sources,
    system: str,
    feed: Feed,
    *,
    on_progress: OnProgress | None = None,
) -> Landed:
    """Land what a feed has that is new.

    Args:
        connection: to the warehouse, with the raw area prepared, in no transaction.
        feed: one of the system's, as `sources` has it.
        on_progress: told after each batch what was landed so far.

    Raises:
        SourceError: the system could not be read, wholly or in part; what could be read is landed.
        ConfigurationError: the connection refers to something that is not set.
    """
    resolved_system, resolved_feed = sources.resolve_feed(system, feed)
    landing = _Landing(connection, FeedMapping(resolved_system, resolved_feed), on_progress)
    with closing(ReadAhead(landing.mapped(read(resolved_system, resolved_feed, landing.result.cursor)))) as batches:
        if resolved_feed.is_snapshot:
            landing.land_snapshot(batches)
        else:
            landing.land_each(batches)
    if resolved_feed.lands_missing_keys and landing.keys_are_due():
        with closing(ReadAhead(landing.mapped(read_keys(resolved_system, resolved_feed)))) as keys:
            landing.compare_keys(keys)
    landing.note_columns()
    if resolved_feed.changes == "change_feed" and landing.result.cursor is not None:
        confirm(resolved_system, resolved_feed, landing.result.cursor)
    return landing.result


def stored_cursor(connection: DuckDBPyConnection, system: str, feed: Feed, part: str = "") -> Cursor | None:
    """Where the next landing of a feed goes on; None before the first one."""
    rows = connection.execute(_CURSOR, [system, feed.dataset, feed.name + part]).fetchall()
    return json.loads(rows[0][0]) if rows else None


class _Landing:
    """The landing of one feed."""

    def __init__(self, connection: DuckDBPyConnection, mapping: FeedMapping, on_progress: OnProgress | None) -> None:
        self._connection = connection
        self._mapping = mapping
        self._on_progress = on_progress
        self._started = time.perf_counter()
        self.result = Landed(mapping.system.name, mapping.dataset.name, mapping.feed.name)
        self.result.cursor = stored_cursor(connection, mapping.system.name, mapping.feed)
        self._columns: dict[str, str] = {}
        self._is_whole = False
        self._incoming = Incoming(connection, self.result.system, self.result.dataset)

    def mapped(self, batches: Iterator[Batch]) -> Iterator[Mapped]:
        """Each batch with its rows, made in the thread that reads: the engine lands others meanwhile."""
        with self._connection.cursor() as cursor, closing_if_it_can_be(batches):
            cursor.execute("set TimeZone = 'UTC'")
            for batch in batches:
                yield batch, None if batch.unchanged else self._rows(cursor, batch)

    def _rows(self, connection: DuckDBPyConnection, batch: Batch) -> pa.Table | None:
        if not len(batch):
            return None
        return self._incoming.rows_of(connection, engine_table(batch), self._mapping.select(batch.records.column_names))

    def land_each(self, batches: ReadAhead[Mapped]) -> None:
        """Each batch in its own transaction, but for those that continue one."""
        count = vanished = 0
        problems: list[str] = []
        self._incoming.clear()
        for batch, rows in batches:
            batches.read_on()
            if batch.truncated is not None:
                vanished += self._incoming.add_truncated(batch.truncated, count + vanished)
            problems += batch.problems
            self._stage(batch, rows, count + vanished, problems)
            count += len(batch)
            self.result.lag = self.result.lag or batch.lag
            if batch.continued:
                continue
            if batch.deletes_others:
                vanished += self._add_vanished(problems)
            self._commit(count, batch.cursor, problems, vanished)
            self._incoming.clear()
            count, vanished, problems = 0, 0, []

    def land_snapshot(self, batches: ReadAhead[Mapped]) -> None:
        """All batches in one transaction, for what vanished shows only at the end."""
        count = 0
        problems: list[str] = []
        self._incoming.clear()
        try:
            for batch, rows in batches:
                batches.read_on()
                problems += batch.problems
                self._stage(batch, rows, count, problems)
                count += len(batch)
        except SourceError:
            self._commit(count, None, problems)
            raise
        vanished = self._add_vanished(problems) if self._mapping.feed.lands_absence else 0
        self._commit(count, None, problems, vanished)

    def note_columns(self) -> None:
        """Say how the source's columns differ from before."""
        if not self._columns and not self._is_whole:
            return
        noticed_at = datetime.now(UTC).replace(tzinfo=None)
        with transaction(self._connection):
            changes = note_columns(
                self._connection, self._feed_key(), self._columns, noticed_at, is_whole=self._is_whole
            )
            self.result.drift = [change.sentence(self.result.system, self._mapping.feed) for change in changes]
            if changes:
                self._log(0, Appended(0, 0, None, None), self.result.drift, noticed_at)
        self.result.problems += self.result.drift

    def keys_are_due(self) -> bool:
        """Whether it is time to compare the source's keys with those that have landed."""
        stored = stored_cursor(self._connection, self.result.system, self._mapping.feed, _KEYS)
        if stored is None:
            return True
        compared = datetime.fromisoformat(stored["compared_at"])
        return datetime.now(UTC) - compared >= self._mapping.feed.compare_keys_every

    def compare_keys(self, batches: ReadAhead[Mapped]) -> None:
        """Land a delete for each key that has landed and is not among these, which are all that the source has."""
        problems: list[str] = []
        self._incoming.clear()
        for count, (_, keys) in enumerate(batches):
            batches.read_on()
            if keys is not None:
                self._incoming.add(keys, count * BATCH_RECORDS)
        vanished = self._add_vanished(problems)
        self._incoming.keep_vanished()
        compared = {"compared_at": datetime.now(UTC).isoformat()}
        self._commit(0, None, problems, vanished, compared)

    def _add_vanished(self, problems: list[str]) -> int:
        found = self._incoming.add_vanished()
        if found is None:
            problems.append(
                f"{self.result.system}: {self.result.feed} is empty though it was not before: no record of"
                f" {self.result.dataset} is taken for deleted; give the feed a delete_marker if this is meant."
            )
        return found or 0

    def _stage(self, batch: Batch, rows: pa.Table | None, offset: int, problems: list[str]) -> None:
        self._is_whole = batch.columns is not None
        self._columns |= dict.fromkeys(batch.records.column_names, "") if batch.columns is None else batch.columns
        if batch.unchanged:
            batch, unknown = with_unchanged(self._connection, self._incoming, self._mapping, batch, engine_table(batch))
            rows = self._rows(self._connection, batch)
            if unknown:
                problems.append(
                    f"{self.result.system}: {unknown} values of {self.result.feed} that a change left as they were are"
                    " not known in raw, and NULL: 'staged-assets sources drop-slot' has the table read anew."
                )
        if rows is not None:
            self._incoming.add(rows, offset)

    def _commit(
        self,
        count: int,
        cursor: Cursor | None,
        problems: Sequence[str],
        vanished: int = 0,
        compared: Cursor | None = None,
    ) -> None:
        result = self.result
        landed_at = datetime.now(UTC).replace(tzinfo=None)
        moved = cursor is not None and cursor != result.cursor
        with transaction(self._connection):
            appended = self._incoming.append(landed_at) if count or vanished else Appended(0, 0, None, None)
            if moved:
                self._store_cursor(self._feed_key(), cursor, landed_at)
            if compared is not None:
                self._store_cursor(self._feed_key(_KEYS), compared, landed_at)
            if moved or appended.rows or problems:
                self._log(count, appended, problems, landed_at)
        result.read += count
        result.landed += appended.rows
        result.vanished += vanished
        result.malformed += appended.malformed
        result.cursor = cursor if moved else result.cursor
        result.problems += problems
        result.seconds = time.perf_counter() - self._started
        if self._on_progress is not None:
            self._on_progress(result)

    def _feed_key(self, part: str = "") -> list[Any]:
        return [self.result.system, self.result.dataset, self.result.feed + part]

    def _store_cursor(self, key: list[Any], cursor: Cursor | None, landed_at: datetime) -> None:
        self._connection.execute("delete from control.cursors where system = ? and dataset = ? and feed = ?", key)
        self._connection.execute(
            "insert into control.cursors values (?, ?, ?, ?, ?)", [*key, json.dumps(cursor), landed_at]
        )

    def _log(self, count: int, appended: Appended, problems: Sequence[str], landed_at: datetime) -> None:
        self._connection.execute(
            "insert into control.landings values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            [
                *self._feed_key(),
                landed_at,
                count,
                appended.rows,
                appended.malformed,
                appended.first_landing_id,
                appended.last_landing_id,
                list(problems),
            ],
        )


def land_rows(
    connection: DuckDBPyConnection, system: str, dataset: str, rows: Sequence[dict[str, str | None]]
) -> Landed:
    """Land hand-made records, in the dataset's own columns, as any others.

    Args:
        rows: columns of the dataset, each text or None; beside them `_extra` (JSON object as text), `_operation`
            (`upsert` where it is missing) and `_source_updated_at` (ISO 8601, UTC unless it says otherwise), which is
            the version; a row without it lands if it differs from what its key last landed with.
    """
    started = time.perf_counter()
    names = sorted(set().union(*rows))
    records = pa.table({name: texts(row.get(name) for row in rows) for name in names})
    incoming = Incoming(connection, system, dataset)
    if rows:
        incoming.add(incoming.rows_of(connection, engine_table(Batch(records)), hand_made_select(dataset, names)))
    with transaction(connection):
        appended = incoming.append(datetime.now(UTC).replace(tzinfo=None))
    return Landed(system, dataset, "", len(rows), appended.rows, 0, appended.malformed, time.perf_counter() - started)


def engine_table(batch: Batch) -> pa.Table:
    """A batch as the engine gets it: source columns by position, then where each record stands."""
    count = len(batch)
    columns = {position_name(index): column for index, column in enumerate(batch.records.columns)}
    columns[ORDINAL] = integers(range(count))
    for name, values, kind in (
        (FILE, batch.files, pa.string()),
        (LINE, batch.lines, pa.int64()),
        (BAD_TEXT, batch.malformed, pa.string()),
        (BAD_BYTES, batch.undecodable, pa.binary()),
    ):
        columns[name] = pa.nulls(count, kind) if values is None else values
    return pa.table(columns)
