"""A table whose changes are landed, and what raw says of it."""

from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.sources import database as connector
from staged_assets.sources.config import Sources
from staged_assets.sources.models import DatabaseSystem
from staged_assets_tests.landing.raw_rows import raw
from staged_assets_tests.postgres import Database
from staged_assets_tests.sources.described import described


def change_feed(folder: Path, database: Database, **feed: Any) -> Sources:
    """The table `visit` (id, name, text) by its changes."""
    said = {"from": "visit", "change_feed": {}, **feed}
    return described(folder, "database", {"url": database.url}, said)


def resolved(sources: Sources) -> DatabaseSystem:
    """The system `shop`, ready to be connected to."""
    system = sources.resolve("shop")
    assert isinstance(system, DatabaseSystem)
    return system


def changes(warehouse: DuckDBPyConnection) -> list[tuple[Any, ...]]:
    """Key, name and operation of all that has landed."""
    return raw(warehouse, "touchpoint_id, touchpoint_name, _operation")


def state(warehouse: DuckDBPyConnection, columns: str = "touchpoint_name, description") -> dict[str, tuple[Any, ...]]:
    """What there is by what has landed: columns of each key's last row, but for those that are deleted.

    By the order of change times first, as the staged area takes it.
    """
    rows = warehouse.execute(
        f"select touchpoint_id, {columns} from raw.touchpoints qualify _operation = 'upsert' and row_number() over"
        " (partition by touchpoint_id order by _source_updated_at desc nulls last, _landing_id desc) = 1"
    ).fetchall()
    return {key: tuple(rest) for key, *rest in rows}


def table(database: Database, columns: str = "name, text") -> dict[str, tuple[Any, ...]]:
    """What there is in the source."""
    return {key: tuple(rest) for key, *rest in database.rows(f"select id::text, {columns} from visit")}


def slots(database: Database) -> list[str]:
    """The slots of a database."""
    found = database.rows("select slot_name from pg_replication_slots where database = current_database() order by 1")
    return [name for (name,) in found]


def lag(sources: Sources) -> Any:
    """How far the slot is behind."""
    system = resolved(sources)
    return connector.lag(system, system.feeds[0])
