"""PostgreSQL by change data capture: a first snapshot, then what the server's log says, each transaction whole.

The slot is there before the snapshot is taken, so the stream has all that the snapshot has not. What both have are
transactions that ended in between: the snapshot's own list of those that it sees tells them, and they are left out. The
slot moves only when the warehouse has kept the cursor (`postgresql_slot.confirm`); until then the server sends again
what came after, and what the cursor is beyond is left out.

A record's change time is that of its commit, but never before the one landed last: clocks can be set back, the order of
commits can't.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

from staged_assets.sources import postgresql_slot as slots
from staged_assets.sources.arrays import integers, texts
from staged_assets.sources.batch import CHUNK_BYTES, Batch, Cursor, Gathering, Truncated, Unchanged
from staged_assets.sources.change_feed import COMMITTED_AT, DELETED, OPERATION, Lag
from staged_assets.sources.expressions import literal
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem
from staged_assets.sources.pgoutput import UNCHANGED, Begin, Change, Commit, Message, Relation, Row, Truncate, parse
from staged_assets.sources.postgresql_session import Connection, Source, connected
from staged_assets.sources.tables import add_rows, missing_columns

_Values = tuple[bytes | None, ...]

_UPSERTED = "upsert"
_BOOLEANS = {b"t": b"true", b"f": b"false"}
#: OIDs of types that are written in another way than a select casts them
_OWN_WAY = {16: "bool", 17: "bytea"}


def read(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read a table's changes; at first, and where its slot can't be gone on from, the table.

    Yields:
        batches whose cursor is `{"lsn": place in the server's log, "moment": microseconds since 2000, "table": OID}`,
        and until the stream is beyond the snapshot `"snapshot"` and `"seen"`, the place at which it was taken.

    Raises:
        SourceError: the server can't be reached or refuses; the table can't be read in this way.
        ConfigurationError: the driver is not installed.
    """
    reached = dict(cursor or {})
    with connected(system.name, system.connection, feed.name, autocommit=True) as connection:
        prepared = slots.prepare(connection, system, feed, reached)
        if prepared.anew:
            for batch in _read_snapshot(connection, system, feed, prepared.problems, reached.get("moment", 0)):
                reached = batch.cursor or reached
                yield batch
        with connection.moment():
            yield from _Stream(Source(connection, system, feed), reached).read()


def _read_snapshot(
    connection: Connection, system: DatabaseSystem, feed: DatabaseFeed, problems: tuple[str, ...], moment: int
) -> Iterator[Batch]:
    """The whole table, to be landed in one transaction; not before a moment."""
    with connection.moment():
        source = Source(connection, system, feed)
        snapshot, seen, lsn, now = connection.row(
            "select pg_current_snapshot()::text, pg_current_wal_insert_lsn()::text, confirmed_flush_lsn::text,"
            f" {slots.NOW} from pg_replication_slots where slot_name = {literal(slots.slot_name(system, feed))}"
        )
        now = max(now, moment)
        cursor = {"lsn": lsn, "moment": now, "table": slots.Table.of(source).oid, "snapshot": snapshot, "seen": seen}
        gathering, count = Gathering(), 0
        for table in connection.tables(source.select(list(source.types))):
            marks = {COMMITTED_AT: _as_text(now), OPERATION: _UPSERTED}
            for name, text in marks.items():
                table = table.append_column(name, pa.repeat(pa.scalar(text), table.num_rows))
            lines = integers(range(count + 1, count + table.num_rows + 1))
            source.add(gathering, table, file=f"snapshot {snapshot}", lines=lines)
            count += table.num_rows
            if gathering.is_full:
                yield replace(gathering.take(None, columns=source.types), continued=True)
                gathering = Gathering()
        missing = missing_columns(system.name, feed, list(source.types))
        yield replace(gathering.take(cursor, [*problems, *missing], source.types), deletes_others=True)


@dataclass(frozen=True)
class _Layout:
    """The feed's table as its rows come.

    Attributes:
        names: of the columns of a record.
        writers: column → how its values are written, for those that a select casts in another way.
        arrays: column → SQL's name of its type.
        keys: columns of which the dataset's key is made.
    """

    names: tuple[str, ...]
    writers: Mapping[int, Callable[[bytes], bytes]]
    arrays: Mapping[int, str]
    keys: tuple[int, ...]


