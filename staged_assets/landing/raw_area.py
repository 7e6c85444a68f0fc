"""The raw area's tables, and what landing itself remembers."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from duckdb import DuckDBPyConnection

from staged_assets.errors import ConfigurationError
from staged_assets.landing import drift
from staged_assets.landing.layout import DATASETS, METADATA, RAW_SCHEMA, Dataset

_CONTROL = """
create schema if not exists control;
create table if not exists control.cursors (
    system varchar not null, dataset varchar not null, feed varchar not null, cursor json not null,
    landed_at timestamp not null
);
create table if not exists control.landings (
    system varchar not null, dataset varchar not null, feed varchar not null, landed_at timestamp not null,
    read bigint not null, landed bigint not null, malformed bigint not null,
    first_landing_id bigint, last_landing_id bigint, problems varchar[] not null
);
"""


#: ids are chance: to look for a shorter way of writing them takes longer than to write them
_STORED = {"_raw_row_id": " using compression uncompressed"}


def prepare(connection: DuckDBPyConnection) -> None:
    """Create the fourteen raw tables and landing's own, where they are missing; add columns that the layout gained."""
    connection.execute(f"create schema if not exists {RAW_SCHEMA}")
    connection.execute(_CONTROL + drift.SCHEMA)
    found = dict(
        connection.execute(
            "select table_name, column_count from duckdb_tables() where schema_name = ?", [RAW_SCHEMA]
        ).fetchall()
    )
    for dataset in DATASETS.values():
        columns = column_types(dataset)
        if dataset.name not in found:
            listed = ", ".join(f'"{name}" {kind}{_STORED.get(name, "")}' for name, kind in columns.items())
            connection.execute(f"create table if not exists {table(dataset.name)} ({listed})")
        elif found[dataset.name] < len(columns):
            for name, kind in columns.items():
                connection.execute(f'alter table {table(dataset.name)} add column if not exists "{name}" {kind}')


def column_types(dataset: Dataset) -> dict[str, str]:
    """Column → engine type of a raw table: the business columns, each `varchar`, then the metadata."""
    return {**dict.fromkeys(dataset.columns, "varchar"), **METADATA}


def table(dataset: str) -> str:
    """The raw table's name, with its schema."""
    return f"{RAW_SCHEMA}.{dataset}"


def max_landing_id(connection: DuckDBPyConnection, dataset: str) -> int:
    """The highest landing id of a dataset; 0 when nothing has landed."""
    return max_landing_ids(connection, [dataset])[dataset]


def max_landing_ids(connection: DuckDBPyConnection, datasets: Collection[str]) -> dict[str, int]:
    """The same of several."""
    parts = [f"select '{name}', coalesce(max(_landing_id), 0) from {table(name)}" for name in datasets]
    return dict(connection.execute(" union all ".join(parts)).fetchall()) if parts else {}


@dataclass(frozen=True)
class Period:
    """A part of what has landed: by the days (UTC) on which it did, or by landing ids; both ends belong to it.

    Attributes:
        first, last: a date or a landing id; None for no end.
    """

    first: date | int | None = None
    last: date | int | None = None

    @staticmethod
    def read(first: str | None, last: str | None) -> "Period":
        """From what a person writes: `2026-11-01`, or a landing id.

        Raises:
            ConfigurationError: it is neither.
        """
        return Period(_read_end(first), _read_end(last))


def _read_end(written: str | None) -> date | int | None:
    if not written:
        return None
    if written.isascii() and written.isdecimal():
        return int(written)
    try:
        return date.fromisoformat(written)
    except ValueError as error:
        raise ConfigurationError(
            f"{written!r} is no end of a period: write a day such as 2026-11-01, or a landing id such as 1200."
        ) from error


def landing_ids(connection: DuckDBPyConnection, dataset: str, period: Period) -> tuple[int, int]:
    """The first and the last landing id of a period; the first is the greater one where nothing has landed in it."""
    first = ("_landing_id" if isinstance(period.first, int) else "cast(_landed_at as date)") + " >= ?"
    last = ("_landing_id" if isinstance(period.last, int) else "cast(_landed_at as date)") + " <= ?"
    ends = [(condition, end) for condition, end in ((first, period.first), (last, period.last)) if end is not None]
    where = " and ".join(condition for condition, _ in ends) or "true"
    sql = f"select coalesce(min(_landing_id), 1), coalesce(max(_landing_id), 0) from {table(dataset)} where {where}"
    ((lowest, highest),) = connection.execute(sql, [end for _, end in ends]).fetchall()
    return int(lowest), int(highest)


def problems_since(connection: DuckDBPyConnection, moment: datetime) -> list[str]:
    """What landings since then (UTC) want a person to know, one sentence each, each once."""
    rows = connection.execute(
        "select distinct unnest(problems) as problem from control.landings where landed_at >= ? order by problem",
        [moment],
    ).fetchall()
    return [problem for (problem,) in rows]


@dataclass(frozen=True)
class RawTable:
    """What has landed of a dataset: rows, highest landing id, and when the last row came (UTC)."""

    rows: int
    max_landing_id: int
    landed_at: datetime | None


def landed_tables(connection: DuckDBPyConnection) -> dict[str, RawTable]:
    """What has landed, for each of the fourteen."""
    parts = [
        f"select '{name}', count(*), coalesce(max(_landing_id), 0), max(_landed_at) from {table(name)}"
        for name in DATASETS
    ]
    rows = connection.execute(" union all ".join(parts)).fetchall()
    return {name: RawTable(*rest) for name, *rest in rows}
