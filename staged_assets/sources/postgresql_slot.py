"""The replication slot and the publication of a change feed: made, looked at, confirmed and dropped.

A publication must be older than its slot: the server looks it up as it was when a change was made. What can't be gone
on from (a slot that is not there, that the server has given up, or that somebody else has advanced) is replaced, and
the table is read anew: nothing is missed.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import md5

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Cursor
from staged_assets.sources.change_feed import ChangeFeed, Lag
from staged_assets.sources.expressions import literal, quoted
from staged_assets.sources.marks import LONGEST_QUESTION, NOTHING, Mark, Question
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem
from staged_assets.sources.pgoutput import Begin, parse
from staged_assets.sources.postgresql_session import Connection, Source, connected

_LONGEST_NAME = 63
#: microseconds from 1970 to 2000, where the server begins to count
EPOCH = 946_684_800_000_000
NOW = f"((extract(epoch from clock_timestamp()) * 1000000)::int8 - {EPOCH})"


@dataclass(frozen=True)
class Table:
    """The table of a change feed.

    Attributes:
        identity: columns by which the server tells which row was changed; empty where it sends whole rows.
        is_partitioned: whether its rows are in other tables.
    """

    oid: int
    schema: str
    name: str
    identity: tuple[str, ...]
    is_partitioned: bool

    @staticmethod
    def of(source: Source) -> "Table":
        """Look at it.

        Raises:
            SourceError: its changes can't be read, or don't say which record they are of.
        """
        oid, schema, name, kind, way, listed = source.connection.row(
            "select c.oid::int8, nspname::text, relname::text, relkind::text, relreplident::text,"
            " (select coalesce(json_agg(attname), '[]') from pg_index as i"
            " join pg_attribute as a on attrelid = indrelid and attnum = any(indkey)"
            " where indrelid = c.oid and case relreplident when 'd' then indisprimary when 'i' then indisreplident end"
            " )::text from pg_class as c join pg_namespace as n on n.oid = relnamespace"
            f" where c.oid = to_regclass({literal(source.table_name)})"
        )
        what = f"{source.system.name}: {source.feed.name}"
        if kind not in ("r", "p"):
            raise SourceError(f"{what} is no table: change_feed needs one; leave it out, or name the table in `from`.")
        identity = tuple(json.loads(listed))
        wanted = [column for column in source.feed.key_columns if way != "f"]
        for column in wanted:
            if column.lower() not in (known.lower() for known in identity):
                raise SourceError(
                    f"{what} does not say {column!r} of a row that is deleted, of which the dataset's key is made:"
                    f" change_feed needs it in the primary key, or `alter table {source.table_name} replica identity"
                    " full`."
                )
        return Table(oid, schema, name, identity, kind == "p")


@dataclass(frozen=True)
class Prepared:
    """What a reading can build on.

    Attributes:
        anew: whether the table itself has to be read.
        problems: why, where it was read before.
    """

    anew: bool
    problems: tuple[str, ...] = ()


def settings_of(feed: DatabaseFeed) -> ChangeFeed:
    """What is said of a feed that is a change feed."""
    return feed.change_feed or ChangeFeed()


def slot_name(system: DatabaseSystem, feed: DatabaseFeed) -> str:
    """The slot of a feed: letters, digits and underscores, not longer than the server takes."""
    name = "staged_assets_" + re.sub(r"[^a-z0-9_]", "_", f"{system.name}_{feed.dataset}_{feed.name}".lower())
    if len(name) > _LONGEST_NAME:
        digest = md5(name.encode(), usedforsecurity=False).hexdigest()[:8]
        name = f"{name[: _LONGEST_NAME - 9]}_{digest}"
    return settings_of(feed).slot or name


def publication_name(system: DatabaseSystem, feed: DatabaseFeed) -> str:
    """The publication of a feed."""
    return settings_of(feed).publication or slot_name(system, feed)


def prepare(connection: Connection, system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor) -> Prepared:
    """Make what is missing, and see whether a reading can go on from its cursor.

    Raises:
        SourceError: the server refuses, or something is missing that is not to be created.
    """
    return _Preparing(connection, system, feed).prepare(cursor)


class _Preparing:
    def __init__(self, connection: Connection, system: DatabaseSystem, feed: DatabaseFeed) -> None:
        self._connection = connection
        self._source = Source(connection, system, feed)
        self._what = f"{system.name}: {feed.name}"
        self._table = Table.of(self._source)
        self._slot, self._publication = slot_name(system, feed), publication_name(system, feed)
        self._creates = settings_of(feed).create

    def prepare(self, cursor: Cursor) -> Prepared:
        self._check_log()
        reasons = [*self._publish(), *self._have_slot()]
        if "lsn" not in cursor:
            return Prepared(anew=True)
        if cursor["table"] != self._table.oid:
            reasons.append("it is another table than it was")
        if not reasons and self._is_ahead(cursor["lsn"]):
            reasons.append(
                f"the slot {self._slot} does not stand where it was left (if another installation reads it, too, give"
                " each one its own by change_feed.slot)"
            )
        problems = (
            f"{self._what} was read anew, because {' and '.join(reasons)}: of what changed in between, only the outcome"
            " has landed.",
        )
        return Prepared(anew=bool(reasons), problems=problems if reasons else ())

    def _check_log(self) -> None:
        (level,) = self._connection.row("select current_setting('wal_level')")
        if level != "logical":
            raise SourceError(
                f"{self._what}: the server's wal_level is {level}, but change_feed needs logical: let its"
                " administrator run `alter system set wal_level = logical` and restart it, or take updated_at instead"
                " of change_feed."
            )

    def _publish(self) -> list[str]:
        """See that the publication has the table; why the table has to be read anew if it had not."""
        found = self._connection.rows(
            "select pubinsert and pubupdate and pubdelete and pubtruncate, pubviaroot, exists (select from"
            f" pg_publication_tables as t where t.pubname = p.pubname and schemaname = {literal(self._table.schema)}"
            f" and tablename = {literal(self._table.name)}) from pg_publication as p"
            f" where pubname = {literal(self._publication)}"
        )
        name, table = quoted(self._publication), self._source.table_name
        if not found:
            self._create(
                f"create publication {name} for table {table} with (publish_via_partition_root = true)",
            )
            # A slot that is older than its publication can't be read.
            self._drop_slot()
            return ["its publication was not there"]
        ((is_whole, is_by_root, has_table),) = found
        if not is_whole:
            raise SourceError(
                f"{self._what}: the publication {self._publication} leaves out some kinds of changes: alter publication"
                f" {name} set (publish = 'insert, update, delete, truncate'), then drop the slot."
            )
        if self._table.is_partitioned and not is_by_root:
            raise SourceError(
                f"{self._what}: the publication {self._publication} sends changes as of the partitions they are in:"
                f" alter publication {name} set (publish_via_partition_root = true), then drop the slot."
            )
        if not has_table:
            self._create(f"alter publication {name} add table {table}")
            return ["its publication was without it"]
        return []

    def _have_slot(self) -> list[str]:
        """See that there is a slot that can be read; why the table has to be read anew if there was none."""
        found = self._connection.rows(
            "select plugin = 'pgoutput' and database = current_database(), coalesce(wal_status, '') = 'lost'"
            f" from pg_replication_slots where slot_name = {literal(self._slot)}"
        )
        reason = "its slot was not there"
        if found:
            ((is_ours, is_lost),) = found
            if not is_ours:
                raise SourceError(
                    f"{self._what}: the slot {self._slot} is of another database or plugin: choose another name in"
                    " change_feed.slot."
                )
            if not is_lost:
                return []
            reason = "the server had given up its slot, which was too far behind (max_slot_wal_keep_size)"
            self._drop_slot()
        self._create(f"select pg_create_logical_replication_slot({literal(self._slot)}, 'pgoutput')::text")
        return [reason]

    def _create(self, statement: str) -> None:
        if not self._creates:
            raise SourceError(
                f"{self._what}: something that change_feed needs is missing, and create is false: let the server's"
                f" administrator run `{statement}`."
            )
        self._connection.execute(statement)

    def _drop_slot(self) -> None:
        drop_slots(self._connection, [self._slot])

    def _is_ahead(self, lsn: str) -> bool:
        """Whether the slot, or the cursor, is where it can't be."""
        (found,) = self._connection.row(
            f"select confirmed_flush_lsn > {literal(lsn)}::pg_lsn or {literal(lsn)}::pg_lsn > pg_current_wal_lsn()"
            f" from pg_replication_slots where slot_name = {literal(self._slot)}"
        )
        return bool(found)


