"""Good tables, made once."""

from collections.abc import Iterator
from contextlib import contextmanager

import duckdb
import pytest

from staged_assets.validation.registry import schemas
from staged_assets_tests.validation import good_rows


@contextmanager
def taken_back(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Whatever is done in the block is undone after it."""
    connection.execute("begin")
    try:
        yield
    finally:
        connection.execute("rollback")


@pytest.fixture(scope="session")
def good_tables() -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection with a good table `good.<dataset>` for each schema."""
    with duckdb.connect() as connection:
        connection.execute("create schema good")
        for dataset in schemas():
            good_rows.create(connection, dataset, f"good.{dataset}")
        yield connection


@pytest.fixture
def planting(good_tables: duckdb.DuckDBPyConnection) -> Iterator[duckdb.DuckDBPyConnection]:
    """The good tables, to be broken: they are good again after the test."""
    with taken_back(good_tables):
        yield good_tables
