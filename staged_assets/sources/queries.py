"""Files asked by SQL: an engine of its own, in memory, whose results are text."""

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pyarrow as pa

from staged_assets.errors import SourceError
from staged_assets.sources.batch import BATCH_RECORDS
from staged_assets.sources.expressions import quoted
from staged_assets.sources.files import File

_MEMORY = "2GB"
_INEXACT = re.compile(r"DECIMAL\(\d+, ?\d+\)|U?HUGEINT")

#: a path → the SQL that reads the file
Scan = Callable[[str], str]


@contextmanager
def engine() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to nothing but files; what does not fit into memory goes to the system's temporary folder."""
    with tempfile.TemporaryDirectory(prefix="staged_assets_") as folder, duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute(f"set memory_limit = '{_MEMORY}'")
        connection.execute("set temp_directory = ?", [str(Path(folder) / "spill")])
        yield connection


def use_store(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Let the engine read from the object store that a path is in."""
    store = getattr(path, "fs", None)
    if store is not None and path.protocol not in connection.list_filesystems():  # type: ignore[attr-defined]
        connection.register_filesystem(store)


def text_tables(connection: duckdb.DuckDBPyConnection, relation: str) -> Iterator[pa.Table]:
    """The rows of a relation (or of a query in parentheses), every column as text.

    Numbers in full precision, times as ISO 8601 (those with a time zone in UTC), bytes as hexadecimal digits, nested
    values as JSON.
    """
    columns = connection.execute(f"describe select * from {relation}").fetchall()
    texts = ", ".join(f"{as_text(quoted(name), kind)} as {quoted(name)}" for name, kind, *_ in columns)
    reader: pa.RecordBatchReader = connection.sql(f"select {texts} from {relation}").to_arrow_reader(BATCH_RECORDS)
    for batch in reader:
        yield pa.Table.from_batches([batch])


def as_text(value: str, kind: str) -> str:
    """SQL that gives a value of an engine type as text."""
    if kind == "VARCHAR":
        return value
    if kind == "BLOB":
        return f"hex({value})"
    if kind.endswith("]") or kind.startswith(("STRUCT", "MAP", "UNION", "VARIANT")):
        # JSON has no exact decimals: within nested values they are texts.
        return f"to_json({value}::{_INEXACT.sub('VARCHAR', kind)})::varchar"
    return f"{value}::varchar"


def query_tables(system: str, query: str, files: Sequence[File], scan: Scan) -> Iterator[pa.Table]:
    """The rows of a query over files, each a view named as the file without its endings.

    Args:
        scan: reads a file.

    Raises:
        SourceError: the query fails, or names a file that is there twice.
    """
    with engine() as connection:
        try:
            for name in sorted({word.lower() for word in re.findall(r"\w+", query)}):
                _create_view(connection, system, name, files, scan)
            yield from text_tables(connection, f"({query}\n)")
        except duckdb.Error as error:
            reason = str(error).partition("\n")[0]
            raise SourceError(f"{system}: the query of a feed failed: {reason}: correct it, or the files.") from error


def _create_view(
    connection: duckdb.DuckDBPyConnection, system: str, name: str, files: Sequence[File], scan: Scan
) -> None:
    found = [file for file in files if Path(file.name).name.partition(".")[0].lower() == name]
    if len(found) > 1:
        raise SourceError(
            f"{system}: the query of a feed asks {name!r}, but {found[0].path} and {found[1].path} are both called"
            " so: rename one of them."
        )
    if found:
        use_store(connection, found[0].path)
        connection.execute(f"create view {quoted(name)} as from {scan(str(found[0].path))}")
