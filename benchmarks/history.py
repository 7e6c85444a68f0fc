"""A home with a long past: the last runs that it has had, copied so many times, each under an id of its own.

Copied are the rows in Dagster's storage of runs and index of events, and in the warehouse's history of refreshes and
landings; they are older than anything that retention keeps. A run's own log, which nobody reads who refreshes, is a
hard link to the log of the run that it is copied from: it takes no room.
"""

import contextlib
import os
import sqlite3
import uuid
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings

#: Runs that are copied in turn: one of each kind.
_COPIED = 2
#: Minutes from one run to the next.
_APART = 5
#: Columns that name events by their number, and columns that say when.
_NAMED = ("evaluation_event_storage_id", "materialization_event_storage_id")
_TIMES = ("timestamp", "create_timestamp", "update_timestamp", "evaluation_event_timestamp")
#: Columns in whose text the run's id is.
_TEXTS = ("run_id", "event", "evaluation_event", "run_body")


def lengthen(settings: Settings, runs: int, progress: Callable[[str], None] = lambda line: None) -> None:
    """Add so many runs to what a home remembers; the runs that it has had stay its last ones.

    Args:
        progress: told a sentence now and then.
    """
    history = settings.home / "dagster" / "history"
    last = datetime.now(UTC).replace(tzinfo=None) - timedelta(days=settings.keep_days + 1)
    moments = [last - timedelta(minutes=_APART * number) for number in range(runs, 0, -1)]
    copies = [(str(uuid.uuid4()), moment.isoformat(" ")) for moment in moments]
    copied = _last_runs(history / "runs.db")
    _copy_rows(history / "runs.db", ("runs", "run_tags"), copied, copies, progress)
    _copy_rows(history / "runs" / "index.db", ("event_logs", "asset_check_executions"), copied, copies, progress)
    for number, (run_id, _) in enumerate(copies):
        os.link(history / "runs" / f"{copied[number % len(copied)]}.db", history / "runs" / f"{run_id}.db")
    with connect(settings) as connection:
        for table, moment in (("refreshes", "refreshed_at"), ("landings", "landed_at")):
            connection.execute(f"""
                insert into control.{table}
                select old.* replace ({moment} - to_minutes(({_APART} * number)::integer) as {moment})
                from (
                    from control.{table} qualify row_number() over (partition by dataset order by {moment} desc) = 1
                ) as old, range(1, {runs + 1}) as numbers(number)
            """)


def _last_runs(storage: Path) -> list[str]:
    with contextlib.closing(sqlite3.connect(storage)) as connection:
        found = connection.execute("select run_id from runs order by id desc limit ?", (_COPIED,)).fetchall()
    return [run_id for (run_id,) in found]


def _copy_rows(
    storage: Path,
    tables: Sequence[str],
    copied: Sequence[str],
    copies: Sequence[tuple[str, str]],
    progress: Callable[[str], None],
) -> None:
    """Copy the rows of some runs; other tables than the first name its rows."""
    with contextlib.closing(sqlite3.connect(storage, isolation_level=None)) as connection:
        connection.execute("pragma synchronous = off")
        connection.execute("pragma temp_store = memory")
        statements = [[_copying(connection, table, run_id) for table in tables] for run_id in copied]
        named = [_scalar(connection, f"select min(id) from {tables[0]} where run_id = ?", run_id) for run_id in copied]
        connection.execute("begin")
        for number, (run_id, moment) in enumerate(copies):
            which = number % len(copied)
            shift = _last_id(connection, tables[0]) + 1 - named[which]
            values = {"old": copied[which], "new": run_id, "moment": moment, "shift": shift}
            for table, statement in zip(tables, statements[which], strict=True):
                connection.execute(statement, values | {"last": _last_id(connection, table)})
            if (number + 1) % 1000 == 0:
                connection.execute("commit")
                progress(f"  {storage.name}: {number + 1:,} of {len(copies):,} runs")
                connection.execute("begin")
        connection.execute("commit")
        connection.execute("pragma wal_checkpoint(truncate)")


def _copying(connection: sqlite3.Connection, table: str, run_id: str) -> str:
    """Put a run's rows apart, where they are found at once however many there are; what copies them."""
    apart = f'"{table} {run_id}"'
    connection.execute(f"create temp table {apart} as select * from {table} where run_id = ?", (run_id,))
    columns = [row[1] for row in connection.execute(f"pragma table_info({table})")]
    return f"insert into {table} select {', '.join(map(_copied, columns))} from {apart} order by id"


def _copied(column: str) -> str:
    if column == "id":
        return ":last + row_number() over (order by id)"
    if column in _NAMED:
        return f"{column} + :shift"
    if column in _TIMES:
        return ":moment"
    return f"replace({column}, :old, :new)" if column in _TEXTS else column


def _last_id(connection: sqlite3.Connection, table: str) -> int:
    return _scalar(connection, f"select coalesce(max(id), 0) from {table}")


def _scalar(connection: sqlite3.Connection, query: str, *values: str) -> int:
    return int(connection.execute(query, values).fetchone()[0])
