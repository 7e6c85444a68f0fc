"""Appending to raw: which of the incoming rows are new, and under which ids."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pyarrow as pa
from duckdb import DuckDBPyConnection

from staged_assets.catalogue import DATASETS
from staged_assets.landing.layout import DELETE, UPSERT
from staged_assets.landing.mapping import BATCH, content_sql, position_version_sql
from staged_assets.landing.raw_area import max_landing_id, table
from staged_assets.sources.batch import Truncated
from staged_assets.sources.expressions import literal, quoted

#: more than any landing id: staged rows come behind those that have landed
_BEHIND = 1 << 62
_INCOMING, _FRESH = "temp.landing_incoming", "temp.landing_fresh"
#: orders a key's rows, the current one last
_CURRENT = "row(coalesce(_source_updated_at, timestamp '-infinity'), _landing_id)"


@dataclass(frozen=True)
class Appended:
    """What one transaction appended: rows, of these malformed, and their landing ids."""

    rows: int
    malformed: int
    first_landing_id: int | None
    last_landing_id: int | None


class Incoming:
    """Rows on their way into one raw table, staged in the engine.

    Args:
        connection: to the warehouse.
        system: the source system they come from.
        dataset: one of the fourteen.
    """

    def __init__(self, connection: DuckDBPyConnection, system: str, dataset: str) -> None:
        self._connection = connection
        self._system = system
        self._dataset = DATASETS[dataset]
        self._raw = table(dataset)
        self._key = quoted(self._dataset.key)
        self.clear()

    def clear(self) -> None:
        """Forget what is staged."""
        self._alone: pa.Table | None = None
        self._is_empty = True
        self._has_table = False

    def _make_table(self) -> None:
        self._has_table = True
        columns = ", ".join(f"{quoted(name)} varchar" for name in self._dataset.columns)
        self._connection.execute(
            f"create or replace temp table landing_incoming (_ordinal bigint, {columns}, _extra varchar,"
            " _source_updated_at timestamp, _operation varchar, _version varchar, _is_malformed boolean,"
            " _content varchar, _raw_row_id varchar)"
        )

    def rows_of(self, connection: DuckDBPyConnection, batch: pa.Table, select: str) -> pa.Table:
        """The rows of a batch, mapped by a select over `BATCH`, as they are staged.

        Args:
            connection: any to the engine, in UTC.
        """
        with registered(connection, batch):
            return connection.sql(self._identified(select)).to_arrow_table()

    def add(self, rows: pa.Table, offset: int = 0) -> None:
        """Stage rows, in their order behind so many others."""
        if self._is_empty and not offset:
            # Most often there are no others, and they need not be written.
            self._alone, self._is_empty = rows, False
            return
        self._write_alone()
        with registered(self._connection, rows):
            placed = f"select * replace (_ordinal + {offset} as _ordinal) from {BATCH}"
            self._connection.execute(f"insert into {_INCOMING} by name {placed}")

    def _write_alone(self) -> None:
        """Have in the engine's table what is staged."""
        self._is_empty = False
        if not self._has_table:
            self._make_table()
        if self._alone is not None:
            with registered(self._connection, self._alone):
                self._connection.execute(f"insert into {_INCOMING} by name from {BATCH}")
            self._alone = None

    def add_vanished(self) -> int | None:
        """Stage a delete for each key that has landed and is not among the staged rows.

        It has the change time of the key's newest version, which it follows: what the source changes later is newer.
        Keys are compared as the numbers they are, so that one which is only written differently now has not vanished.

        Returns:
            how many; None where nothing at all is staged though keys have landed: an empty snapshot deletes nothing.
        """
        self._write_alone()
        number = _as_number(self._key)
        gone = f"""
            select {self._key}, max(_source_updated_at) as _source_updated_at,
                arg_max(_raw_row_id, _place) as _previous, arg_max(_operation, _place) as _last
            from (
                select *, {_CURRENT} as _place from {self._raw}
                where _source_system = {literal(self._system)} and {self._key} is not null
            )
            group by {self._key}
            having _last = '{UPSERT}'
              and {number} not in (select {number} from {_INCOMING} where {self._key} is not null)
        """
        vanished = self._number(f"select count(*) from ({gone})")
        if vanished and not self._number(f"select count(*) from {_INCOMING} where {self._key} is not null"):
            return None
        deletes = f"""
            select -row_number() over (order by {self._key}) as _ordinal, {self._key}, _source_updated_at,
                'after=' || _previous as _version
            from ({gone})"""
        self._add_deletes(deletes)
        return vanished

    def add_truncated(self, truncated: Truncated, offset: int) -> int:
        """Stage a delete for each key that has landed or is staged, and is not deleted.

        Args:
            offset: the order of the first of them.

        Returns:
            how many.
        """
        live = f"""
            select {self._key} from ({self.rows()}) where {self._key} is not null
            group by {self._key} having arg_max(_operation, {_CURRENT}) = '{UPSERT}'"""
        version = position_version_sql(literal(truncated.file), str(truncated.line))
        deletes = f"""
            select {offset} - 1 + row_number() over (order by {self._key}) as _ordinal, {self._key},
                timestamp {literal(truncated.committed_at)} as _source_updated_at, {version} as _version
            from ({live})"""
        count = self._number(f"select count(*) from ({live})")
        if count:
            self._add_deletes(deletes)
        return count

    def rows(self) -> str:
        """The system's rows, those that have landed and, behind them, those that are staged, as a query."""
        self._write_alone()
        columns = f"{', '.join(map(quoted, self._dataset.columns))}, _extra, _source_updated_at, _operation"
        return f"""
            select {columns}, _landing_id from {self._raw} where _source_system = {literal(self._system)}
            union all by name
            select {columns}, {_BEHIND} + _ordinal as _landing_id from {_INCOMING}"""

    def latest(self, keys: Iterable[str], columns: Sequence[str]) -> dict[str, tuple[Any, ...]]:
        """Columns (SQL over a row of raw) of the current row of each of these keys; none for one that has no row."""
        wanted = ", ".join(["_key", *columns])
        found = self._connection.execute(
            f"""
            select {wanted} from (select {self._key} as _key, * from ({self.rows()}))
            where _key in (select unnest(?))
            qualify row_number() over (partition by _key order by {_CURRENT} desc) = 1""",
            [sorted(set(keys))],
        ).fetchall()
        return {key: tuple(values) for key, *values in found}

    def _add_deletes(self, deletes: str) -> None:
        """Stage deletes: of a query of `_ordinal`, the key, `_source_updated_at` and `_version`."""
        others = ", ".join(
            f"null::varchar as {quoted(name)}"
            for name in (*self._dataset.columns, "_extra")
            if name != self._dataset.key
        )
        whole = f"select *, {others}, '{DELETE}' as _operation, false as _is_malformed from ({deletes})"
        self._connection.execute(f"insert into {_INCOMING} by name {self._identified(whole)}")

    def keep_vanished(self) -> None:
        """Forget what is staged but the deletes of keys that vanished."""
        self._connection.execute(f"delete from {_INCOMING} where _ordinal >= 0")

    def append(self, landed_at: datetime) -> Appended:
        """Append the staged rows that are new to raw. To be called in a transaction."""
        last = max_landing_id(self._connection, self._dataset.name)
        alone = self._alone
        if alone is not None:
            with registered(self._connection, alone):
                if self._is_all_fresh(BATCH):
                    return self._insert(last, f"select *, _ordinal + 1 as _place from {BATCH}", landed_at)
        self._write_alone()
        if alone is None and self._is_all_fresh(_INCOMING):
            return self._insert(last, f"select *, _ordinal + 1 as _place from {_INCOMING}", landed_at)
        self._find_fresh()
        fresh = f"select *, row_number() over (order by _ordinal) as _place from {_FRESH}"
        incoming = f"select * exclude (_raw_row_id) from {_INCOMING}"
        return self._insert(last, f"select * from ({incoming}) join ({fresh}) using (_ordinal)", landed_at)

    def _insert(self, last: int, rows: str, landed_at: datetime) -> Appended:
        """Append the rows of a select, `_place` being their order."""
        business = ", ".join(map(quoted, self._dataset.columns))
        inserted = self._number(
            f"""
            insert into {self._raw} by name
            select {business}, _extra, _raw_row_id, {literal(self._system)} as _source_system, _source_updated_at,
                ?::timestamp as _landed_at, {last} + _place as _landing_id, _operation
            from ({rows})""",
            [landed_at],
        )
        if not inserted:
            return Appended(0, 0, None, None)
        return Appended(
            inserted, self._number(f"select count(*) from ({rows}) where _is_malformed"), last + 1, last + inserted
        )

    def _identified(self, select: str) -> str:
        """The rows of a select with the fingerprint of their content, and the id of those that have a version."""
        with_content = f"select *, {content_sql(self._dataset)} as _content from ({select})"
        return f"select *, {self._row_id('_version')} as _raw_row_id from ({with_content})"

    def _is_all_fresh(self, rows: str) -> bool:
        """Whether the rows are all new, and all told apart by their versions, as in a first reading."""
        alike, there = self._row(
            f"select count(*) = count(distinct _raw_row_id) and count(*) > 0, min(_ordinal) >= 0 from {rows}"
        )
        return bool(alike and there) and not self._number(
            f"select count(*) from {rows} as offered where {self._landed(rows)}"
        )

    def _find_fresh(self) -> None:
        """The rows that have not landed yet, each once, with their ids."""
        self._connection.execute(
            f"""
            create or replace temp table landing_fresh as
            select _ordinal, _raw_row_id
            from (
                select min(_ordinal) as _ordinal, _raw_row_id
                from {_INCOMING} where _version is not null group by _raw_row_id
            ) as offered
            where not {self._landed(_INCOMING)}"""
        )
        if self._number(f"select count(*) from {_INCOMING} where _version is null"):
            self._connection.execute(f"insert into {_FRESH} {self._fresh_unversioned()}")

    def _landed(self, rows: str) -> str:
        """Whether an `offered` row, one of these, has landed."""
        return (
            f"exists (select 1 from {self._raw} as landed"
            f" where landed._raw_row_id = offered._raw_row_id and {self._same_time(rows)})"
        )

    def _same_time(self, rows: str) -> str:
        """Bounds of the rows that can have the same id: the change time is part of it; raw is about in its order."""
        first, last, without = self._row(
            f"select min(_source_updated_at), max(_source_updated_at), count(*) filter (_source_updated_at is null)"
            f" from {rows} where _version is not null"
        )
        bounds = []
        if first is not None:
            bounds.append(f"landed._source_updated_at between timestamp '{first}' and timestamp '{last}'")
        if without:
            bounds.append("landed._source_updated_at is null")
        return f"({' or '.join(bounds)})" if bounds else "false"

    def _fresh_unversioned(self) -> str:
        """Rows without a version: those that differ from what their key last landed with, without a change time.

        A key that stands several times in one snapshot has as many current rows, its last ones. Rows without a key are
        told apart by their content alone.
        """
        group = f"case when {self._key} is null then '-' || _content else '=' || {self._key} end"
        return f"""
            with offered as (
                select _ordinal, {group} as _group, _operation, _content from {_INCOMING} where _version is null
                qualify row_number() over (partition by _group, _operation, _content order by _ordinal) = 1
            ),
            sizes as (select _group, count(*) as _size from offered group by _group),
            landed as (
                select {group} as _group, _landing_id, _raw_row_id, _operation, _content
                from (
                    select *, {content_sql(self._dataset)} as _content from {self._raw}
                    where _source_system = {literal(self._system)} and _source_updated_at is null
                )
            ),
            latest as (
                select landed.* from landed join sizes using (_group)
                qualify row_number() over (partition by _group order by _landing_id desc) <= _size
            ),
            still as (
                select * from latest
                qualify _landing_id
                    >= coalesce(max(_landing_id) filter (_operation = '{DELETE}') over (partition by _group), 0)
            ),
            previous as (
                select _group, arg_max(_raw_row_id, _landing_id) as _raw_row_id from latest group by _group
            )
            select _ordinal, {self._row_id("'after=' || coalesce(previous._raw_row_id, '')")}
            from offered left join previous using (_group)
            where not exists (
                select 1 from still
                where still._group = offered._group and still._operation = offered._operation
                    and still._content = offered._content
            )"""

    def _row_id(self, version: str) -> str:
        """Of system, dataset, version, operation and content (which holds the key), with lengths where they vary."""
        fixed = literal(f"{len(self._system)}:{self._system};{self._dataset.name};")
        return f"md5({fixed} || strlen({version}) || ':' || {version} || ';' || _operation || ';' || _content)"

    def _number(self, sql: str, values: Sequence[Any] = ()) -> int:
        return int(self._row(sql, values)[0])

    def _row(self, sql: str, values: Sequence[Any] = ()) -> tuple[Any, ...]:
        # All of them: a result that is not read to its end would be in the way of what comes next.
        rows = self._connection.execute(sql, values).fetchall()
        return rows[0] if rows else (0,)


@contextmanager
def registered(connection: DuckDBPyConnection, rows: pa.Table) -> Iterator[None]:
    """Rows as `BATCH`, for a connection's queries."""
    connection.register(BATCH, rows)
    try:
        yield
    finally:
        connection.unregister(BATCH)


def _as_number(key: str) -> str:
    """A key in one way of writing it: keys are whole numbers, and ` 012`, `12` and `12.0` are one."""
    digits = rf"regexp_extract({key}, '^\s*([+-]?\d+)(?:\.0*)?\s*$', 1)"
    return f"coalesce(try_cast({digits} as bigint)::varchar, trim({key}))"
