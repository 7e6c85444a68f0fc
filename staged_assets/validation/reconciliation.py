"""Every raw row has exactly one disposition, by row id, and what is staged is what the dispositions say.

Counts are not enough: equal counts can hide a swap. So what is compared first is each side's sum of hashes of the ids
(each hash of 64 bits, the sum of 128): one scan of narrow columns, in which order does not matter. Only where two sums
differ are the rows compared one by one, to name the discrepancies.
"""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from staged_assets.landing.layout import DATASETS

_UNREASONED = "(disposition = 'rejected') != (len(_reject_reasons) > 0)"


@dataclass(frozen=True)
class Reconciliation:
    """How raw, dispositions and the staged table agree.

    Attributes:
        looked_at: raw rows up to the watermark.
        failing: discrepancies.
        sample: capped: {"raw_row_id", "problem"}.
        query: SQL that gives them all, as (problem, _raw_row_id).
    """

    looked_at: int
    failing: int
    sample: tuple[dict[str, str], ...]
    query: str


def reconcile(connection: DuckDBPyConnection, dataset: str, sample: int) -> Reconciliation:
    """Compare a published dataset with its raw rows."""
    query = _discrepancies(connection, dataset)
    looked_at, agree = _sums_agree(connection, dataset)
    if agree:
        return Reconciliation(looked_at, 0, (), query)
    (failing,) = connection.execute(f"select count(*) from ({query})").fetchall()[0]
    found = connection.execute(f"{query} limit {sample}").fetchall()
    rows = tuple({"raw_row_id": str(row_id), "problem": problem} for problem, row_id in found)
    return Reconciliation(looked_at, failing, rows, query)


def _sums_agree(connection: DuckDBPyConnection, dataset: str) -> tuple[int, bool]:
    landed, decided, staged, model = _relations(connection, dataset)
    ids = "count(*), sum(hash(_landing_id, _raw_row_id)::hugeint)"
    raw_side = connection.execute(f"select {ids} from {landed}").fetchall()[0]
    *disposition_side, different, unreasoned = connection.execute(
        f"select {ids}, count(distinct hash(_raw_row_id)), count(*) filter (where {_UNREASONED}) from {decided}"
    ).fetchall()[0]
    if list(raw_side) != disposition_side or raw_side[0] != different or unreasoned:
        return raw_side[0], False
    if DATASETS[dataset].consolidated:
        # A staged row is made of several raw rows, and keeps the id of one: there are no two sums to compare.
        named = f"select count(*) from ({_staged_discrepancies(dataset, staged, model)})"
        return raw_side[0], connection.execute(named).fetchall()[0][0] == 0
    sums = "count(*), sum(hash({key}, _raw_row_id)::hugeint)"
    expected = connection.execute(f"select {sums.format(key='_key')} from {staged}").fetchall()[0]
    found = connection.execute(f"select {sums.format(key=DATASETS[dataset].key)} from {model}").fetchall()[0]
    return raw_side[0], expected == found


def _relations(connection: DuckDBPyConnection, dataset: str) -> tuple[str, str, str, str]:
    """SQL for: raw rows up to the watermark, all dispositions, those that say staged, the staged table."""
    dispositions = f"staged.dispositions_{dataset}"
    (upto,) = connection.execute(
        f"""
        select coalesce(
            (select max(landing_id) from control.watermarks where dataset = ?),
            (select max(_landing_id) from {dispositions}),
            0
        )
        """,
        [dataset],
    ).fetchall()[0]
    return (
        f"(select * from raw.{dataset} where _landing_id <= {upto})",
        dispositions,
        f"(select * from {dispositions} where disposition = 'staged')",
        f"staged.stg_{dataset}",
    )


def _discrepancies(connection: DuckDBPyConnection, dataset: str) -> str:
    landed, decided, staged, model = _relations(connection, dataset)
    return f"""
select 'no disposition' as problem, landed._raw_row_id
from {landed} as landed
anti join {decided} as decided
    on decided._landing_id = landed._landing_id and decided._raw_row_id = landed._raw_row_id
union all
select 'not in raw' as problem, decided._raw_row_id
from {decided} as decided
anti join {landed} as landed
    on decided._landing_id = landed._landing_id and decided._raw_row_id = landed._raw_row_id
union all
select 'several dispositions' as problem, _raw_row_id
from {decided}
group by _raw_row_id
having count(*) > 1
union all
select 'several raw rows' as problem, _raw_row_id
from {landed}
group by _raw_row_id
having count(*) > 1
union all
select 'rejected without a reason, or not rejected with one' as problem, _raw_row_id
from {decided}
where {_UNREASONED}
union all
{_staged_discrepancies(dataset, staged, model)}"""


def _staged_discrepancies(dataset: str, staged: str, model: str) -> str:
    key = DATASETS[dataset].key
    return f"""
select 'not in the staged table' as problem, decided._raw_row_id
from {staged} as decided
anti join {model} as published on published.{key} = decided._key
union all
select 'staged against its disposition' as problem, published._raw_row_id
from {model} as published
anti join {staged} as decided on decided._key = published.{key} and decided._raw_row_id = published._raw_row_id
union all
select 'staged twice' as problem, _raw_row_id
from {model}
group by _raw_row_id
having count(*) > 1"""
