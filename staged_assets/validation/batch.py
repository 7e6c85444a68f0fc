"""What can only be seen in a batch as a whole: that far more of it is unusable than of the batches before it.

One bad row goes to quarantine. When most rows of a batch are rejected, or a column of most of them could not be used,
the source has changed, and publishing would replace good values by nothing. So the shares are judged for each source
system that feeds the dataset, against set limits and against what was published of it before.

What counts is where the batch leads to, not what is in it: a rejected row whose record has landed again since, and
soundly, counts no more. So a held batch passes by itself once its source is mended and has sent its records again.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from duckdb import DuckDBPyConnection

from staged_assets.landing.layout import DATASETS
from staged_assets.landing.warehouse import transaction
from staged_assets.validation.config import BatchSettings
from staged_assets.validation.results import Rule, RuleResult, rule

REJECT_SHARE = "batch__reject_share"
_DEFECT_SHARE = "__batch_defect_share"
_MISSING_SHARE = "__batch_missing_share"

#: The defect of a value that is kept, as the vocabulary's `other` or `unknown`.
_KEPT = "unrecognised"


@dataclass(frozen=True)
class Profile:
    """What a batch was like, of one source system.

    Attributes:
        looked_at: new raw rows, without rejected ones whose record has landed soundly since.
        rejected: those of them that are rejected.
        staged: rows that the batch stages.
        given: column → rows of them with a value, usable or not.
        defects: column → rows of them whose value could not be used.
    """

    looked_at: int
    rejected: int
    staged: int
    given: Mapping[str, int]
    defects: Mapping[str, int]

    def __add__(self, other: "Profile") -> "Profile":
        """Of two batches together."""
        return Profile(
            self.looked_at + other.looked_at,
            self.rejected + other.rejected,
            self.staged + other.staged,
            _summed(self.given, other.given),
            _summed(self.defects, other.defects),
        )


NOTHING = Profile(0, 0, 0, {}, {})


def batch_rules(dataset: str) -> list[Rule]:
    """The rules of a dataset's batches."""
    columns = DATASETS[dataset].columns[1:]
    return [
        rule(dataset, REJECT_SHARE, "not more of the new rows is rejected than limits and history allow for"),
        *(
            rule(dataset, f"{column}{_DEFECT_SHARE}", f"{column} is usable as often as limits and history say")
            for column in columns
        ),
        *(
            rule(dataset, f"{column}{_MISSING_SHARE}", f"{column} is given as often as history says")
            for column in columns
        ),
    ]


def profiles(connection: DuckDBPyConnection, dataset: str, after: int) -> dict[str, Profile]:
    """Source system → what the candidate is like.

    Args:
        after: the landing id after which rows are new; 0: all of them are.
    """
    rejects = _rejects(connection, dataset, after)
    cells = _cells(connection, dataset, after)
    found = {}
    for system in sorted({*rejects, *cells}):
        looked_at, rejected = rejects.get(system, (0, 0))
        staged, given, defects = cells.get(system, (0, {}, {}))
        found[system] = Profile(looked_at, rejected, staged, given, defects)
    return found


def _rejects(connection: DuckDBPyConnection, dataset: str, after: int) -> dict[str, tuple[int, int]]:
    rows = connection.execute(
        f"""
        with new as (
            select _source_system, _key, _landing_id, disposition
            from staged.dispositions_{dataset}__candidate where _landing_id > ?
        ),
        rejected as (select * from new where disposition = 'rejected'),
        mended as (
            select _source_system, _key, max(_landing_id) as landing_id
            from new
            where disposition != 'rejected' and _key in (select _key from rejected where _key is not null)
            group by _source_system, _key
        ),
        excused as (
            select rejected._source_system, count(*) as excused
            from rejected
            inner join mended
                on mended._source_system = rejected._source_system
                and mended._key = rejected._key
                and mended.landing_id > rejected._landing_id
            group by rejected._source_system
        )
        select
            new._source_system,
            count(*) - coalesce(any_value(excused.excused), 0),
            count(*) filter (where disposition = 'rejected') - coalesce(any_value(excused.excused), 0)
        from new
        left join excused on excused._source_system = new._source_system
        group by new._source_system
        """,
        [after],
    ).fetchall()
    return {system: (looked_at, rejected) for system, looked_at, rejected in rows}


