"""What the connectors that read tables share: a feed is held against the table that it names."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import islice
from typing import Any

import pyarrow as pa

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Gathering
from staged_assets.sources.models import Feed
from staged_assets.sources.strict import nearest


@dataclass(frozen=True)
class TableInfo:
    """A table or view of a source.

    Attributes:
        name: with its schema where it is not found without.
        columns: column → type, as the server calls it, in small letters.
        key: the columns of its primary key.
    """

    name: str
    columns: dict[str, str]
    key: tuple[str, ...]


#: how far before the newest change seen a reading starts: of times, and of numbers
DEFAULT_OVERLAP, DEFAULT_NUMBER = timedelta(minutes=5), 1_000


def missing_table(system: str, feed: Feed, names: Iterable[str], place: str) -> SourceError:
    """The error for a table that is not there.

    Args:
        names: the tables and views that are.
        place: where they are, as a person calls it.
    """
    there = list(names)
    return SourceError(
        f"{system}: there is no table {feed.source!r} in {place},"
        f" {nearest(str(feed.source), there) if there else 'which is empty'}"
        + f"; correct `from` of the feed of {feed.dataset}, or restore the table."
    )


def check_columns(system: str, feed: Feed, columns: Sequence[str]) -> None:
    """See that what the feed can't do without is there.

    Raises:
        SourceError: a column of the key, the change cursor or the delete marker is missing.
    """
    marker = feed.delete_marker
    for column in (*feed.key, feed.updated_at, marker.column if marker else None):
        if column is not None and column not in columns:
            raise SourceError(
                f"{system}: {feed.name} has no column {column!r}, {nearest(column, columns)}"
                + f"; correct the feed of {feed.dataset}, or restore the column."
            )


def missing_columns(system: str, feed: Feed, columns: Sequence[str]) -> list[str]:
    """A sentence for each column that the mapping names and the table has not."""
    return [
        f"{system}: {feed.name} has no column {column.source!r}: {target} of {feed.dataset} is NULL."
        for target, column in feed.columns.items()
        if column.source is not None and column.source not in columns
    ]


def add_rows(gathering: Gathering, names: Sequence[str], rows: Sequence[tuple[Any, ...]], **where: Any) -> None:
    """Take rows: text as bytes, numbers as Python has them. A row with text that is not UTF-8 is undecodable.

    Args:
        where: `file` and `lines`, as the gathering takes them.
    """
    try:
        gathering.add(_text_table(names, rows), **where)
    except pa.ArrowInvalid:
        bad = {index: _as_bytes(names, row) for index, row in enumerate(rows) if not _is_text(row)}
        nothing = (None,) * len(rows[0])
        readable = [nothing if index in bad else row for index, row in enumerate(rows)]
        gathering.add(_text_table(names, readable), undecodable=bad, **where)


def _text_table(names: Sequence[str], rows: Sequence[tuple[Any, ...]]) -> pa.Table:
    columns = islice(zip(*rows, strict=True), len(names))
    return pa.table(dict(zip(names, map(_as_text, columns), strict=True)))


def _as_text(values: tuple[Any, ...]) -> pa.Array:
    """Numbers as their digits, or the shortest text that gives the same floating-point number."""
    kinds = set(map(type, values)) - {type(None)}
    if kinds == {int}:
        return pa.array(values, pa.int64()).cast(pa.string())
    if kinds - {bytes}:
        values = tuple(v if v is None or type(v) is bytes else repr(v).encode() for v in values)
    return pa.array(values, pa.binary()).cast(pa.string())


def _is_text(row: tuple[Any, ...]) -> bool:
    try:
        for value in row:
            if type(value) is bytes:
                value.decode()
    except UnicodeDecodeError:
        return False
    return True


def _as_bytes(names: Sequence[str], row: tuple[Any, ...]) -> bytes:
    """A row with text that is not UTF-8: as a JSON object, the text's bytes as they are."""
    values = [v.decode("utf-8", "surrogateescape") if type(v) is bytes else v for v in row]
    record = {name: None if v is None else str(v) for name, v in zip(names, values, strict=False)}
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogateescape")
