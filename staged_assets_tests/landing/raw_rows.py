"""Landing a described feed, and what stands in raw then."""

import json
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.landing.land import Landed, land_feed
from staged_assets.sources.config import Sources


def land(connection: DuckDBPyConnection, sources: Sources, feed: int = 0) -> Landed:
    """Land one feed of the system `shop`."""
    return land_feed(connection, sources, "shop", sources.systems["shop"].feeds[feed])


def raw(connection: DuckDBPyConnection, columns: str = "touchpoint_id, touchpoint_name") -> list[tuple[Any, ...]]:
    """Columns of the touchpoints, in landing order."""
    return connection.execute(f"select {columns} from raw.touchpoints order by _landing_id").fetchall()


def extras(connection: DuckDBPyConnection) -> list[dict[str, str] | None]:
    """`_extra` of the touchpoints, in landing order."""
    return [json.loads(text) if text else None for (text,) in raw(connection, "_extra")]


def write_events(folder: Path, *events: dict[str, Any] | str, name: str = "a.ndjson") -> None:
    """Append to an event file of the stream `visits`."""
    (folder / "visits").mkdir(exist_ok=True)
    lines = [event if isinstance(event, str) else json.dumps(event) for event in events]
    with (folder / "visits" / name).open("a") as file:
        file.writelines(line + "\n" for line in lines)