def _cells(
    connection: DuckDBPyConnection, dataset: str, after: int
) -> dict[str, tuple[int, dict[str, int], dict[str, int]]]:
    columns = DATASETS[dataset].columns[1:]
    new = f"from staged.stg_{dataset}__candidate"
    if after:
        key = DATASETS[dataset].key
        keys = f"select _key from staged.dispositions_{dataset}__candidate where _landing_id > {after}"
        new += f" where {key} in ({keys})"
    counts = ", ".join(f"count({column})" for column in columns)
    found = connection.execute(f"select _source_system, count(*), {counts} {new} group by _source_system").fetchall()
    defects: dict[str, dict[str, int]] = {}
    nulled: dict[str, dict[str, int]] = {}
    for system, column, all_rows, without_value in connection.execute(
        f"""
        select _source_system, defect."column", count(*), count(*) filter (where defect.code != '{_KEPT}')
        from (select _source_system, unnest(_cell_defects) as defect {new})
        group by all
        """
    ).fetchall():
        defects.setdefault(system, {})[column] = all_rows
        nulled.setdefault(system, {})[column] = without_value
    result = {}
    for system, rows, *present in found:
        given = {
            column: min(rows, value + nulled.get(system, {}).get(column, 0))
            for column, value in zip(columns, present, strict=True)
        }
        result[system] = (rows, given, defects.get(system, {}))
    return result


def judge(
    connection: DuckDBPyConnection,
    dataset: str,
    found: Mapping[str, Profile],
    before: Mapping[str, Sequence[Profile]],
    rules: Sequence[Rule],
    settings: BatchSettings,
    sample: int,
) -> list[RuleResult]:
    """Judge each rule of a batch by the source system that is furthest beyond what is allowed for.

    Args:
        found, before: what the candidate is like, and the published batches (the last one first), by source system.
        sample: rows that are shown of each rule that does not hold, at most.
    """
    results = [_judged(one, found, before, settings) for one in rules]
    return [result if result.passed else _sampled(connection, dataset, result, sample) for result in results]


def _sampled(connection: DuckDBPyConnection, dataset: str, result: RuleResult, sample: int) -> RuleResult:
    """With raw row ids and the codes of what is wrong; never a raw value."""
    column = result.rule.column
    if result.rule.name == REJECT_SHARE:
        table, defects, condition = f"staged.dispositions_{dataset}__candidate", "_reject_reasons", ""
    elif result.rule.name.endswith(_DEFECT_SHARE):
        table, defects = f"staged.stg_{dataset}__candidate", "_cell_defects"
        condition = f" where defect.\"column\" = '{column}'"
    else:
        query = f"select * from staged.stg_{dataset}__candidate where {column} is null"
        return replace(result, query=query)
    unnested = f"select _raw_row_id, _source_system, unnest({defects}) as defect from {table}"
    query = f'select _raw_row_id, _source_system, defect.code, defect."column" from ({unnested}){condition}'
    found = connection.execute(f"{query} limit {sample}").fetchall()
    rows = ({"raw_row_id": row_id, "system": system, "reason": f"{code}:{of}"} for row_id, system, code, of in found)
    return replace(result, query=query, sample=tuple(rows))


