"""The raw rows of one size, in the forms in which the competitors read them."""

import os
import shutil
from datetime import datetime, timedelta
from pathlib import Path

import duckdb

from benchmarks.command import say
from benchmarks.generated import make_raw
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.warehouse import connect

#: When the generated rows have landed. Batches of changes land on the days after it.
LANDED = datetime(2026, 1, 2)


class RawData:
    """Made at its first use, read by all competitors, changed by none.

    Args:
        folder: empty, or that of such data.
        rows: sales; the other datasets in proportion.
    """

    def __init__(self, folder: Path, rows: int) -> None:
        self.folder = folder
        self.rows = rows

    @property
    def database(self) -> Path:
        """A DuckDB file with the schema `raw`, of this environment's DuckDB."""
        path = self.folder / "landed.duckdb"
        if not path.exists():
            say(f"{self.rows:,} sales: making the raw rows")
            self.folder.mkdir(parents=True, exist_ok=True)
            with connect(path) as connection:
                make_raw(connection, self.rows)
        return path

    def copy(self, to: Path) -> None:
        """Copy the DuckDB file, onto the disk: what is measured next is not to pay for it."""
        shutil.copyfile(self.database, to)
        with to.open("rb") as copied:
            os.fsync(copied)

    @property
    def parquet(self) -> Path:
        """A folder with `<dataset>/0.parquet`, for other versions of DuckDB."""
        path = self.folder / "parquet"
        if not path.exists():
            with duckdb.connect(str(self.database), read_only=True) as connection:
                for dataset in DATASETS:
                    (path / dataset).mkdir(parents=True)
                    connection.execute(f"copy raw.{dataset} to '{path / dataset / '0.parquet'}'")
        return path


class Batch:
    """Sales that have landed in a warehouse since the last batch, taken from it for the others.

    Args:
        warehouse: of this project.
        folder: for the file.
        number: counted from 1; the batch has landed so many days after the first rows.
        after: the landing id of the last row that is in an earlier one.
    """

    def __init__(self, warehouse: Path, folder: Path, number: int, after: int) -> None:
        self.landed_at = LANDED + timedelta(days=number)
        self.path = folder / f"sales-{number}.parquet"
        rows = (
            f"select * replace (timestamp '{self.landed_at}' as _landed_at) from raw.sales where _landing_id > {after}"
        )
        with connect(warehouse, read_only=True) as connection:
            connection.execute(f"copy ({rows}) to '{self.path}'")
            ((self.rows, last),) = connection.execute(
                f"select count(*), max(_landing_id) from raw.sales where _landing_id > {after}"
            ).fetchall()
        self.last = int(last or after)