def drop_slots(connection: Connection, slots: Sequence[str]) -> list[str]:
    """Drop those of them that are there; their names."""
    names = ", ".join(map(literal, slots))
    there = [name for (name,) in connection.rows(
        f"select slot_name::text from pg_replication_slots where slot_name in ({names}) and database ="
        " current_database() order by 1"
    )]  # fmt: skip
    for name in there:
        connection.rows(f"select pg_drop_replication_slot({literal(name)})::text")
    return there


def drop(system: DatabaseSystem, feeds: Sequence[DatabaseFeed]) -> list[str]:
    """Drop the slots of these feeds, and the publications that were made for them; the slots' names.

    Raises:
        SourceError: the server refuses, as while a slot is being read.
    """
    with connected(system.name, system.connection, "the slots", autocommit=True) as connection:
        dropped = drop_slots(connection, [slot_name(system, feed) for feed in feeds])
        for feed in feeds:
            if settings_of(feed).create and settings_of(feed).publication is None:
                connection.execute(f"drop publication if exists {quoted(publication_name(system, feed))}")
        return dropped


def confirm(system: DatabaseSystem, feed: DatabaseFeed, cursor: Cursor) -> None:
    """Let the server forget what is landed: up to the cursor, which the warehouse has kept."""
    with connected(system.name, system.connection, feed.name, autocommit=True) as connection:
        at = f"{literal(cursor['lsn'])}::pg_lsn"
        connection.rows(
            f"select (pg_replication_slot_advance(slot_name, {at})).end_lsn::text from pg_replication_slots"
            f" where slot_name = {literal(slot_name(system, feed))} and confirmed_flush_lsn < {at}"
        )


