"""Whole-table checks on what is published: the schema, and what only other tables and the dataset's past can tell."""

import itertools
import math
import statistics
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Self

import duckdb
from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked, Part
from staged_assets.errors import WarehouseError
from staged_assets.landing.layout import DATASETS
from staged_assets.validation.config import DatasetSettings, Robust, ValidationSettings
from staged_assets.validation.masking import Mask
from staged_assets.validation.reconciliation import reconcile
from staged_assets.validation.registry import schema_rules
from staged_assets.validation.results import Rule, RuleResult, rule
from staged_assets.validation.scan import Changed, Scan, scan_of

#: Dataset → (its column, the dataset whose key that is).
REFERENCES: Mapping[str, tuple[tuple[str, str], ...]] = {
    "interactions": (("consumer_id", "consumers"), ("touchpoint_id", "touchpoints")),
    "inventory": (("item_id", "items"),),
    "loyalty_activities": (("consumer_id", "consumers"),),
    "orders": (("item_id", "items"), ("supplier_id", "suppliers"), ("consumer_id", "consumers")),
    "sales": (("shop_id", "shops"), ("consumer_id", "consumers"), ("item_id", "items"), ("offer_id", "offers")),
}

CONTRACT = "table__contract"
RECONCILED = "table__reconciled"
REJECT_RATE = "table__reject_rate"
VOLUME = "table__volume"
FRESHNESS = "table__freshness"

#: Refreshes that make up a history, at most.
_HISTORY = 200
#: The least that counts as usual variation, as a factor: a history without any would make every change an alarm.
_USUAL_FACTOR = 1.25
#: The median absolute deviation of a normal distribution by its standard deviation (Rousseeuw & Croux 1993).
_MAD_TO_SIGMA = 1.4826


class Refreshes:
    """The refreshes that brought rows, of all datasets, the last ones first; read once, when they are asked for."""

    def __init__(self, connection: DuckDBPyConnection) -> None:
        self._connection = connection

    def of(self, dataset: str) -> list[tuple[datetime, str, int]]:
        """When (UTC), in which mode, and how many rows: the last of each mode."""
        return self._all.get(dataset, [])

    def read(self) -> Self:
        """Read them now: then other threads may ask, too."""
        _ = self._all
        return self

    @cached_property
    def _all(self) -> dict[str, list[tuple[datetime, str, int]]]:
        rows = self._connection.execute(
            f"""
            select dataset, refreshed_at, mode, new_rows from control.refreshes
            where outcome = 'published' and new_rows > 0
            qualify row_number() over (partition by dataset, mode order by refreshed_at desc) <= {_HISTORY}
            order by refreshed_at desc
            """
        ).fetchall()
        found: dict[str, list[tuple[datetime, str, int]]] = {}
        for dataset, *one in rows:
            found.setdefault(dataset, []).append((one[0], one[1], one[2]))
        return found


@dataclass(frozen=True)
class _Look:
    """What a check looks at.

    Attributes:
        sample: failing rows that are shown, at most.
        now: UTC.
        part: what has changed since the standing results, where only that is to be looked at.
        home: see `schema_rules`.
    """

    connection: DuckDBPyConnection
    refreshes: Refreshes
    settings: DatasetSettings
    mask: Mask
    sample: int
    now: datetime
    part: Part | None = None
    home: Path | None = None


def other_rules(dataset: str) -> list[Rule]:
    """The rules of a published table beside its schema's."""
    return [
        rule(dataset, RECONCILED, "every raw row has exactly one disposition, and what is staged is what they say"),
        rule(dataset, REJECT_RATE, "not more raw rows are rejected than the dataset's thresholds allow for"),
        rule(dataset, VOLUME, "the last refresh brought as many rows as the dataset's refreshes usually do", "warn"),
        rule(dataset, FRESHNESS, "new rows came as recently as they usually do", "warn"),
        *(
            rule(dataset, f"{column}__in_{parent}", f"every {column} is in stg_{parent}", "warn")
            for column, parent in REFERENCES.get(dataset, ())
        ),
    ]


def published_rules(dataset: str, home: Path | None = None) -> list[Rule]:
    """Every rule of a published table; for `home`, see `schema_rules`."""
    return [*schema_rules(home)[dataset], *other_rules(dataset)]


def check_table(
    connection: DuckDBPyConnection,
    dataset: str,
    settings: ValidationSettings,
    *,
    personal: Collection[str] | None,
    now: datetime,
    names: Collection[str] | None = None,
    part: Part | None = None,
    home: Path | None = None,
    refreshes: Refreshes | None = None,
) -> list[RuleResult]:
    """Evaluate the rules of a published table. Writes nothing.

    Args:
        personal: columns whose values are masked in samples; None: every one.
        now: UTC.
        names: of the rules to be evaluated; by default all.
        part: only this has changed since the standing results were found.
        home: see `schema_rules`.
        refreshes: where they are known, because other tables were asked before.

    Raises:
        WarehouseError: the table was never published.
        duckdb.Error: the engine could not do it, which says nothing about the data.
    """
    if not _exists(connection, dataset):
        raise WarehouseError(f"stg_{dataset} was never published: run `staged-assets run` first.")
    own = settings.of(dataset)
    wanted = [one for one in own.applied(published_rules(dataset, home)) if names is None or one.name in names]
    others = {one.name for one in other_rules(dataset)}
    mask = Mask(personal)
    look = _Look(connection, refreshes or Refreshes(connection), own, mask, settings.sample, now, part, home)
    of_schema = {one.name: one for one in wanted if one.name not in others}
    results = _contract(dataset, of_schema, look) if of_schema else []
    return [*results, *(_timed(one, look) for one in wanted if one.name in others)]


