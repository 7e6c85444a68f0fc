"""The messages of PostgreSQL's plugin `pgoutput`, protocol version 1.

Source of the layout: PostgreSQL's documentation, "Logical Replication Message Formats".
"""

from dataclasses import dataclass
from struct import Struct

#: a value that a change left as it was, and that the server does not send for its size
UNCHANGED = object()

Value = bytes | None | object
Row = list[Value]

_BEGIN, _COMMIT = Struct(">QqI"), Struct(">BQQq")
_INT16, _INT32, _COLUMN = Struct(">H"), Struct(">I"), Struct(">Ii")
_TRUNCATE = Struct(">IB")


@dataclass(frozen=True, slots=True)
class Begin:
    """A transaction begins.

    Attributes:
        lsn: where its commit stands in the server's log.
        committed_at: microseconds since 2000-01-01 UTC.
        xid: its number, the last 32 bits.
    """

    lsn: int
    committed_at: int
    xid: int


@dataclass(frozen=True, slots=True)
class Commit:
    """A transaction ends; `end` is the place behind it in the server's log."""

    end: int


@dataclass(frozen=True, slots=True)
class Relation:
    """A table as it is from here on; `types` are OIDs."""

    oid: int
    schema: str
    name: str
    columns: tuple[str, ...]
    types: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Change:
    """A row changed.

    Attributes:
        old: the row before (at least its identity), where the server sends it.
        new: the row now; None where it was deleted.
    """

    relation: int
    old: Row | None
    new: Row | None


@dataclass(frozen=True, slots=True)
class Truncate:
    """Tables were emptied."""

    relations: tuple[int, ...]


Message = Begin | Commit | Relation | Change | Truncate


def parse(data: bytes) -> Message | None:
    """A message; None for one that says nothing of rows (type, origin)."""
    match data[:1]:
        case b"I":
            return Change(_INT32.unpack_from(data, 1)[0], None, _row(data, 6)[0])
        case b"U":
            return _update(data)
        case b"D":
            return Change(_INT32.unpack_from(data, 1)[0], _row(data, 6)[0], None)
        case b"B":
            return Begin(*_BEGIN.unpack_from(data, 1))
        case b"C":
            return Commit(_COMMIT.unpack_from(data, 1)[2])
        case b"R":
            return _relation(data)
        case b"T":
            count, _ = _TRUNCATE.unpack_from(data, 1)
            return Truncate(tuple(_INT32.unpack_from(data, 6 + 4 * number)[0] for number in range(count)))
    return None


def _update(data: bytes) -> Change:
    oid, old, place = _INT32.unpack_from(data, 1)[0], None, 5
    if data[5:6] != b"N":
        old, place = _row(data, 6)
    return Change(oid, old, _row(data, place + 1)[0])


def _row(data: bytes, place: int) -> tuple[Row, int]:
    """The row at a place, and the place behind it."""
    (count,) = _INT16.unpack_from(data, place)
    place += 2
    row: Row = []
    for _ in range(count):
        kind = data[place]
        place += 1
        if kind == 0x74:  # t: a text follows
            (size,) = _INT32.unpack_from(data, place)
            place += 4 + size
            row.append(data[place - size : place])
        else:
            row.append(UNCHANGED if kind == 0x75 else None)  # u, else n
    return row, place


def _relation(data: bytes) -> Relation:
    (oid,) = _INT32.unpack_from(data, 1)
    schema, place = _name(data, 5)
    name, place = _name(data, place)
    (count,) = _INT16.unpack_from(data, place + 1)
    place += 3
    columns, types = [], []
    for _ in range(count):
        column, place = _name(data, place + 1)
        columns.append(column)
        types.append(_COLUMN.unpack_from(data, place)[0])
        place += _COLUMN.size
    return Relation(oid, schema or "pg_catalog", name, tuple(columns), tuple(types))


def _name(data: bytes, place: int) -> tuple[str, int]:
    end = data.index(0, place)
    return data[place:end].decode("utf-8", "surrogateescape"), end + 1
