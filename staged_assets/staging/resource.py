"""The warehouse as a Dagster resource."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dagster_duckdb import DuckDBResource
from duckdb import DuckDBPyConnection

from staged_assets.landing.warehouse import connect


class WarehouseResource(DuckDBResource):
    """dagster-duckdb's resource on the warehouse, for the project's own ops and for marts built on the staged area.

    Unlike its base it can open the file read-only, beside other readers, and its wait for a file that another process
    holds is bounded and ends with a sentence that says who holds it.
    """

    @contextmanager
    def get_connection(self, *, read_only: bool = False) -> Iterator[DuckDBPyConnection]:
        """A connection for as long as the block lasts.

        Raises:
            WarehouseError: the file can't be opened.
        """
        with connect(Path(self.database), read_only=read_only) as connection:
            yield connection