def _contract(dataset: str, rules: Mapping[str, Rule], look: _Look) -> list[RuleResult]:
    scan, table = scan_of(dataset, look.home), f"staged.stg_{dataset}"
    part = look.part if look.part and _tells(look.part.standing[CONTRACT], rules) else None
    changed = _changed(scan, table, rules, part, look) if part else None
    results = scan.evaluate(look.connection, table, rules, mask=look.mask, sample=look.sample, changed=changed)
    earlier = {one.name: one.sample for one in part.standing[CONTRACT].rules} if part else {}
    return [
        one if one.passed or one.sample else replace(one, sample=tuple(map(dict, earlier.get(one.rule.name, ()))))
        for one in results
    ]


def _tells(standing: Checked, rules: Collection[str]) -> bool:
    """Whether a contract's result tells of each of these rules by how many rows it is broken."""
    return set(rules) <= {one.name for one in standing.rules if one.failing is not None}


def _changed(scan: Scan, table: str, rules: Mapping[str, Rule], part: Part, look: _Look) -> Changed:
    """What of a table is to be looked at: what was known of it, less what was replaced, is the rest."""
    known = {one.name: one.failing or 0 for one in part.standing[CONTRACT].rules}
    failing = [name for name, number in known.items() if number]
    gone = scan.failing(look.connection, part.replaced, failing) if failing and part.replaced else {}
    rest = {name: known[name] - gone.get(name, 0) for name in rules}
    (total,) = _row(look.connection, f"select count(*) from {table}")
    return Changed(part.rows, total, rest)


def _timed(one: Rule, look: _Look) -> RuleResult:
    started = time.perf_counter()
    result = _CHECKS.get(one.name, _reference)(one, look)
    return replace(result, seconds=time.perf_counter() - started)


def _reconciled(one: Rule, look: _Look) -> RuleResult:
    found = reconcile(look.connection, one.dataset, look.sample, look.part)
    message = f"{found.failing} discrepancies in {found.looked_at} raw rows"
    return RuleResult(one, found.failing == 0, found.failing, found.looked_at, 0, found.sample, found.query, message)


def _reject_rate(one: Rule, look: _Look) -> RuleResult:
    """An error above one threshold, a warning above the other."""
    query = f"select * from staged.quarantine_{one.dataset}"
    rows, rejected = _rejected(one.dataset, look)
    limits = look.settings.reject_rate
    share = rejected / rows if rows else 0.0
    if share <= limits.error:
        one = replace(one, severity="warn")
    passed = share <= min(limits.warn, limits.error)
    message = f"{rejected} of {rows} raw rows are rejected ({share:.1%}); warned of above {limits.warn:.1%},"
    message += f" an error above {limits.error:.1%}"
    sample = () if passed else tuple(_rejects(look, one.dataset))
    return RuleResult(one, passed, rejected, rows, 0, sample, query, message)


def _rejected(dataset: str, look: _Look) -> tuple[int, int]:
    """All raw rows up to the watermark, and those of them that are rejected."""
    counted = look.part.dispositions if look.part else None
    if counted is not None:
        return sum(counted.values()), counted.get("rejected", 0)
    sql = f"select count(*), count(*) filter (where disposition = 'rejected') from staged.dispositions_{dataset}"
    rows, rejected = _row(look.connection, sql)
    return rows, rejected


def _rejects(look: _Look, dataset: str) -> list[dict[str, str]]:
    found = look.connection.execute(
        f"""
        select reason.code || coalesce(':' || reason."column", '') as name, count(*), min(_raw_row_id)
        from (
            select _raw_row_id, unnest(_reject_reasons) as reason
            from staged.dispositions_{dataset} where disposition = 'rejected'
        )
        group by name order by count(*) desc, name limit {look.sample}
        """
    ).fetchall()
    return [{"raw_row_id": row_id, "reason": name, "rows": str(rows)} for name, rows, row_id in found]


def _volume(one: Rule, look: _Look) -> RuleResult:
    query = (
        "select refreshed_at, new_rows from control.refreshes"
        f" where dataset = '{one.dataset}' and outcome = 'published' and mode = 'incremental' and new_rows > 0"
        f" order by refreshed_at desc limit {_HISTORY}"
    )
    found = [float(rows) for _, mode, rows in look.refreshes.of(one.dataset) if mode == "incremental"]
    if not found:
        return RuleResult(one, True, 0, 0, 0, query=query, message="no refresh has brought rows yet")
    last, *before = found
    return _against_history(one, look.settings.volume, last, before, query, _rows_text, both_sides=True)


