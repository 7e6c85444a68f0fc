"""Append-only event files: one JSON object in a line, plain, `.gz` or `.zst`.

A stream is a folder, or a glob, below the connection's path. The cursor says how far each file was read; what was
read is never read again, so the position of an event is its version where the event has no time of its own.
"""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, BinaryIO

from staged_assets.sources.arrays import integers
from staged_assets.sources.batch import CHUNK_BYTES, Batch, Cursor
from staged_assets.sources.file_reading import FileReading
from staged_assets.sources.files import File, existing_folder
from staged_assets.sources.json_records import decode_flat, encode, is_unicode, text_table, unwrap
from staged_assets.sources.marks import Mark, Question, mark_of_files, stream_files
from staged_assets.sources.models import EventFeed, EventFilesSystem

ENDINGS = (".ndjson", ".ndjson.gz", ".ndjson.zst", ".jsonl", ".jsonl.gz", ".jsonl.zst")
_LINES_AT_ONCE = 1_024
#: bytes at the start of a file by which a replaced file is told from one that has grown
_HEAD = 1024


def read(system: EventFilesSystem, feed: EventFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read what was appended since the cursor.

    Yields:
        batches whose cursor is `{"files": {name: {"offset", "line", "head", "size", "modified"}}}`, offsets in bytes
        of the uncompressed file, size and modification time those at which the file was read to its end.

    Raises:
        SourceError: the folder is missing; or, after everything else, a file could not be read.
    """
    folder = existing_folder(system.name, system.connection.path, system.connection.options)
    done = dict((cursor or {}).get("files", {}))
    yield from EventReading(system.name, feed, folder, done, record=feed.record).read_all(ENDINGS)


def marks(system: EventFilesSystem, asked: Sequence[Question]) -> list[Mark]:
    """Names, sizes and modification times of the files."""
    folder = existing_folder(system.name, system.connection.path, system.connection.options)
    return [mark_of_files(stream_files(folder, question.feed, ENDINGS)) for question in asked]


@dataclass
class _Position:
    """How far a file is read: bytes and lines."""

    head: bytes
    offset: int = 0
    line: int = 0

    def entry(self, size: int | None, modified: int | None) -> dict[str, Any]:
        """As the cursor keeps it."""
        head = self.head[: self.offset]
        return {
            "offset": self.offset,
            "line": self.line,
            "head": [len(head), _digest(head)],
            "size": size,
            "modified": modified,
        }


@dataclass
class EventReading(FileReading):
    """One reading of a stream of event files.

    Attributes:
        record: dotted path of the record within an event.
        dropped: a field of the envelope that is none of the record's.
    """

    record: str | None = None
    dropped: str | None = None

    def is_done(self, file: File) -> bool:
        """Whether a file has not changed since it was read to its end."""
        known = self.done.get(file.name, {})
        return (known.get("size"), known.get("modified")) == (file.size, file.modified)

    def read(self, file: File) -> Iterator[Batch]:
        """Read what was appended to a file; batches when they are full."""
        with file.open() as stream:
            position = self._start(file, self.done.get(file.name), stream)
            while lines := _lines(stream, self.gathering.room):
                if not lines[-1].endswith(b"\n") and not file.is_compressed:
                    half = lines.pop()
                    self.warnings.append(
                        f"{file.path} ends in half a line ({len(half)} bytes): it is landed once it is complete."
                    )
                self._take(file, lines, position)
                self.done[file.name] = position.entry(None, None)
                if self.gathering.is_full:
                    yield self.batch()
            self.done[file.name] = position.entry(file.size, file.modified)

    def _start(self, file: File, known: dict[str, Any] | None, stream: BinaryIO) -> _Position:
        """Where to go on: behind what was read, or at the start of a file that was replaced."""
        position = _Position(stream.read(_HEAD))
        stream.seek(0)
        if known is None:
            return position
        length, digest = known["head"]
        same = _digest(position.head[:length]) == digest and (file.is_compressed or known["offset"] <= file.size)
        if same and stream.seek(known["offset"]) == known["offset"]:
            position.offset, position.line = known["offset"], known["line"]
        else:
            stream.seek(0)
            self.warnings.append(f"{file.path} was written anew: it was read from its start again.")
        return position

    def _take(self, file: File, lines: list[bytes], position: _Position) -> None:
        records: list[dict[str, Any]] = []
        numbers: list[int] = []
        malformed: dict[int, str] = {}
        undecodable: dict[int, bytes] = {}
        path, number = self.record, position.line
        for line in lines:
            number += 1
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
            except UnicodeDecodeError:
                undecodable[len(records)] = line.rstrip(b"\r\n")
                records.append({})
                numbers.append(number)
                continue
            record = _record(text, path)
            if record is None:
                if not text.strip():
                    continue
                malformed[len(records)] = text.rstrip("\r\n")
                record = {}
            if self.dropped is not None:
                record.pop(self.dropped, None)
            records.append(record)
            numbers.append(number)
        position.line = number
        position.offset += sum(map(len, lines))
        self.gathering.add(
            text_table(records),
            malformed=malformed,
            undecodable=undecodable,
            file=file.name,
            lines=integers(numbers),
        )


def _lines(stream: BinaryIO, most: int) -> list[bytes]:
    """The next lines: so many, or fewer if they are long."""
    lines: list[bytes] = []
    size = 0
    while len(lines) < most and size < CHUNK_BYTES:
        more = list(islice(stream, min(most - len(lines), _LINES_AT_ONCE)))
        if not more:
            break
        lines += more
        size += sum(map(len, more))
    return lines


def _record(text: str, path: str | None) -> dict[str, Any] | None:
    """The record of one line; None where it has none that can be stored."""
    try:
        record = unwrap(decode_flat(text), path)
    except (ValueError, RecursionError):
        return None
    if record is not None and "\\u" in text and not is_unicode(encode(record)):
        return None
    return record


def _digest(head: bytes) -> str:
    return hashlib.md5(head, usedforsecurity=False).hexdigest()
