"""Every raw row has exactly one disposition, by row id, and what is staged is what the dispositions say.

Counts are not enough: equal counts can hide a swap. So what is compared first is each side's sum of hashes of the ids
(each hash of 64 bits, the sum of 128): one scan of narrow columns, in which order does not matter. Only where two sums
differ are the rows compared one by one, to name the discrepancies.
"""

from dataclasses import dataclass

from duckdb import DuckDBPyConnection

from staged_assets.checked import Part
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.session import small_builds

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


def reconcile(connection: DuckDBPyConnection, dataset: str, sample: int, part: Part | None = None) -> Reconciliation:
    """Compare a published dataset with its raw rows.

    Args:
        part: all agreed before, and only this has changed: row by row that is compared, of the rest the counts.
    """
    whole = _Relations.of_all(connection, dataset)
    if part is None or not _counts_agree(connection, whole, part):
        return _of_whole(connection, whole, sample)
    touched = _Relations.of_part(connection, dataset, part)
    failing, rows = _compared(connection, touched, sample)
    (looked_at,) = connection.execute(f"select count(*) from {whole.decided}").fetchall()[0]
    return Reconciliation(looked_at, failing, rows, _discrepancies(whole))


def _of_whole(connection: DuckDBPyConnection, whole: "_Relations", sample: int) -> Reconciliation:
    looked_at, agree = _sums_agree(connection, whole)
    failing, rows = (0, ()) if agree else _compared(connection, whole, sample)
    return Reconciliation(looked_at, failing, rows, _discrepancies(whole))


def _compared(
    connection: DuckDBPyConnection, relations: "_Relations", sample: int
) -> tuple[int, tuple[dict[str, str], ...]]:
    query = _discrepancies(relations)
    (failing,) = connection.execute(f"select count(*) from ({query})").fetchall()[0]
    found = connection.execute(f"{query} limit {sample}").fetchall() if failing else []
    return failing, tuple({"raw_row_id": str(row_id), "problem": problem} for problem, row_id in found)


def _counts_agree(connection: DuckDBPyConnection, whole: "_Relations", part: Part) -> bool:
    """Whether there are as many raw rows as dispositions, and as many of these and of staged rows as were counted."""
    if part.dispositions is None:
        return False
    landed, pending, decided, staged = connection.execute(
        f"""
        select
            (select count(*) from raw.{whole.dataset}),
            (select count(*) from raw.{whole.dataset} where _landing_id > {part.watermark}),
            (select count(*) from {whole.decided}),
            (select count(*) from {whole.model})
        """
    ).fetchall()[0]
    counted, expected = sum(part.dispositions.values()), part.dispositions.get("staged", 0)
    of_model = DATASETS[whole.dataset].consolidated or staged == expected
    return bool(landed - pending == decided == counted and of_model)


def _sums_agree(connection: DuckDBPyConnection, whole: "_Relations") -> tuple[int, bool]:
    landed, decided, staged, model = whole.landed, whole.decided, whole.staged, whole.model
    ids = "count(*), sum(hash(_landing_id, _raw_row_id)::hugeint)"
    raw_side = connection.execute(f"select {ids} from {landed}").fetchall()[0]
    *disposition_side, different, unreasoned = connection.execute(
        f"select {ids}, count(distinct hash(_raw_row_id)), count(*) filter (where {_UNREASONED}) from {decided}"
    ).fetchall()[0]
    if list(raw_side) != disposition_side or raw_side[0] != different or unreasoned:
        return raw_side[0], False
    if DATASETS[whole.dataset].consolidated:
        # A staged row is made of several raw rows, and keeps the id of one: there are no two sums to compare.
        named = f"select count(*) from ({_staged_discrepancies(whole)})"
        return raw_side[0], connection.execute(named).fetchall()[0][0] == 0
    sums = "count(*), sum(hash({key}, _raw_row_id)::hugeint)"
    expected = connection.execute(f"select {sums.format(key='_key')} from {staged}").fetchall()[0]
    found = connection.execute(f"select {sums.format(key=DATASETS[whole.dataset].key)} from {model}").fetchall()[0]
    return raw_side[0], expected == found


@dataclass(frozen=True)
class _Relations:
    """What is compared, as SQL.

    Attributes:
        landed: raw rows.
        decided: dispositions.
        model: staged rows.
    """

    dataset: str
    landed: str
    decided: str
    model: str

    @property
    def staged(self) -> str:
        """The dispositions that say so."""
        return f"(select * from {self.decided} where disposition = 'staged')"

    @classmethod
    def of_all(cls, connection: DuckDBPyConnection, dataset: str) -> "_Relations":
        """The raw rows up to the watermark, all dispositions, the staged table."""
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
        landed = f"(select * from raw.{dataset} where _landing_id <= {upto})"
        return cls(dataset, landed, dispositions, f"staged.stg_{dataset}")

    @classmethod
    def of_part(cls, connection: DuckDBPyConnection, dataset: str, part: Part) -> "_Relations":
        """Of these, the raw rows that were judged, and all rows of the keys that they touch."""
        raw, base, dispositions = f"raw.{dataset}", f"work.base_{dataset}", f"staged.dispositions_{dataset}"
        with small_builds(connection):
            connection.execute(
                f"""
                create or replace temp table touched_raw as
                select _landing_id, _raw_row_id from {raw}
                where _landing_id > {part.after} and _landing_id <= {part.upto}
                union all
                select _landing_id, _raw_row_id from {raw}
                where _landing_id in (
                    select _landing_id from {base} where not (_landing_id > {part.after} and _landing_id <= {part.upto})
                );
                create or replace temp table touched_dispositions as
                select _landing_id, _raw_row_id, _key, disposition, _reject_reasons from {dispositions} where rowid in (
                    select rowid from {dispositions} where _landing_id in (select _landing_id from touched_raw)
                    union
                    select rowid from {dispositions} where _key in (select _key from {base})
                )
                """
            )
        return cls(dataset, "touched_raw", "touched_dispositions", part.rows)


def _discrepancies(relations: _Relations) -> str:
    landed, decided = relations.landed, relations.decided
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
{_staged_discrepancies(relations)}"""


def _staged_discrepancies(relations: _Relations) -> str:
    key, staged, model = DATASETS[relations.dataset].key, relations.staged, relations.model
    several = f"""
union all
select 'staged beside another one of its key' as problem, max_by(_raw_row_id, _landing_id)
from {staged}
group by _key
having count(*) > 1"""
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
having count(*) > 1""" + ("" if DATASETS[relations.dataset].consolidated else several)
