"""What a connector yields: source records as text, and the cursor that is stored with them."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from staged_assets.sources.arrays import integers
from staged_assets.sources.change_feed import Lag

#: records in a batch, which is landed in one transaction: one row group of the engine, which it writes at once
BATCH_RECORDS = 122_880
#: records that a connector turns into columns at once; so many make a batch exactly
CHUNK_RECORDS = 10_240
#: bytes of a chunk after which it is full all the same
CHUNK_BYTES = 16 * 1024 * 1024
#: bytes of text after which a batch is full all the same
BATCH_BYTES = 128 * 1024 * 1024

_most_records: ContextVar[int | None] = ContextVar("most_records", default=None)

#: where the next reading goes on; JSON, each connector's own shape
Cursor = dict[str, Any]


@contextmanager
def small_batches(records: int) -> Iterator[None]:
    """Batches of at most so many records, for a look at what a source has."""
    token = _most_records.set(records)
    try:
        yield
    finally:
        _most_records.reset(token)


@dataclass(frozen=True)
class Truncated:
    """A table was emptied: where that stands, as of a record, and when it was (ISO 8601 UTC)."""

    file: str
    line: int
    committed_at: str


@dataclass(frozen=True)
class Unchanged:
    """Values that a record has kept.

    Attributes:
        columns: of the source.
        before: position of the record by whose key the values are found: the record itself, or the delete of its key
            before it got another one.
    """

    columns: tuple[str, ...]
    before: int


@dataclass(frozen=True)
class Batch:
    """Source records.

    Attributes:
        records: a column of text for each source column; a missing value, SQL NULL or JSON null is NULL.
        malformed: for each record its text, where it was not of the right shape (its columns are then NULL).
        undecodable: for each record its bytes, where they are not text in the source's encoding.
        files, lines: where each record stands, for sources that are files: path below the connection's folder
            without `.gz`, and line (or row) from 1.
        cursor: to be stored in the transaction that lands the batch; None leaves the stored one.
        problems: what a person should know of, one sentence each; nothing is lost by them.
        columns: column → type of the source, where it has columns beside those of these records; a type is empty where
            there are none.
    """

    records: pa.Table
    malformed: pa.Array | None = None
    undecodable: pa.Array | None = None
    files: pa.Array | None = None
    lines: pa.Array | None = None
    cursor: Cursor | None = None
    problems: tuple[str, ...] = ()
    columns: Mapping[str, str] | None = None
    continued: bool = False
    deletes_others: bool = False
    truncated: "Truncated | None" = None
    unchanged: Mapping[int, "Unchanged"] = field(default_factory=dict)
    lag: Lag | None = None

    def __len__(self) -> int:
        return int(self.records.num_rows)


def without_columns(count: int) -> pa.Table:
    """That many records of which no column is known."""
    return pa.table({"": pa.nulls(count)}).select([])


@dataclass
class Gathering:
    """Records on their way into one batch, in the order read."""

    _tables: list[pa.Table] = field(default_factory=list)
    _malformed: list[pa.Array] = field(default_factory=list)
    _undecodable: list[pa.Array] = field(default_factory=list)
    _files: list[pa.Array] = field(default_factory=list)
    _lines: list[pa.Array] = field(default_factory=list)
    records: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        """Whether it is time for a batch."""
        return self.left <= 0 or self.size >= BATCH_BYTES

    @property
    def left(self) -> int:
        """Records that may still come."""
        return (_most_records.get() or BATCH_RECORDS) - self.records

    @property
    def room(self) -> int:
        """Records that may still come, at once."""
        return min(self.left, CHUNK_RECORDS)

    def add(
        self,
        table: pa.Table,
        *,
        malformed: Mapping[int, str] | None = None,
        undecodable: Mapping[int, bytes] | None = None,
        file: str | pa.Array | None = None,
        lines: Iterable[int] | pa.Array = (),
    ) -> None:
        """Take records; `malformed` and `undecodable` are by position in the table.

        Args:
            file: of all of them, or of each.
        """
        count = table.num_rows
        self._tables.append(table)
        self._malformed.append(_sparse(malformed, count, pa.string()))
        self._undecodable.append(_sparse(undecodable, count, pa.binary()))
        if file is not None:
            self._files.append(file if isinstance(file, pa.Array) else pa.repeat(pa.scalar(file, pa.string()), count))
            self._lines.append(lines if isinstance(lines, pa.Array) else integers(lines))
        self.records += count
        self.size += table.nbytes

    def take(
        self, cursor: Cursor | None, problems: Iterable[str] = (), columns: Mapping[str, str] | None = None
    ) -> Batch:
        """The batch of what was gathered."""
        positions = {}
        if self._files:
            positions = {"files": pa.concat_arrays(self._files), "lines": pa.concat_arrays(self._lines)}
        if any(table.num_columns for table in self._tables):
            records = pa.concat_tables(self._tables, promote_options="default")
        else:
            records = without_columns(self.records)
        return Batch(
            records=records,
            malformed=pa.concat_arrays(self._malformed) if self._malformed else None,
            undecodable=pa.concat_arrays(self._undecodable) if self._undecodable else None,
            cursor=cursor,
            problems=tuple(problems),
            columns=columns,
            **positions,
        )


def _sparse(values: Mapping[int, Any] | None, count: int, kind: pa.DataType) -> pa.Array:
    if not values:
        return pa.nulls(count, kind)
    return pa.array([values.get(index) for index in range(count)], kind)
