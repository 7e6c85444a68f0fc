"""What the landing tests share."""

from collections.abc import Iterator

import duckdb
import pytest

from staged_assets.landing.raw_area import prepare


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse in memory, with an empty raw area."""
    with duckdb.connect(":memory:") as connection:
        prepare(connection)
        yield connection