def _freshness(one: Rule, look: _Look) -> RuleResult:
    query = (
        "select refreshed_at from control.refreshes"
        f" where dataset = '{one.dataset}' and outcome = 'published' and new_rows > 0"
        f" order by refreshed_at desc limit {_HISTORY}"
    )
    times = [at for at, _, _ in look.refreshes.of(one.dataset)[:_HISTORY]]
    gaps = [(later - earlier).total_seconds() for later, earlier in itertools.pairwise(times)]
    if not times:
        return RuleResult(one, True, 0, 0, 0, query=query, message="no refresh has brought rows yet")
    since = (look.now - times[0]).total_seconds()
    return _against_history(one, look.settings.freshness, since, gaps, query, _time_text, both_sides=False)


def _against_history(
    one: Rule, settings: Robust, value: float, before: Sequence[float], query: str, text: Callable[[float], str], *,
    both_sides: bool,
) -> RuleResult:  # fmt: skip
    """By median and median absolute deviation of the logarithms: what is usual is a factor, not a difference."""
    if len(before) < settings.runs:
        message = f"quiet until {settings.runs} refreshes with new rows make a history; there are {len(before)}"
        return RuleResult(one, True, 0, len(before), 0, query=query, message=message)
    logs = [math.log1p(number) for number in before]
    median = statistics.median(logs)
    spread = _MAD_TO_SIGMA * statistics.median(abs(number - median) for number in logs)
    reach = settings.deviations * max(spread, math.log(_USUAL_FACTOR))
    low = math.expm1(median - reach) if both_sides else 0.0
    high = math.expm1(median + reach)
    passed = low <= value <= high
    message = f"{text(value)}, usually {text(math.expm1(median))} (from {text(max(low, 0))} to {text(high)})"
    return RuleResult(one, passed, 0 if passed else 1, len(before), 0, query=query, message=message)


def _rows_text(rows: float) -> str:
    return f"{rows:,.0f} new rows"


def _time_text(seconds: float) -> str:
    if seconds < 7200:
        return f"{seconds / 60:.0f} minutes"
    return f"{seconds / 3600:.0f} hours" if seconds < 172_800 else f"{seconds / 86_400:.0f} days"


def _reference(one: Rule, look: _Look) -> RuleResult:
    column, _, parent = one.name.partition("__in_")
    if not _exists(look.connection, parent):
        return RuleResult(one, True, 0, 0, 0, message=f"stg_{parent} was never published: not judged")
    table = f"staged.stg_{one.dataset}"
    if look.part is None:
        failing, rows = _missing(column, parent, table, look)
    else:
        known = look.part.standing[one.name]
        gone, come = (
            _missing(column, parent, part, look) if part else (0, 0) for part in (look.part.replaced, look.part.rows)
        )
        failing, rows = (known.failing or 0) - gone[0] + come[0], known.rows - gone[1] + come[1]
    sample: tuple[dict[str, str], ...] = ()
    if failing:
        looked_at = look.part.rows if look.part else table
        select = f"select child._raw_row_id, child.{column} {_orphans(column, parent, looked_at)} limit {look.sample}"
        found = look.connection.execute(select).fetchall()
        sample = tuple({"raw_row_id": row_id, column: look.mask.shown(column, value)} for row_id, value in found)
    if look.part:
        sample = sample or tuple(map(dict, look.part.standing[one.name].sample))
    message = f"{failing} of {rows} rows have a {column} that is not in stg_{parent}"
    query = f"select child.* {_orphans(column, parent, table)}"
    return RuleResult(one, failing == 0, failing, rows, 0, sample, query, message)


def _orphans(column: str, parent: str, child: str) -> str:
    return (
        f"from {child} as child where child.{column} is not null and not exists"
        f" (select 1 from staged.stg_{parent} as parent where parent.{DATASETS[parent].key} = child.{column})"
    )


def _missing(column: str, parent: str, child: str, look: _Look) -> tuple[int, int]:
    """Rows of a relation whose value is no key of the parent, and rows with a value."""
    (failing,) = _row(look.connection, f"select count(*) {_orphans(column, parent, child)}")
    (rows,) = _row(look.connection, f"select count({column}) from {child}")
    return failing, rows


_CHECKS: Mapping[str, Callable[[Rule, _Look], RuleResult]] = {
    RECONCILED: _reconciled,
    REJECT_RATE: _reject_rate,
    VOLUME: _volume,
    FRESHNESS: _freshness,
}


def _row(connection: DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    return tuple(int(value) for value in connection.execute(sql).fetchall()[0])


def _exists(connection: DuckDBPyConnection, dataset: str) -> bool:
    """Asked of the table itself: the engine's list of tables takes ten times as long."""
    try:
        connection.execute(f"select 1 from staged.stg_{dataset} limit 0")
    except duckdb.CatalogException:
        return False
    return True
