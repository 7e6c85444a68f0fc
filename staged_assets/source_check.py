"""A look at what the operational systems would bring, before anything is landed.

Each feed is read for a few records, which are mapped as landing maps them, in memory. Nothing is written, and no cursor
moves.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import duckdb

from staged_assets.errors import ConfigurationError, SourceError
from staged_assets.landing.land import engine_table
from staged_assets.landing.mapping import BATCH, FeedMapping, position_name, timestamp_sql
from staged_assets.sources.batch import Batch, small_batches
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import lag, read
from staged_assets.sources.expressions import expression_columns, literal, quoted
from staged_assets.sources.models import DatabaseFeed, DatabaseSystem, Feed, System
from staged_assets.staging.rules import ColumnRule, column_rules
from staged_assets.validation.masking import Mask

#: records that a feed is judged by, and of these the ones that are shown
_LOOKED_AT, _SHOWN = 1_000, 3
_NULL_TOKENS = r"('', '\N', 'NULL', 'null', 'N/A', 'n/a', '#N/A', '-')"


@dataclass
class FeedCheck:
    """What a feed would bring.

    Attributes:
        error: why it can't be read; None where it can.
        records: how many were looked at.
        columns: of the source, as they were found.
        to_extra: those that are mapped to no column of the dataset.
        unmapped: columns of the dataset that nothing is mapped to.
        missing: those of them without which every row would be rejected.
        surprises: what a person should look at, one sentence each.
        slot: of a change feed: how far its replication slot is behind.
        sample: a few records in the dataset's columns; personal values by their length alone.
    """

    system: str
    dataset: str
    feed: str
    error: str | None = None
    records: int = 0
    columns: list[str] = field(default_factory=list)
    to_extra: list[str] = field(default_factory=list)
    unmapped: list[str] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    surprises: list[str] = field(default_factory=list)
    slot: str | None = None
    sample: list[dict[str, str]] = field(default_factory=list)

    @property
    def is_good(self) -> bool:
        """Whether it can be read and gives rows that need not all be rejected."""
        return self.error is None and not self.missing

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**asdict(self), "good": self.is_good}


def check_sources(sources: Sources, systems: Sequence[str] = ()) -> Iterator[FeedCheck]:
    """Look at each feed.

    Args:
        systems: only these; all by default.

    Raises:
        ConfigurationError: there is no such system.
    """
    for name in systems or sources.systems:
        if name not in sources.systems:
            sources.resolve(name)
        for feed in sources.systems[name].feeds:
            yield _check(sources, name, feed)


def _check(sources: Sources, name: str, feed: Feed) -> FeedCheck:
    rules = column_rules(feed.dataset)
    unmapped = [column for column in rules if column not in feed.columns]
    missing = [column for column in unmapped if rules[column].is_required]
    result = FeedCheck(name, feed.dataset, feed.name, unmapped=unmapped, missing=missing)
    try:
        system, resolved = sources.resolve_feed(name, feed)
        batch = _first_batch(system, resolved)
        _look_at_slot(result, system, resolved)
    except (SourceError, ConfigurationError) as error:
        result.error = str(error)
        return result
    if batch is not None:
        result.records = len(batch)
        result.columns = batch.records.column_names
        result.to_extra = [column for column in result.columns if column not in _used(feed)]
        result.surprises += batch.problems
        _look_at(result, system, resolved, batch, rules)
    if not result.records:
        result.surprises.append(f"{feed.name} has no records.")
    return result


def _first_batch(system: System, feed: Feed) -> Batch | None:
    if isinstance(feed, DatabaseFeed):
        # The table itself: looking at it makes no slot, and moves none.
        feed = feed.model_copy(update={"change_feed": None})
    with small_batches(_LOOKED_AT):
        return next(read(system, feed, None), None)


def _look_at_slot(result: FeedCheck, system: System, feed: Feed) -> None:
    if not isinstance(feed, DatabaseFeed) or not isinstance(system, DatabaseSystem) or feed.change_feed is None:
        return
    found = lag(system, feed)
    result.slot = str(found) if found is not None else "there is no slot yet: the first run makes it"
    if found is not None and found.is_long:
        result.surprises.append(f"{found}: run it more often, or drop the slot if nobody needs it.")


def _used(feed: Feed) -> set[str]:
    used = {feed.updated_at or "", feed.delete_marker.column if feed.delete_marker else "", *feed.ignore}
    for column in feed.columns.values():
        used |= {column.source or "", *(expression_columns(column.expression) if column.expression else ())}
    return used


def _look_at(result: FeedCheck, system: System, feed: Feed, batch: Batch, rules: dict[str, ColumnRule]) -> None:
    columns = [column for column in rules if column in feed.columns]
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register(BATCH, engine_table(batch))
        mapped = FeedMapping(system, feed).select(batch.records.column_names)
        connection.execute(f"create temp table mapped as {mapped}")
        malformed, deletes = _row(
            connection,
            "select count(*) filter (_is_malformed), count(*) filter (_operation = 'delete') from mapped",
        )
        if malformed:
            result.surprises.append(f"{malformed} of {result.records} records are not of the right shape.")
        result.surprises += _undated(connection, system, feed, batch)
        if deletes:
            result.surprises.append(f"{deletes} of {result.records} records are deletes.")
        for column in columns:
            result.surprises += _surprises(connection, system, column, rules[column])
        mask = Mask({column for column in columns if rules[column].is_personal})
        names = ", ".join(map(quoted, columns))
        rows = connection.execute(f"select {names} from mapped where not _is_malformed limit {_SHOWN}").fetchall()
        result.sample = [
            {column: mask.shown(column, value) for column, value in zip(columns, row, strict=True)} for row in rows
        ]


def _undated(connection: duckdb.DuckDBPyConnection, system: System, feed: Feed, batch: Batch) -> Iterator[str]:
    """Whether values of the change cursor are neither times nor numbers."""
    if feed.updated_at not in batch.records.column_names:
        return
    value = quoted(position_name(batch.records.column_names.index(str(feed.updated_at))))
    moment = timestamp_sql(value, system.time_zone, system.date_formats)
    is_odd = f"try_cast({value} as decimal(38, 9)) is null and ({moment}) is null"
    undated, there = _row(connection, f"select count(*) filter ({is_odd}), count({value}) from {BATCH}")
    undated -= len(batch) - there
    if undated:
        yield (
            f"{undated} of {there} values of {feed.updated_at} can't be read as a time: they do not say which version"
            f" is newer; see date_formats of {system.name}."
        )


def _surprises(connection: duckdb.DuckDBPyConnection, system: System, column: str, rule: ColumnRule) -> Iterator[str]:
    value = f"nullif(trim({quoted(column)}), '')"
    given = f"{value} is not null and {value} not in {_NULL_TOKENS}"
    there, total = _row(
        connection, f"select count(*) filter ({given}), count(*) from mapped where _operation = 'upsert'"
    )
    if total and not there:
        rejected = ", and every row would be rejected" if rule.is_required else ""
        yield f"{column} is empty in all {total} records{rejected}."
    expected = _expected(system, rule.kind, value)
    if expected is None or not there:
        return
    condition, advice = expected
    bad, example = _row(
        connection,
        f"select count(*), any_value({value}) from mapped where _operation = 'upsert' and {given}"
        f" and not coalesce({condition}, false)",
    )
    if bad:
        shown = Mask({column} if rule.is_personal else ()).shown(column, example)
        yield f"{bad} of {there} values of {column} are not of the kind {rule.kind}, such as {shown}: {advice}."


def _expected(system: System, kind: str, value: str) -> tuple[str, str] | None:
    """What a value of a kind looks like, and what to see to where it does not; None where anything may."""
    mark, group = (r"\.", ",") if system.decimal_mark == "." else (",", r"\.")
    match kind:
        case "integer":
            return f"regexp_full_match({value}, '[+-]?\\d+([.,]0*)?')", "map a number, or an expression that makes one"
        case "decimal":
            whole, fraction = rf"(\d{{1,3}}([ '\x{{a0}}{group}]\d{{3}})+|\d+)", rf"{mark}\d{{0,4}}0*"
            number = rf"[^\d.,+-]*[+-]?({whole}({fraction})?|{fraction})\D*"
            return f"regexp_full_match({value}, {literal(number)})", f"see decimal_mark of {system.name}"
        case "date" | "moment" | "timestamp":
            read_as = timestamp_sql(value, system.time_zone, system.date_formats)
            return f"({read_as}) is not null", f"see date_formats of {system.name}"
        case "email":
            return f"contains({value}, '@')", "see whether the right column is mapped"
        case "gtin":
            return f"regexp_full_match({value}, '[\\d -]{{8,17}}')", "see whether the right column is mapped"
    return None


def _row(connection: duckdb.DuckDBPyConnection, sql: str) -> tuple[Any, ...]:
    return connection.execute(sql).fetchone() or ()