class _Stream:
    """One reading of a slot.

    Args:
        cursor: what was landed last.
    """

    def __init__(self, source: Source, cursor: Cursor) -> None:
        self._source = source
        self._snapshot = _Snapshot.of(cursor)
        self._lsn, self._moment, self._table = _number(cursor["lsn"]), cursor["moment"], cursor["table"]
        self._from = self._lsn
        self._slot = slots.slot_name(source.system, source.feed)
        self._layout: _Layout | None = None
        self._relation = 0
        self._skips = False
        self._place, self._line, self._at = "", 0, ""
        self._oldest: int | None = None
        self._lag: Callable[[], Lag] | None = None
        self._clear()
        self._gathering = Gathering()
        self._unchanged: dict[int, Unchanged] = {}
        self._truncated: Truncated | None = None
        self._is_open = False
        self._opened = ExitStack()
        self._second: Connection | None = None

    def read(self) -> Iterator[Batch]:
        connection = self._source.connection
        upto, now = connection.row(f"select pg_current_wal_flush_lsn()::text, {slots.NOW}")
        behind = slots.behind(connection, self._slot) or 0
        settings = slots.settings_of(self._source.feed)
        self._lag = lambda: settings.lag(self._slot, behind, self._waited(now))
        with self._opened:
            for message in self._messages(upto):
                if isinstance(message, Truncate):
                    yield from self._truncate(message)
                else:
                    self._take_in(message)
                if len(self._rows) >= max(self._gathering.room, 1) or self._size >= CHUNK_BYTES:
                    self._flush()
                if isinstance(message, Commit) and (self._is_open or self._gathering.is_full):
                    yield self._take()
                elif self._gathering.is_full:
                    yield self._take(continued=True)
            self._lsn = max(self._lsn, _number(upto))
            yield self._take()

    def _truncate(self, truncate: Truncate) -> Iterator[Batch]:
        """The batch of what came before, if anything did; what comes now comes after it."""
        if self._skips or self._relation not in truncate.relations:
            return
        if self._count or self._truncated is not None:
            yield self._take(continued=True)
        self._line += 1
        self._truncated = Truncated(self._place, self._line, self._at)

    @property
    def _count(self) -> int:
        return self._gathering.records + len(self._rows)

    def _messages(self, upto: str) -> Iterator[Message]:
        query = slots.peek(self._source.system, self._source.feed, f"{literal(upto)}::pg_lsn")
        for table in self._source.connection.tables(query):
            for data in table["data"].to_pylist():
                self._size += len(data)
                message = parse(data)
                if message is not None:
                    yield message

    def _take_in(self, message: Message) -> None:
        if isinstance(message, Change):
            if not self._skips and message.relation == self._relation and self._layout is not None:
                self._change(message, self._layout)
        elif isinstance(message, Begin):
            self._begin(message)
        elif isinstance(message, Commit):
            self._lsn = max(self._lsn, message.end)
        elif isinstance(message, Relation) and message.oid == self._table:
            self._flush()
            self._relation, self._layout = message.oid, self._look_at(message)

    def _begin(self, begin: Begin) -> None:
        self._skips = begin.lsn < self._from or self._snapshot.has(begin)
        if self._skips:
            return
        if self._oldest is None:
            self._oldest = begin.committed_at
        self._moment = max(self._moment, begin.committed_at)
        self._place, self._line, self._at = _lsn(begin.lsn), 0, _as_text(self._moment)

    def _change(self, change: Change, layout: _Layout) -> None:
        old, new = change.old, change.new
        if new is None:
            self._add(old or [], DELETED, layout)
            return
        moved = old is not None and any(new[key] not in (old[key], UNCHANGED) for key in layout.keys)
        if old is not None and moved:
            self._add(old, DELETED, layout)
        values = list(new)
        for index, value in enumerate(values):
            # The whole old row is sent for `replica identity full`; else only its key.
            if value is UNCHANGED and old is not None and old[index] is not None:
                values[index] = old[index]
        kept = tuple(layout.names[index] for index, value in enumerate(values) if value is UNCHANGED)
        if kept:
            self._unchanged[self._count] = Unchanged(kept, self._count - moved)
        self._add(values, _UPSERTED, layout)

    def _add(self, row: Row, operation: str, layout: _Layout) -> None:
        self._line += 1
        values = [value if isinstance(value, bytes) else None for value in row]
        for index, write in layout.writers.items():
            value = values[index]
            values[index] = write(value) if value is not None else None
        self._rows.append((*values, self._at.encode(), operation.encode()))
        self._files.append(self._place)
        self._lines.append(self._line)

    def _look_at(self, relation: Relation) -> _Layout:
        types = self._source.types
        columns = zip(relation.columns, relation.types, strict=True)
        kinds = [types.get(name) or _OWN_WAY.get(oid, "") for name, oid in columns]
        keys = {name.lower() for name in self._source.feed.key_columns}
        arrays = [index for index, kind in enumerate(kinds) if kind.startswith("_")]
        return _Layout(
            names=(*relation.columns, COMMITTED_AT, OPERATION),
            writers={index: _WRITERS[kind] for index, kind in enumerate(kinds) if kind in _WRITERS},
            arrays={index: self._type_name(relation.types[index]) for index in arrays},
            keys=tuple(index for index, name in enumerate(relation.columns) if name.lower() in keys),
        )

    def _ask(self, sql: str) -> list[tuple[Any, ...]]:
        """A query's rows, through a second connection: the messages come through the first."""
        if self._second is None:
            system, feed = self._source.system, self._source.feed
            self._second = self._opened.enter_context(connected(system.name, system.connection, feed.name))
        return self._second.rows(sql)

    def _type_name(self, oid: int) -> str:
        return str(self._ask(f"select format_type({oid}, null)")[0][0])

    def _flush(self) -> None:
        if self._rows and self._layout is not None:
            rows = self._rows
            for index, kind in self._layout.arrays.items():
                rows = self._with_json(rows, index, kind)
            files, lines = texts(self._files), integers(self._lines)
            add_rows(self._gathering, self._layout.names, rows, file=files, lines=lines)
        self._clear()

    def _clear(self) -> None:
        self._rows: list[_Values] = []
        self._files: list[str] = []
        self._lines: list[int] = []
        self._size = 0

    def _with_json(self, rows: list[_Values], index: int, kind: str) -> list[_Values]:
        """Arrays as JSON, which the server makes of them."""
        written = sorted({value for row in rows if (value := row[index]) is not None})
        if not written:
            return rows
        texts = ", ".join(literal(value.decode("utf-8", "surrogateescape")) for value in written)
        found = self._ask(
            f"select to_json(v::{kind})::text from unnest(array[{texts}]::text[]) with ordinality as t(v, n) order by n"
        )
        made: dict[bytes | None, bytes | None] = {None: None}
        made.update((value, text.encode()) for value, (text,) in zip(written, found, strict=True))
        return [(*row[:index], made[row[index]], *row[index + 1 :]) for row in rows]

    def _take(self, *, continued: bool = False) -> Batch:
        self._flush()
        lag, problems = self._lag() if self._lag is not None else None, []
        if lag is not None and lag.is_long:
            problems = [f"{self._source.system.name}: {self._source.feed.name}: {lag}."]
        cursor = None if continued else self._cursor()
        batch = replace(
            self._gathering.take(cursor, problems, self._source.types),
            continued=continued,
            truncated=self._truncated,
            unchanged=self._unchanged,
            lag=lag,
        )
        self._is_open = continued
        self._gathering, self._unchanged, self._truncated, self._lag = Gathering(), {}, None, None
        return batch

    def _cursor(self) -> Cursor:
        cursor: Cursor = {"lsn": _lsn(self._lsn), "moment": self._moment, "table": self._table}
        return cursor | (self._snapshot.cursor if self._lsn < self._snapshot.seen else {})

    def _waited(self, now: int) -> float | None:
        return None if self._oldest is None else max(0.0, (now - self._oldest) / 1e6)


