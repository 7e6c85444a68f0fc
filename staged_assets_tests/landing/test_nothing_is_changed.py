"""Property: whatever a source holds stands in raw exactly so."""

import csv
import json
import sqlite3
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from staged_assets.landing.raw_area import prepare
from staged_assets_tests.landing.raw_rows import extras, land, raw
from staged_assets_tests.sources.described import described

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=40) | st.sampled_from(
    [
        "007",
        " 1 ",
        "1.10",
        "",
        "null",
        "NULL",
        "\0",
        "a\0b",
        "\ufeff",
        "\u200b",
        "'",
        '"',
        "\\",
        "é",
        "e\u0301",
        "x" * 70_000,
    ]
)
CELLS = st.none() | TEXT
#: identifier, two mapped columns, one that is not mapped
ROWS = st.lists(st.tuples(CELLS, CELLS, CELLS, CELLS), min_size=1, max_size=5)
NAMES = ("id", "name", "text", "more")
FEWER = settings(max_examples=40, deadline=None)


@pytest.fixture(scope="module")
def shared_warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect(":memory:") as connection:
        prepare(connection)
        yield connection


def _landed(
    warehouse: duckdb.DuckDBPyConnection, folder: Path, connector: str, connection: dict[str, Any], **feed: Any
) -> list[tuple[Any, ...]]:
    warehouse.execute("delete from raw.touchpoints; delete from control.cursors")
    land(warehouse, described(folder, connector, connection, feed))
    mapped = raw(warehouse, "touchpoint_id, touchpoint_name, description")
    return [(*row, (extra or {}).get("more")) for row, extra in zip(mapped, extras(warehouse), strict=True)]


@FEWER
@given(rows=ROWS)
def test_event_files(shared_warehouse: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        lines = [json.dumps(dict(zip(NAMES, row, strict=True)), ensure_ascii=i % 2 == 0) for i, row in enumerate(rows)]
        (path / "a.ndjson").write_text("".join(line + "\n" for line in lines), encoding="utf-8", newline="")
        assert _landed(shared_warehouse, path, "event_files", {"path": "."}, **{"from": "*.ndjson"}) == rows


@FEWER
@given(rows=st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), min_size=1, max_size=5))
def test_csv_files(shared_warehouse: duckdb.DuckDBPyConnection, rows: list[tuple[str, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with (path / "a.csv").open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows([NAMES, *rows])
        assert _landed(shared_warehouse, path, "csv_files", {"path": "."}, **{"from": "*.csv"}) == rows


@FEWER
@given(rows=ROWS)
def test_parquet(shared_warehouse: duckdb.DuckDBPyConnection, rows: list[tuple[str | None, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        columns = {
            name: pa.array(column, pa.string()) for name, column in zip(NAMES, zip(*rows, strict=True), strict=True)
        }
        pyarrow.parquet.write_table(pa.table(columns), path / "a.parquet")
        assert _landed(shared_warehouse, path, "parquet", {"path": "."}, **{"from": "*.parquet"}) == rows


@FEWER
@given(found=st.dictionaries(TEXT, st.tuples(CELLS, CELLS, CELLS), min_size=1, max_size=5))
def test_sqlite(shared_warehouse: duckdb.DuckDBPyConnection, found: dict[str, tuple[str | None, ...]]) -> None:
    rows = [(key, *rest) for key, rest in found.items()]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        with sqlite3.connect(path / "erp.db") as connection:
            connection.execute("create table visit (id, name, text, more)")
            connection.executemany("insert into visit values (?, ?, ?, ?)", rows)
        connection.close()
        assert _landed(shared_warehouse, path, "sqlite", {"path": "erp.db"}, **{"from": "visit"}) == rows
