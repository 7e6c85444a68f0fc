"""Values that a change left as they were and that the source did not send: the last ones that are known are taken.

They are those of the same key's row before: of the same batch, of what is staged, or of raw.
"""

from dataclasses import replace

import pyarrow as pa
from duckdb import DuckDBPyConnection

from staged_assets.landing.append import Incoming
from staged_assets.landing.mapping import BATCH, FeedMapping
from staged_assets.sources.arrays import texts
from staged_assets.sources.batch import Batch
from staged_assets.sources.change_feed import DELETED, OPERATION
from staged_assets.sources.expressions import quoted


def with_unchanged(
    connection: DuckDBPyConnection, incoming: Incoming, mapping: FeedMapping, batch: Batch, engine_table: pa.Table
) -> tuple[Batch, int]:
    """The batch with all values, and how many of them are not known.

    Args:
        incoming: what is staged before it.
        engine_table: the batch as the engine gets it.
    """
    keys = _keys(connection, mapping, batch, engine_table)
    landed_as = {name: mapping.landed_as(name) for kept in batch.unchanged.values() for name in kept.columns}
    wanted = {name: sql for name, sql in landed_as.items() if sql is not None}
    before = incoming.latest((keys[kept.before] for kept in batch.unchanged.values()), list(wanted.values()))
    known = {(key, name): value for key, row in before.items() for name, value in zip(wanted, row, strict=True)}
    values = {name: batch.records[name].to_pylist() for name in wanted}
    unknown = 0
    for position, operation in enumerate(batch.records[OPERATION].to_pylist()):
        if operation == DELETED:
            continue
        kept = batch.unchanged.get(position)
        for name, column in values.items():
            if kept is not None and name in kept.columns:
                column[position] = known.get((keys[kept.before], name))
                unknown += column[position] is None
            known[keys[position], name] = column[position]
    records = batch.records
    for name, column in values.items():
        records = records.set_column(records.column_names.index(name), name, texts(column))
    return replace(batch, records=records), unknown


def _keys(connection: DuckDBPyConnection, mapping: FeedMapping, batch: Batch, engine_table: pa.Table) -> list[str]:
    """The dataset's key of each record."""
    connection.register(BATCH, engine_table)
    try:
        key = quoted(mapping.dataset.key)
        select = mapping.select(batch.records.column_names)
        rows = connection.execute(f"select coalesce({key}, '') from ({select}) order by _ordinal").fetchall()
        return [found for (found,) in rows]
    finally:
        connection.unregister(BATCH)
