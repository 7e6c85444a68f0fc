"""Parquet files: every value as text, in full precision."""

from collections.abc import Iterator, Sequence

import pyarrow.compute as pc

from staged_assets.sources.batch import Batch, Cursor
from staged_assets.sources.expressions import literal, quoted
from staged_assets.sources.files import File
from staged_assets.sources.marks import Mark, Question
from staged_assets.sources.models import FileFeed, ParquetSystem
from staged_assets.sources.queries import engine, text_tables, use_store
from staged_assets.sources.tabular import Rows, read_tabular, tabular_marks

ENDINGS = (".parquet",)
_ROW = "file_row_number"


def read(system: ParquetSystem, feed: FileFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read what is new in a feed's files; see `read_tabular`."""
    return read_tabular(system, feed, cursor, ENDINGS, _scan, _rows)


def marks(system: ParquetSystem, asked: Sequence[Question]) -> list[Mark]:
    """Names, sizes and modification times of the files."""
    return tabular_marks(system, asked, ENDINGS)


def _scan(path: str) -> str:
    return f"read_parquet({literal(path)})"


def _rows(file: File, skip: int) -> Iterator[Rows]:
    numbered = f"read_parquet({literal(str(file.path))}, file_row_number = true)"
    with engine() as connection:
        use_store(connection, file.path)
        for table in text_tables(connection, f"(from {numbered} where {quoted(_ROW)} >= {skip})"):
            lines = pc.add(table[_ROW].combine_chunks().cast("int64"), 1)
            yield Rows(table.drop_columns([_ROW]), lines)
