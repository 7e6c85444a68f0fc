"""A copy of the staged tables for analysts: a DuckDB file that no refresh ever waits for.

There are two files and a link. A refresh changes the file that the link does not point to, points the link to it, then
changes the other: each time only the rows that it changed itself. A reader keeps what it has opened. A file that a
reader has kept open over a refresh is given up to it (it is gone when the reader closes it) and replaced by a copy of
the other one, byte by byte: the only thing that costs by the size of all.
"""

import contextlib
import json
import os
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
    """The copy at a path, which is a link to one of two files beside it.

    Args:
        path: what an analyst opens.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._files = [path.with_name(f"{path.stem}.{number}{path.suffix}") for number in (0, 1)]
        self._said = path.with_name(f"{path.stem}.json")

    def update(self, connection: DuckDBPyConnection, changes: Mapping[str, str], before: Stamps, after: Stamps) -> None:
        """Bring the copy to what is published.

        Args:
            connection: to the warehouse, in no transaction.
            changes: model → SQL condition for all of its rows that were changed between the stamps; what has changed
                and is not among them is copied as a whole.
            before, after: the published models, as they were and as they are.

        Raises:
            WarehouseError: it could not be written; what the link points to is good, and older.
        """
        stamps = {model: stamp.isoformat() for model, stamp in after.items()}
        if self._is_current(stamps):
            return
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            current = self._current()
            target = self._files[1] if current == self._files[0] else self._files[0]
            self._bring(connection, target, current, changes, before, after)
            self._point_to(target)
            self._say(stamps)
        except (duckdb.Error, OSError) as error:
            raise WarehouseError(
                f"The read copy {self._path} could not be written: {str(error).partition(chr(10))[0].rstrip('.')}: what"
                " is there is older and good; free space, or name another place by STAGED_ASSETS_READ_COPY."
            ) from error
        if current is not None:
            self._bring_along(connection, current, changes, before, after)

    def _is_current(self, stamps: Mapping[str, str]) -> bool:
        try:
            return self._path.exists() and json.loads(self._said.read_text(encoding="utf-8")) == dict(stamps)
        except (OSError, ValueError):
            return False

    def _current(self) -> Path | None:
        """The file that the link points to."""
        try:
            found = self._path.parent / self._path.readlink()
        except OSError:
            return None
        return found if found in self._files and found.exists() else None

    def _bring(
        self, connection: DuckDBPyConnection, target: Path, current: Path | None, changes: Mapping[str, str],
        before: Stamps, after: Stamps,
    ) -> None:  # fmt: skip
        """Change a file to what is published; where there is none, or a reader has it, from a copy of the other one."""
        if target.exists():
            try:
                return _apply(connection, target, changes, before, after)
            except duckdb.Error:
                self._give_up(target)
        if current is not None:
            unfinished = target.with_name(target.name + ".unfinished")
            shutil.copyfile(current, unfinished)
            unfinished.replace(target)
        _apply(connection, target, changes, before, after)

    def _bring_along(
        self, connection: DuckDBPyConnection, file: Path, changes: Mapping[str, str], before: Stamps, after: Stamps
    ) -> None:
        """Change the other file, too, unless a reader has it."""
        try:
            _apply(connection, file, changes, before, after)
        except duckdb.Error:
            self._give_up(file)

    @staticmethod
    def _give_up(file: Path) -> None:
        for part in (file, file.with_name(file.name + ".wal")):
            part.unlink(missing_ok=True)

    def _point_to(self, target: Path) -> None:
        link = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        link.unlink(missing_ok=True)
        link.symlink_to(target.name)
        link.replace(self._path)

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