@dataclass(frozen=True)
class _Snapshot:
    """Which transactions a snapshot sees.

    Attributes:
        seen: all that ended behind this place were not seen.
    """

    text: str = ""
    seen: int = 0

    @staticmethod
    def of(cursor: Cursor) -> "_Snapshot":
        return _Snapshot(cursor["snapshot"], _number(cursor["seen"])) if "snapshot" in cursor else _Snapshot()

    @property
    def cursor(self) -> Cursor:
        return {"snapshot": self.text, "seen": _lsn(self.seen)}

    def has(self, begin: Begin) -> bool:
        """Whether a transaction is seen."""
        if begin.lsn >= self.seen:
            return False
        first, last, running = self.text.split(":")
        start, end = int(first), int(last)
        # The server counts on after 32 bits, its messages do not.
        xid = end + ((begin.xid - end + (1 << 31)) % (1 << 32)) - (1 << 31)
        return xid < start or (xid < end and str(xid) not in running.split(","))


def _hexadecimal(value: bytes) -> bytes:
    return value[2:].upper()


_WRITERS: dict[str, Callable[[bytes], bytes]] = {"bool": lambda value: _BOOLEANS[value], "bytea": _hexadecimal}


def _as_text(moment: int) -> str:
    return f"{datetime(2000, 1, 1) + timedelta(microseconds=moment):%Y-%m-%d %H:%M:%S.%f}+00"


def _lsn(number: int) -> str:
    return f"{number >> 32:X}/{number & 0xFFFFFFFF:X}"


def _number(lsn: str) -> int:
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)
