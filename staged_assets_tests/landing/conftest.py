"""What the landing tests share."""

from collections.abc import Iterator

import duckdb
import pytest

from staged_assets.landing.raw_area import prepare
from staged_assets_tests.postgres import Database, PostgresServer, postgres_server

__all__ = ["postgres_server"]


@pytest.fixture
def warehouse() -> Iterator[duckdb.DuckDBPyConnection]:
    """A warehouse in memory, with an empty raw area."""
    with duckdb.connect(":memory:") as connection:
        prepare(connection)
        yield connection


@pytest.fixture
def database(postgres_server: PostgresServer) -> Iterator[Database]:
    """A database with the table `visit`; its slots are gone afterwards."""
    made = Database(postgres_server)
    made.execute("create table visit (id int primary key, name text, text text)")
    # A large value is not to be compressed: it is kept beside the row.
    made.execute("alter table visit alter text set storage external")
    yield made
    made.execute(
        "select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()"
    )
    made.connection.close()
