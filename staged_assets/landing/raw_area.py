"""The raw area's tables, and what landing itself remembers."""

from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

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
    found = connection.execute(
        "select table_name, column_name from information_schema.columns where table_schema = ?", [RAW_SCHEMA]
    ).fetchall()
    there = set(found)
    for dataset in DATASETS.values():
        columns = column_types(dataset)
        if (dataset.name, "_raw_row_id") not in there:
            listed = ", ".join(f'"{name}" {kind}{_STORED.get(name, "")}' for name, kind in columns.items())
            connection.execute(f"create table if not exists {table(dataset.name)} ({listed})")
            continue
        for name, kind in columns.items():
            if (dataset.name, name) not in there:
                connection.execute(f'alter table {table(dataset.name)} add column "{name}" {kind}')


def column_types(dataset: Dataset) -> dict[str, str]:
    """Column → engine type of a raw table: the business columns, each `varchar`, then the metadata."""
    return {**dict.fromkeys(dataset.columns, "varchar"), **METADATA}


def table(dataset: str) -> str:
    """The raw table's name, with its schema."""
    return f"{RAW_SCHEMA}.{dataset}"


def max_landing_id(connection: DuckDBPyConnection, dataset: str) -> int:
    """The highest landing id of a dataset; 0 when nothing has landed."""
    row = connection.execute(f"select coalesce(max(_landing_id), 0) from {table(dataset)}").fetchone()
    return int(row[0]) if row else 0


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