def lag(system: DatabaseSystem, feed: DatabaseFeed) -> Lag | None:
    """How far the feed's slot is behind now; None where there is none."""
    slot = slot_name(system, feed)
    with connected(system.name, system.connection, f"the slot {slot}") as connection:
        size = behind(connection, slot)
        if size is None:
            return None
        first = connection.rows(peek(system, feed, "null", "1") + " limit 1")
        if not first:
            return settings_of(feed).lag(slot, size, None)
        begin = parse(first[0][0])
        (now,) = connection.row(f"select {NOW}")
        waited = max(0.0, (now - begin.committed_at) / 1e6) if isinstance(begin, Begin) else None
        return settings_of(feed).lag(slot, size, waited)


#: bytes of the server's log after which a feed is read, though nothing in them is its own, so that they can go
_LET_GO = 64 * 1024 * 1024


def marks(system: DatabaseSystem, asked: Sequence[Question]) -> list[Mark]:
    """Place of the first change that waits in each feed's slot; `NOTHING` where none does."""
    found: list[Mark] = []
    with connected(system.name, system.connection, "the slots", autocommit=True) as connection:
        connection.execute(f"set statement_timeout = {LONGEST_QUESTION}")
        for question in asked:
            found.append(_mark(connection, system, question.feed))
    return found


def _mark(connection: Connection, system: DatabaseSystem, feed: DatabaseFeed) -> Mark:
    slot = slot_name(system, feed)
    size = behind(connection, slot)
    if size is None or size > _LET_GO:
        return None
    first = connection.rows(peek(system, feed, "null", "1").replace("select data", "select lsn::text") + " limit 1")
    return str(first[0][0]) if first else NOTHING


def behind(connection: Connection, slot: str) -> int | None:
    """Bytes of the server's log that a slot has not confirmed; None where there is no such slot."""
    found = connection.rows(
        "select pg_wal_lsn_diff(pg_current_wal_lsn(), confirmed_flush_lsn)::int8 from pg_replication_slots"
        f" where slot_name = {literal(slot)} and confirmed_flush_lsn is not null"
    )
    return max(0, found[0][0]) if found else None


def peek(system: DatabaseSystem, feed: DatabaseFeed, upto: str, count: str = "null") -> str:
    """The query of a slot's messages, `data`, up to a place in the server's log (SQL), which leaves them there."""
    publication = literal(quoted(publication_name(system, feed)))
    return (
        f"select data from pg_logical_slot_peek_binary_changes({literal(slot_name(system, feed))}, {upto}, {count},"
        f" 'proto_version', '1', 'publication_names', {publication})"
    )
