"""Great Expectations on the table in DuckDB, through SQLAlchemy."""

from collections.abc import Callable
from pathlib import Path

from benchmarks.peers.great_expectations.rules import context, expect


def prepare(path: Path) -> Callable[[], None]:
    """The table as an asset; all of it must pass."""
    source = context().data_sources.add_sql("sales", connection_string=f"duckdb:///{path}")
    asset = source.add_table_asset("stg_sales", table_name="stg_sales")
    batch = asset.add_batch_definition_whole_table("all").get_batch()
    return lambda: expect(batch)
