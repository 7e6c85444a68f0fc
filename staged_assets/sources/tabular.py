"""What files with rows have in common: each row lands once, a file that changed is read again.

A file is told by its size and modification time; as long as they stay, it is not opened again. When they change it is
read from its start: rows that have landed from the same lines are known by their ids.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import pyarrow as pa

from staged_assets.sources.batch import Batch, Cursor, Gathering
from staged_assets.sources.file_reading import FileReading
from staged_assets.sources.files import File, connection_folder, find_files
from staged_assets.sources.marks import Mark, Question, mark_of_files, stream_files
from staged_assets.sources.models import FileFeed, FileSystem
from staged_assets.sources.queries import Scan, query_tables


@dataclass(frozen=True)
class Rows:
    """Some rows of a file.

    Attributes:
        table: their columns as text.
        lines: where each stands, from 1.
        malformed, undecodable: rows of the wrong shape, by position in the table.
    """

    table: pa.Table
    lines: pa.Array
    malformed: dict[int, str] = field(default_factory=dict)
    undecodable: dict[int, bytes] = field(default_factory=dict)

    def part(self, start: int, count: int) -> "Rows":
        """Some of them."""
        within = range(start, start + count)
        return Rows(
            self.table.slice(start, count),
            self.lines.slice(start, count),
            {index - start: text for index, text in self.malformed.items() if index in within},
            {index - start: content for index, content in self.undecodable.items() if index in within},
        )


#: the rows of a file, without so many first ones
ReadRows = Callable[[File, int], Iterator[Rows]]


def read_tabular(
    system: FileSystem, feed: FileFeed, cursor: Cursor | None, endings: tuple[str, ...], scan: Scan, rows: ReadRows
) -> Iterator[Batch]:
    """Read the files of a feed, or the result of its query.

    Args:
        endings: of the connector's files.
        scan: reads one by SQL, for queries.
        rows: reads one.

    Yields:
        batches whose cursor is `{"files": {name: {"size", "modified", "records", "is_complete"}}}`.

    Raises:
        SourceError: the folder is missing, the query fails; or, after everything else, a file could not be read.
    """
    folder = connection_folder(system.name, system.connection)
    if feed.query is not None:
        for table in query_tables(system.name, feed.query, find_files(folder, ".", endings), scan):
            gathering = Gathering()
            gathering.add(table)
            yield gathering.take(None)
        return
    known = {} if feed.is_snapshot else dict((cursor or {}).get("files", {}))
    yield from _RowReading(system.name, feed, folder, known, rows=rows).read_all(endings)


def tabular_marks(
    system: FileSystem,
    asked: Sequence[Question],
    endings: tuple[str, ...],
    goes_on: Callable[[File], bool] = lambda file: False,
) -> list[Mark]:
    """Names, sizes and modification times of the files.

    Args:
        goes_on: whether a file is left alone for now, though it does not change: it is read when this ends.
    """
    folder = connection_folder(system.name, system.connection)
    found = [stream_files(folder, question.feed, endings) for question in asked]
    return [mark_of_files(files) + "+" * sum(map(goes_on, files)) for files in found]


@dataclass
class _RowReading(FileReading):
    """One reading of a feed.

    Attributes:
        rows: reads one file.
    """

    rows: ReadRows = field(kw_only=True)

    def is_done(self, file: File) -> bool:
        return self._is_same(file) and bool(self.done[file.name]["is_complete"])

    def read(self, file: File) -> Iterator[Batch]:
        records = self.done[file.name]["records"] if self._is_same(file) else 0
        entry = {"size": file.size, "modified": file.modified, "records": records, "is_complete": False}
        for rows in self._sized(self.rows(file, records)):
            self.gathering.add(
                rows.table,
                malformed=rows.malformed,
                undecodable=rows.undecodable,
                file=file.name,
                lines=rows.lines,
            )
            records += rows.table.num_rows
            self.done[file.name] = {**entry, "records": records}
            if self.gathering.is_full:
                yield self.batch()
        self.done[file.name] = {**entry, "records": records, "is_complete": True}

    def _is_same(self, file: File) -> bool:
        """Whether a file is as it was when it was read, or partly read."""
        known = self.done.get(file.name, {})
        return (known.get("size"), known.get("modified")) == (file.size, file.modified)

    def _sized(self, found: Iterator[Rows]) -> Iterator[Rows]:
        """No more rows at once than there is room for."""
        for rows in found:
            start = 0
            while start < len(rows.lines):
                part = rows.part(start, self.gathering.room)
                yield part
                start += len(part.lines)
