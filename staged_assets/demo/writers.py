"""Write the demo's systems as their applications would: an SQLite database, a CRM's store, event files."""

import gzip
import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from staged_assets.demo.records import Record
from staged_assets.demo.world import DAY, DAYS, day_text

ERP_FILE = Path("erp") / "erp.sqlite"
CRM_FILE = Path("crm") / "crm.sqlite"
ECOMMERCE_FOLDER = Path("ecommerce")

_BATCH = 2_000
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode

#: days in one event file, by stream
_ROTATION = {"sales": 7, "orders": 7}
_SLOW_ROTATION = 28
#: one file in so many is compressed, never the last
_COMPRESSED = 3


class Writer(Protocol):
    """Takes one feed's records in order of arrival."""

    def write(self, fields: Record, updated: str | None, arrival: int) -> None:
        """Append one record."""

    def write_damaged(self, line: bytes, arrival: int) -> None:
        """Append one record of the wrong shape."""

    def close(self) -> None:
        """Finish the feed."""


def line_of(fields: Record) -> bytes:
    """A record as one line of JSON."""
    return _ENCODE(fields).encode()


@contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """A database to fill: what is written is committed at the end, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        connection.execute("pragma journal_mode = memory")
        connection.execute("pragma synchronous = off")
        connection.execute("begin")
        yield connection
        connection.execute("commit")
    finally:
        connection.close()


class _Batches:
    """Collects rows for one statement."""

    def __init__(self, connection: sqlite3.Connection, statement: str) -> None:
        self._connection, self._statement = connection, statement
        self._rows: list[tuple[Any, ...]] = []

    def add(self, row: tuple[Any, ...]) -> None:
        self._rows.append(row)
        if len(self._rows) >= _BATCH:
            self.flush()

    def flush(self) -> None:
        self._connection.executemany(self._statement, self._rows)
        self._rows.clear()


class TableWriter:
    """One table of the ERP; the columns have no type, so that SQLite changes no value."""

    def __init__(self, connection: sqlite3.Connection, table: str, columns: Iterable[str]) -> None:
        self._columns = list(columns)
        names = ", ".join(self._columns)
        connection.execute(f"create table if not exists {table} ({names})")
        marks = ", ".join("?" for _ in self._columns)
        self._batches = _Batches(connection, f"insert into {table} ({names}) values ({marks})")

    def write(self, fields: Record, updated: str | None, arrival: int) -> None:
        """Append one record."""
        self._batches.add(tuple(fields.get(name) for name in self._columns))

    def write_damaged(self, line: bytes, arrival: int) -> None:
        """A table holds no record of the wrong shape."""
        raise ValueError("A table holds no record of the wrong shape.")

    def close(self) -> None:
        """Write what is left."""
        self._batches.flush()


class EndpointWriter:
    """One endpoint's records in the CRM's store: `seq` from 1 without gaps, `updated_at`, `body` (JSON)."""

    def __init__(self, connection: sqlite3.Connection, endpoint: str) -> None:
        connection.execute(
            f"create table if not exists {endpoint} (seq integer primary key, updated_at text, body text not null)"
        )
        connection.execute(f"create index if not exists {endpoint}_by_update on {endpoint} (updated_at, seq)")
        self._batches = _Batches(connection, f"insert into {endpoint} (updated_at, body) values (?, ?)")

    def write(self, fields: Record, updated: str | None, arrival: int) -> None:
        """Append one record."""
        self._batches.add((updated, _ENCODE(fields)))

    def write_damaged(self, line: bytes, arrival: int) -> None:
        """Append an item that is JSON, but no record."""
        self._batches.add((None, line.decode()))

    def close(self) -> None:
        """Write what is left."""
        self._batches.flush()


class StreamWriter:
    """One stream of the web shop: a file for each period, named by its first day; lines as they arrive.

    Args:
        folder: of the web shop.
        stream: its name.
        deliveries: the number of the first delivery.
    """

    def __init__(self, folder: Path, stream: str, deliveries: int = 1) -> None:
        self._deliveries = count(deliveries)
        self._folder = folder / stream
        self._folder.mkdir(parents=True, exist_ok=True)
        self._days = _ROTATION.get(stream, _SLOW_ROTATION)
        self._last = (DAYS - 1) // self._days * self._days
        self._files: dict[int, BinaryIO] = {}
        self._plain: list[BinaryIO] = []

    def _file(self, arrival: int) -> BinaryIO:
        day = arrival // DAY
        # What is appended after the first generation has a file for each day.
        first = day if day >= DAYS else day // self._days * self._days
        if first not in self._files:
            self._files[first] = self._open(first)
        return self._files[first]

    def _open(self, first: int) -> BinaryIO:
        name = day_text(first, "%Y-%m-%d") + ".ndjson"
        if first >= self._last or first // self._days % _COMPRESSED != 1:
            return (self._folder / name).open("ab")
        plain = (self._folder / f"{name}.gz").open("wb")
        self._plain.append(plain)
        # Neither time nor name in the header: the same content gives the same bytes.
        return gzip.GzipFile(filename="", mode="wb", fileobj=plain, mtime=0, compresslevel=1)  # type: ignore[return-value]

    def write(self, fields: Record, updated: str | None, arrival: int) -> None:
        """Append one event."""
        line = line_of({"delivery_id": next(self._deliveries), **fields})
        self._file(arrival).write(line + b"\n")

    def write_damaged(self, line: bytes, arrival: int) -> None:
        """Append a line that is no event."""
        self._file(arrival).write(line + b"\n")

    def close(self) -> None:
        """Close the files."""
        for file in [*self._files.values(), *self._plain]:
            file.close()