def _judged(
    one: Rule, found: Mapping[str, Profile], before: Mapping[str, Sequence[Profile]], settings: BatchSettings
) -> RuleResult:
    worst: tuple[float, RuleResult] | None = None
    for system, profile in found.items():
        batches = before.get(system, ())
        limit = _limit(one, sum(batches, NOTHING), settings)
        failing, looked_at = _counts(one, profile)
        recent_failing, recent = _counts(one, _with_recent(one, profile, batches, settings.minimum_rows))
        if limit is None or not looked_at or recent < settings.minimum_rows:
            continue
        # A small batch is judged with those before it; but what was published before holds back no sound batch.
        excess = min(failing / looked_at, recent_failing / recent) - limit
        told = _WHAT[_kind(one)].format(column=one.column, system=system)
        message = f"{failing} of {looked_at} {told} ({failing / looked_at:.1%}), at most {limit:.1%} are expected"
        if recent > looked_at:
            message += f" ({recent_failing} of {recent} with the batches before)"
        if worst is None or excess > worst[0]:
            worst = excess, RuleResult(one, excess <= 0, failing, looked_at, 0.0, message=message)
    if worst is None:
        return RuleResult(one, True, 0, 0, 0.0, message="there is too little to judge by")
    return worst[1]


_WHAT = {
    REJECT_SHARE: "new rows of {system} are rejected",
    _DEFECT_SHARE: "values of {column} from {system} are unusable",
    _MISSING_SHARE: "values of {column} from {system} are missing",
}


def _kind(one: Rule) -> str:
    return next(kind for kind in _WHAT if one.name.endswith(kind))


def _counts(one: Rule, profile: Profile) -> tuple[int, int]:
    """(failing, looked at)"""
    column = one.column or ""
    given = profile.given.get(column, 0)
    return {
        REJECT_SHARE: (profile.rejected, profile.looked_at),
        _DEFECT_SHARE: (profile.defects.get(column, 0), given),
        _MISSING_SHARE: (profile.staged - given, profile.staged),
    }[_kind(one)]


def _limit(one: Rule, before: Profile, settings: BatchSettings) -> float | None:
    """The share that is allowed for; None where only a history could tell and there is none."""
    failing, looked_at = _counts(one, before)
    known = failing / looked_at if looked_at >= settings.minimum_rows else None
    if _kind(one) == _MISSING_SHARE:
        return None if known is None else min(1.0, known + settings.missing_rise)
    limit = settings.reject_share if _kind(one) == REJECT_SHARE else settings.defect_share
    return limit.against(known)


def _with_recent(one: Rule, profile: Profile, batches: Sequence[Profile], rows: int) -> Profile:
    """A batch, and as many of those before it as there must be to have so many rows."""
    for earlier in batches:
        if _counts(one, profile)[1] >= rows:
            break
        profile += earlier
    return profile


def history(connection: DuckDBPyConnection, dataset: str, batches: int) -> dict[str, list[Profile]]:
    """Source system → what its last published batches were like, the last one first."""
    rows = connection.execute(
        """
        select source_system, looked_at, rejected, staged, given, defects from control.batches
        where dataset = ?
        qualify row_number() over (partition by source_system order by published_at desc) <= ?
        order by published_at desc
        """,
        [dataset, batches],
    ).fetchall()
    found: dict[str, list[Profile]] = {}
    for system, *values in rows:
        found.setdefault(system, []).append(Profile(*values))
    return found


def record(
    connection: DuckDBPyConnection, dataset: str, found: Mapping[str, Profile], *, upto: int, at: datetime, keep: int
) -> None:
    """Add a published batch to the dataset's history, and forget those beyond the last `keep` of each system."""
    with transaction(connection):
        for system, profile in found.items():
            connection.execute(
                "insert into control.batches values (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [
                    dataset, system, at, upto, profile.looked_at, profile.rejected, profile.staged,
                    dict(profile.given), dict(profile.defects),
                ],
            )  # fmt: skip
        connection.execute(
            """
            delete from control.batches where dataset = ? and rowid not in (
                select rowid from control.batches where dataset = ?
                qualify row_number() over (partition by source_system order by published_at desc) <= ?
            )
            """,
            [dataset, dataset, keep],
        )


def _summed(left: Mapping[str, int], right: Mapping[str, int]) -> dict[str, int]:
    return {column: left.get(column, 0) + right.get(column, 0) for column in {*left, *right}}
