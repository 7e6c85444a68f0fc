"""A copy of the staged tables for analysts: a DuckDB file that no refresh ever waits for.

There are two files: the one that readers open, which nobody ever writes, and a spare. A refresh changes the spare, lets
the two change places by renaming, then changes the other: each time only the rows that it changed itself. A reader
keeps what it has opened. A spare that a reader has kept open over a refresh is given up to it (it is gone when the
reader closes it) and replaced by a copy of the other file, byte by byte: the only thing that costs by the size of all.
"""

import contextlib
import json
import shutil
from collections.abc import Collection, Mapping
from datetime import datetime
from pathlib import Path

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.errors import WarehouseError
from staged_assets.sources.expressions import literal, quoted
from staged_assets.staging import control
from staged_assets.staging.project import StagingProject

#: model → when it was last published
Stamps = Mapping[str, datetime]

_ALIAS = "read_copy"


def published_at(
    connection: DuckDBPyConnection, project: StagingProject, there: Collection[str] | None = None
) -> dict[str, datetime]:
    """Which tables are published, without those of the staged area's own → when they last were."""
    stamps = {name: one.made_at for name, one in control.companions(connection).items()}
    for dataset, watermark in control.watermarks(connection).items():
        stamps |= dict.fromkeys(project.audited_models(dataset), watermark.refreshed_at)
    there = control.tables(connection, "staged") if there is None else there
    return {name: at for name, at in stamps.items() if name.startswith("stg_") and name in there}


class ReadCopy:
    """The copy at a path.

    Args:
        path: what an analyst opens.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._spare = path.with_name(f".{path.stem}.spare{path.suffix}")
        self._said = path.with_name(f"{path.stem}.json")

    def update(self, connection: DuckDBPyConnection, changes: Mapping[str, str], before: Stamps, after: Stamps) -> None:
        """Bring the copy to what is published.

        Args:
            connection: to the warehouse, in no transaction.
            changes: model → SQL condition for all of its rows that were changed between the stamps; what has changed
                and is not among them is copied as a whole.
            before, after: the published models, as they were and as they are.

        Raises:
            WarehouseError: it could not be written; what readers open is good, and older.
        """
        stamps = {model: stamp.isoformat() for model, stamp in after.items()}
        if self._is_current(stamps):
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._bring(connection, changes, before, after)
            self._change_places()
            self._say(stamps)
        except (duckdb.Error, OSError) as error:
            raise WarehouseError(
                f"The read copy {self._path} could not be written: {str(error).partition(chr(10))[0].rstrip('.')}: what"
                " is there is older and good; free space, or name another place by STAGED_ASSETS_READ_COPY."
            ) from error
        if self._spare.exists():
            self._bring_along(connection, changes, before, after)

    def _is_current(self, stamps: Mapping[str, str]) -> bool:
        try:
            return self._path.exists() and json.loads(self._said.read_text(encoding="utf-8")) == dict(stamps)
        except (OSError, ValueError):
            return False

    def _bring(self, connection: DuckDBPyConnection, changes: Mapping[str, str], before: Stamps, after: Stamps) -> None:
        """Change the spare to what is published; where there is none, or a reader has it, make one from the other."""
        if self._spare.exists():
            try:
                return _apply(connection, self._spare, changes, before, after)
            except duckdb.Error:
                self._give_up()
        if self._path.exists():
            unfinished = self._spare.with_name(self._spare.name + ".unfinished")
            shutil.copyfile(self._path, unfinished)
            unfinished.replace(self._spare)
        _apply(connection, self._spare, changes, before, after)

    def _change_places(self) -> None:
        """At each moment the path is one whole file, the one or the other."""
        former = self._spare.with_name(self._spare.name + ".former")
        former.unlink(missing_ok=True)
        # Where files can't have two names, or there is none yet, there will be no spare: the next refresh makes one.
        with contextlib.suppress(OSError):
            former.hardlink_to(self._path.resolve())
        self._spare.replace(self._path)
        if former.exists():
            former.replace(self._spare)

    def _bring_along(
        self, connection: DuckDBPyConnection, changes: Mapping[str, str], before: Stamps, after: Stamps
    ) -> None:
        """Change what readers opened before, too, unless one still has it."""
        try:
            _apply(connection, self._spare, changes, before, after)
        except duckdb.Error:
            self._give_up()

    def _give_up(self) -> None:
        for part in (self._spare, self._spare.with_name(self._spare.name + ".wal")):
            part.unlink(missing_ok=True)

    def _say(self, stamps: Mapping[str, str]) -> None:
        unfinished = self._said.with_name(self._said.name + ".unfinished")
        unfinished.write_text(json.dumps(stamps), encoding="utf-8")
        unfinished.replace(self._said)


def _apply(
    connection: DuckDBPyConnection, file: Path, changes: Mapping[str, str], before: Stamps, after: Stamps
) -> None:
    """Bring one file to what is published, in one transaction."""
    connection.execute(f"attach {literal(str(file))} as {_ALIAS}")
    try:
        connection.begin()
        try:
            _bring_models(connection, changes, before, after)
        except duckdb.Error:
            with contextlib.suppress(duckdb.Error):
                connection.rollback()
            raise
        connection.commit()
        connection.execute(f"checkpoint {_ALIAS}")
    finally:
        connection.execute(f"detach {_ALIAS}")


def _bring_models(connection: DuckDBPyConnection, changes: Mapping[str, str], before: Stamps, after: Stamps) -> None:
    connection.execute(f"create schema if not exists {_ALIAS}.staged")
    copied = f"{_ALIAS}.main.copied"
    connection.execute(f"create table if not exists {copied} (model varchar primary key, published_at timestamp)")
    known = dict(connection.execute(f"select model, published_at from {copied}").fetchall())
    # What has no stamp for now, because its publishing failed, stays as it was.
    for model in known.keys() - control.tables(connection, "staged"):
        connection.execute(f"drop table if exists {_ALIAS}.staged.{quoted(model)}")
        connection.execute(f"delete from {copied} where model = ?", [model])
    for model, stamp in after.items():
        if known.get(model) == stamp:
            continue
        table = f"{_ALIAS}.staged.{quoted(model)}"
        if model in changes and model in known and known[model] == before.get(model):
            connection.execute(f"delete from {table} where {changes[model]}")
            connection.execute(f"insert into {table} by name from staged.{quoted(model)} where {changes[model]}")
        else:
            connection.execute(f"create or replace table {table} as from staged.{quoted(model)}")
        connection.execute(f"insert or replace into {copied} values (?, ?)", [model, stamp])
