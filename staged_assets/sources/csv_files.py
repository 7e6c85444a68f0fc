"""CSV files, plain or `.gz`, the first line naming the columns; every field as the text it is.

CSV knows no NULL: an empty field is an empty text. A line with too many or too few fields, or with quotes that don't
fit, is malformed. Quotes inside a quoted field are doubled.
"""

import csv
import io
import sys
import time
from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa

from staged_assets.sources.arrays import integers, texts
from staged_assets.sources.batch import CHUNK_RECORDS, Batch, Cursor
from staged_assets.sources.connections import CsvConnection
from staged_assets.sources.expressions import literal
from staged_assets.sources.file_reading import IncompleteError
from staged_assets.sources.files import File
from staged_assets.sources.json_records import is_unicode
from staged_assets.sources.marks import Mark, Question
from staged_assets.sources.models import CsvSystem, FileFeed
from staged_assets.sources.tabular import Rows, read_tabular, tabular_marks

ENDINGS = (".csv", ".csv.gz", ".csv.zst")
#: seconds without change after which a file that does not end with a line feed is taken to be complete
_SETTLED = 60


def read(system: CsvSystem, feed: FileFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read what is new in a feed's files; see `read_tabular`."""
    csv.field_size_limit(sys.maxsize)
    scan = partial(_scan, system.connection)
    return read_tabular(system, feed, cursor, ENDINGS, scan, partial(_rows, system.connection))


def marks(system: CsvSystem, asked: Sequence[Question]) -> list[Mark]:
    """Names, sizes and modification times of the files, and whether one that ends in half a line has settled."""
    return tabular_marks(system, asked, ENDINGS, lambda file: _is_fresh(file) and _ends_in_half_a_line(file))


def _scan(connection: CsvConnection, path: str) -> str:
    """The same reading by the engine, for queries; there, an empty field without quotes is NULL."""
    options = {
        "delim": literal(connection.delimiter),
        "quote": literal(connection.quote),
        "escape": literal(connection.quote),
        "encoding": literal(connection.encoding),
        "header": "true",
        "all_varchar": "true",
    }
    return f"read_csv({literal(path)}, {', '.join(f'{name} = {value}' for name, value in options.items())})"


def _rows(connection: CsvConnection, file: File, skip: int) -> Iterator[Rows]:
    encoding = "utf-8-sig" if connection.encoding.lower() in ("utf-8", "utf8") else connection.encoding
    with file.open() as binary:
        lines = _Lines(io.TextIOWrapper(binary, encoding, errors="surrogateescape", newline=""))
        reader = csv.reader(lines, delimiter=connection.delimiter, quotechar=connection.quote, strict=True)
        names = _unique(next(reader, []))
        lines.take()
        collected = _Collected(names, encoding)
        count = 0
        while True:
            number = reader.line_num + 1
            try:
                fields: list[str] | None = next(reader)
            except StopIteration:
                break
            except csv.Error:
                fields = None
            written = lines.take()
            if not written.endswith(("\n", "\r")) and not file.is_compressed and _is_fresh(file):
                yield collected.rows()
                raise IncompleteError("ends in half a line: the next run reads on from there.")
            if fields == []:
                continue
            count += 1
            if count > skip:
                collected.add(fields, written, number)
            if len(collected.numbers) >= CHUNK_RECORDS:
                yield collected.rows()
                collected = _Collected(names, encoding)
        yield collected.rows()


def _is_fresh(file: File) -> bool:
    """Whether it was written to so recently that more may come."""
    return time.time() - file.modified / 1e9 < _SETTLED


def _ends_in_half_a_line(file: File) -> bool:
    if file.is_compressed or file.size < 1:
        return False
    with file.path.open("rb") as content:
        content.seek(-1, io.SEEK_END)
        return content.read() not in (b"\n", b"\r")


def _unique(names: Sequence[str]) -> list[str]:
    """Column names, those that come again numbered."""
    found: dict[str, None] = {}
    for name in names:
        unique, number = name, 1
        while unique in found:
            number += 1
            unique = f"{name}.{number}"
        found[unique] = None
    return list(found)


class _Lines:
    """Lines for a reader that joins some of them to one record; it remembers as what a record was written."""

    def __init__(self, lines: io.TextIOWrapper) -> None:
        self._lines = lines
        self._taken: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self._taken.append(line)
            yield line

    def take(self) -> str:
        """What was read since the last time."""
        written = self._taken[0] if len(self._taken) == 1 else "".join(self._taken)
        self._taken.clear()
        return written


class _Collected:
    """Rows on their way into columns."""

    def __init__(self, names: list[str], encoding: str) -> None:
        self._names, self._encoding = names, encoding
        self._fields: list[Sequence[str | None]] = []
        self._written: list[str] = []
        self._malformed: dict[int, str] = {}
        self._undecodable: dict[int, bytes] = {}
        self.numbers: list[int] = []

    def add(self, fields: list[str] | None, written: str, number: int) -> None:
        """Take a record; None where its quotes don't fit."""
        if fields is None or len(fields) != len(self._names):
            self._malformed[len(self.numbers)] = written.rstrip("\r\n")
            fields = []
        self._fields.append(fields or (None,) * len(self._names))
        self._written.append(written)
        self.numbers.append(number)

    def rows(self) -> Rows:
        """All of them."""
        try:
            return self._rows()
        except UnicodeEncodeError:
            # Bytes that are no text in this encoding were read as halves of surrogate pairs.
            for index, written in enumerate(self._written):
                if not is_unicode(written):
                    self._malformed.pop(index, None)
                    self._undecodable[index] = self._bytes(written.rstrip("\r\n"))
                    self._fields[index] = (None,) * len(self._names)
            return self._rows()

    def _rows(self) -> Rows:
        columns = zip(*self._fields, strict=True) if self._fields else ((),) * len(self._names)
        table = pa.table({name: texts(column) for name, column in zip(self._names, columns, strict=True)})
        for text in self._malformed.values():
            text.encode()
        return Rows(table, integers(self.numbers), self._malformed, self._undecodable)

    def _bytes(self, written: str) -> bytes:
        return written.encode(self._encoding.removesuffix("-sig"), "surrogateescape")
