"""What files with rows have in common: each row lands once, a file that changed is read again.

A file is told by its size and modification time; as long as they stay, it is not opened again. When they change it is
read from its start: rows that have landed from the same lines are known by their ids.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import duckdb
import pyarrow as pa

from staged_assets.sources.batch import Batch, Cursor, Gathering
from staged_assets.sources.files import UNREADABLE, File, connection_folder, find_files, reason, unreadable_error
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


class IncompleteError(Exception):
    """A file is still being written: what was read of it is good."""


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
    files = find_files(folder, str(feed.source), endings)
    known = {} if feed.is_snapshot else dict((cursor or {}).get("files", {}))
    reading = _Reading(feed, rows, known)
    if not files:
        reading.warnings.append(f"{system.name}: no file matches {feed.source!r} in {folder}.")
    for file in files:
        yield from reading.read(file)
    yield from reading.rest()
    if reading.unreadable:
        raise unreadable_error(system.name, feed.name, reading.unreadable, len(files))


@dataclass
class _Reading:
    """One reading of a feed, over all its files."""

    feed: FileFeed
    rows: ReadRows
    done: dict[str, dict[str, Any]]
    gathering: Gathering = field(default_factory=Gathering)
    warnings: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    changed: bool = False

    def read(self, file: File) -> Iterator[Batch]:
        """What is new in a file."""
        known = self.done.get(file.name, {})
        is_same = (known.get("size"), known.get("modified")) == (file.size, file.modified)
        if is_same and known["is_complete"]:
            return
        entry = {"size": file.size, "modified": file.modified, "is_complete": False}
        entry["records"] = known["records"] if is_same else 0
        try:
            for rows in self._sized(self.rows(file, entry["records"])):
                self.gathering.add(
                    rows.table,
                    malformed=rows.malformed,
                    undecodable=rows.undecodable,
                    file=file.name,
                    lines=rows.lines,
                )
                entry = {**entry, "records": entry["records"] + rows.table.num_rows}
                self.done[file.name] = entry
                if self.gathering.is_full:
                    yield self._batch()
            self.done[file.name] = {**entry, "is_complete": True}
            self.changed = True
        except IncompleteError as error:
            (self.unreadable if self.feed.is_snapshot else self.warnings).append(f"{file.path} {error}")
        except (*UNREADABLE, UnicodeError, duckdb.Error) as error:
            self.unreadable.append(f"{file.path}: {reason(error)}")

    def _sized(self, found: Iterator[Rows]) -> Iterator[Rows]:
        """No more rows at once than there is room for."""
        for rows in found:
            start = 0
            while start < len(rows.lines):
                part = rows.part(start, self.gathering.room)
                yield part
                start += len(part.lines)

    def rest(self) -> Iterator[Batch]:
        """The last batch, unless there is nothing to say."""
        if self.gathering.records or self.changed or self.warnings:
            yield self._batch()

    def _batch(self) -> Batch:
        cursor = None if self.feed.is_snapshot else {"files": dict(self.done)}
        batch = self.gathering.take(cursor, self.warnings)
        self.gathering, self.warnings, self.changed = Gathering(), [], False
        return batch
