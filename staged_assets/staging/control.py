"""What the staged area knows of itself: how far each dataset is published, by which rules, and what its checks said."""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from duckdb import DuckDBPyConnection

from staged_assets.checked import Checked
from staged_assets.landing.layout import DATASETS, RAW_SCHEMA
from staged_assets.landing.warehouse import transaction

DISPOSITIONS = ("staged", "rejected", "superseded", "duplicate", "deleted")

_TABLES = """
create schema if not exists control;
create schema if not exists staged;
create schema if not exists work;
create schema if not exists reference;
create table if not exists control.watermarks (
    dataset varchar not null, landing_id bigint not null, rule_set_version varchar not null,
    refreshed_at timestamp not null
);
create table if not exists control.companions (
    companion varchar not null, made_at timestamp not null, rule_set_version varchar not null
);
create table if not exists control.checks (
    dataset varchar not null, name varchar not null, status varchar not null, checked_at timestamp not null
);
alter table control.checks add column if not exists result json;
alter table control.checks add column if not exists whole_at timestamp;
alter table control.checks add column if not exists version varchar;
create table if not exists control.counts (dataset varchar not null, upto bigint not null, counted json not null);
create table if not exists control.refreshes (
    dataset varchar not null, run_id varchar not null, refreshed_at timestamp not null, mode varchar not null,
    outcome varchar not null, message varchar not null, new_rows bigint not null, seconds double not null,
    staged bigint, rejected bigint, superseded bigint, duplicate bigint, deleted bigint
);
"""


@dataclass(frozen=True)
class Watermark:
    """How far a dataset is published: every raw row up to `landing_id` has its disposition under these rules."""

    landing_id: int
    rule_set_version: str
    refreshed_at: datetime


@dataclass(frozen=True)
class Companion:
    """When a companion was last made, and by which rules."""

    made_at: datetime
    rule_set_version: str


@dataclass(frozen=True)
class DatasetRefresh:
    """One entry of a dataset's history: what a refresh did, and how long that took in seconds."""

    dataset: str
    refreshed_at: datetime
    mode: str
    outcome: str
    message: str
    new_rows: int
    seconds: float
    published_at: datetime | None = None


@dataclass(frozen=True)
class Counts:
    """Raw rows of a dataset by what became of them; `landed` is their sum (by distinct raw row id).

    Attributes:
        reasons: reject reason `code:column` → rejected rows that have it, most frequent first.
    """

    landed: int
    staged: int
    rejected: int
    superseded: int
    duplicate: int
    deleted: int
    pending: int
    reasons: dict[str, int]

    @property
    def unexplained(self) -> int:
        """Raw rows without exactly one place: anything but 0 is a defect."""
        return self.landed - (
            self.staged + self.rejected + self.superseded + self.duplicate + self.deleted + self.pending
        )


@dataclass(frozen=True)
class Standing:
    """The last result of a check.

    Attributes:
        whole_at: when the whole of what it is about was last looked at; None where that is not known.
        version: of the check.
    """

    result: Checked
    whole_at: datetime | None
    version: str | None = None


@dataclass(frozen=True)
class Counted:
    """Published dispositions, counted: disposition → rows, reject reason → rows, up to a landing id."""

    upto: int
    dispositions: dict[str, int]
    reasons: dict[str, int]

    def changed(self, upto: int, gone: "Counted", come: "Counted") -> "Counted":
        """After some rows are replaced by others, up to another landing id."""
        dispositions = _changed(self.dispositions, gone.dispositions, come.dispositions)
        return Counted(upto, dispositions, _changed(self.reasons, gone.reasons, come.reasons))


def _changed(before: dict[str, int], gone: dict[str, int], come: dict[str, int]) -> dict[str, int]:
    names = {*before, *come}
    found = {name: before.get(name, 0) - gone.get(name, 0) + come.get(name, 0) for name in names}
    return {name: rows for name, rows in found.items() if rows}


def prepare(connection: DuckDBPyConnection) -> None:
    """Create the control tables and the schemas, where they are missing."""
    connection.execute(_TABLES)


def watermarks(connection: DuckDBPyConnection) -> dict[str, Watermark]:
    """Dataset → watermark; a dataset that was never published, or must be published anew, has none."""
    rows = connection.execute(
        "select dataset, landing_id, rule_set_version, refreshed_at from control.watermarks"
    ).fetchall()
    return {dataset: Watermark(*rest) for dataset, *rest in rows}


def forget_watermark(connection: DuckDBPyConnection, dataset: str) -> None:
    """Whatever happens from here on, the next refresh of the dataset starts from all of raw."""
    connection.execute("delete from control.watermarks where dataset = ?", [dataset])


def set_watermark(connection: DuckDBPyConnection, dataset: str, watermark: Watermark) -> None:
    """The last step of a publish. What the dataset's checks said of what was published before holds no more."""
    with transaction(connection):
        forget_watermark(connection, dataset)
        connection.execute("delete from control.checks where dataset = ?", [dataset])
        connection.execute(
            "insert into control.watermarks values (?, ?, ?, ?)",
            [dataset, watermark.landing_id, watermark.rule_set_version, watermark.refreshed_at],
        )


def companions(connection: DuckDBPyConnection) -> dict[str, Companion]:
    """Companion → when it was last made; one that was never made, or not since this was recorded, is missing."""
    rows = connection.execute("select companion, made_at, rule_set_version from control.companions").fetchall()
    return {name: Companion(*rest) for name, *rest in rows}


def forget_companion(connection: DuckDBPyConnection, name: str) -> None:
    """Whatever happens from here on, the companion is to be made anew."""
    connection.execute("delete from control.companions where companion = ?", [name])


def set_companions(connection: DuckDBPyConnection, made: Mapping[str, Companion]) -> None:
    """Record that companions were made."""
    if not made:
        return
    with transaction(connection):
        connection.execute("delete from control.companions where companion in (select unnest(?))", [list(made)])
        values = [value for name, one in made.items() for value in (name, one.made_at, one.rule_set_version)]
        connection.execute(f"insert into control.companions values {', '.join(['(?, ?, ?)'] * len(made))}", values)


def count(connection: DuckDBPyConnection, datasets: Collection[str]) -> dict[str, Counts]:
    """Count the raw rows of datasets by what became of them; what was counted before is not counted again."""
    kept = {name: found for name, found in _all_counted(connection).items() if name in datasets}
    landed = {}
    if kept:
        parts = [
            f"select '{name}', (select count(*) from {RAW_SCHEMA}.{name}),"
            f" (select count(*) from {RAW_SCHEMA}.{name} where _landing_id > {found.upto})"
            for name, found in kept.items()
        ]
        landed = {name: rest for name, *rest in connection.execute(" union all ".join(parts)).fetchall()}
    return {
        name: _counts(kept[name], *landed[name]) if name in kept else _count_now(connection, name) for name in datasets
    }


def _count_now(connection: DuckDBPyConnection, dataset: str) -> Counts:
    found = _counted_now(connection, dataset)
    new = f" where _landing_id not in (select _landing_id from staged.dispositions_{dataset})"
    landed, pending = (
        _scalar(connection, f"select count(distinct _raw_row_id) from {RAW_SCHEMA}.{dataset}{where}")
        for where in ("", new if found.dispositions else "")
    )
    return _counts(found, landed, pending)


def _counts(found: Counted, landed: int, pending: int) -> Counts:
    return Counts(
        landed=landed,
        pending=pending,
        reasons=dict(sorted(found.reasons.items(), key=lambda entry: (-entry[1], entry[0]))),
        **{disposition: found.dispositions.get(disposition, 0) for disposition in DISPOSITIONS},
    )


def counted(connection: DuckDBPyConnection, dataset: str) -> Counted | None:
    """What was counted when the dataset was last published, where that is what is published now."""
    return _all_counted(connection).get(dataset)


def _all_counted(connection: DuckDBPyConnection) -> dict[str, Counted]:
    rows = connection.execute(
        """
        select counts.dataset, counts.upto, counts.counted from control.counts
        inner join control.watermarks on watermarks.dataset = counts.dataset and watermarks.landing_id = counts.upto
        """
    ).fetchall()
    return {dataset: Counted(upto, **json.loads(found)) for dataset, upto, found in rows}


def keep_count(connection: DuckDBPyConnection, dataset: str, found: Counted | None) -> None:
    """Keep what was counted, in the caller's transaction; None: it is to be counted anew."""
    connection.execute("delete from control.counts where dataset = ?", [dataset])
    if found is not None:
        values = {"dispositions": found.dispositions, "reasons": found.reasons}
        connection.execute("insert into control.counts values (?, ?, ?)", [dataset, found.upto, json.dumps(values)])


def count_whole(connection: DuckDBPyConnection, dataset: str, upto: int) -> None:
    """Count what was published whole, up to a landing id, and keep it.

    Rows are counted: that each raw row is there once is what the reconciliation of the published table checks.
    """
    found = count_of(connection, f"staged.dispositions_{dataset}")
    with transaction(connection):
        keep_count(connection, dataset, Counted(upto, found.dispositions, found.reasons))


def count_of(connection: DuckDBPyConnection, relation: str) -> Counted:
    """The same of a relation with dispositions, each raw row in it once."""
    found = dict(connection.execute(f"select disposition, count(*) from {relation} group by 1").fetchall())
    rejected = f"(select unnest(_reject_reasons) as reason from {relation} where disposition = 'rejected')"
    name = "reason.code || coalesce(':' || reason.\"column\", '')"
    reasons = connection.execute(f"select {name} as name, count(*) from {rejected} group by 1").fetchall()
    return Counted(0, found, dict(reasons))


def _counted_now(connection: DuckDBPyConnection, dataset: str) -> Counted:
    relation = f"staged.dispositions_{dataset}"
    if not table_exists(connection, "staged", f"dispositions_{dataset}"):
        return Counted(0, {}, {})
    sql = f"select disposition, count(distinct _raw_row_id) from {relation} group by 1"
    return Counted(0, dict(connection.execute(sql).fetchall()), count_of(connection, relation).reasons)


def record_refreshes(
    connection: DuckDBPyConnection, refreshes: Iterable[tuple[DatasetRefresh, Counts]], run_id: str
) -> None:
    """Add to the datasets' own history."""
    rows = [
        [
            one.dataset, run_id, one.refreshed_at, one.mode, one.outcome, one.message, one.new_rows, one.seconds,
            *(getattr(counts, name) for name in DISPOSITIONS),
        ]
        for one, counts in refreshes
    ]  # fmt: skip
    if rows:
        values = ", ".join(["(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        connection.execute(f"insert into control.refreshes values {values}", [value for row in rows for value in row])


def last_refreshes(connection: DuckDBPyConnection) -> dict[str, DatasetRefresh]:
    """Dataset → its last refresh, with when it was last published."""
    rows = connection.execute(
        """
        select last.*, watermarks.refreshed_at from (
            select dataset, refreshed_at, mode, outcome, message, new_rows, seconds from control.refreshes
            qualify row_number() over (partition by dataset order by refreshed_at desc) = 1
        ) as last
        left join control.watermarks on watermarks.dataset = last.dataset
        """
    ).fetchall()
    return {row[0]: DatasetRefresh(*row) for row in rows}


def record_checks(connection: DuckDBPyConnection, results: Iterable[tuple[str, Standing]], at: datetime) -> None:
    """Keep the last result of each check of a dataset and its companions."""
    rows = [
        (dataset, one.result.name, one.result.status, at, json.dumps(one.result.as_dict()), one.whole_at, one.version)
        for dataset, one in results
    ]
    if not rows:
        return
    with transaction(connection):
        connection.execute(
            "delete from control.checks where dataset || '/' || name in (select unnest(?))",
            [[f"{dataset}/{name}" for dataset, name, *_ in rows]],
        )
        values = ", ".join(["(?, ?, ?, ?, ?, ?, ?)"] * len(rows))
        connection.execute(f"insert into control.checks values {values}", [value for row in rows for value in row])


def checks(connection: DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Dataset → check → its last result."""
    found: dict[str, dict[str, str]] = {dataset: {} for dataset in DATASETS}
    for dataset, name, status in connection.execute(
        "select dataset, name, status from control.checks order by name"
    ).fetchall():
        found.setdefault(dataset, {})[name] = status
    return found


def standing(connection: DuckDBPyConnection, dataset: str) -> dict[str, Standing]:
    """Check of a dataset or its companions → its last result, with all that it said."""
    found = connection.execute(
        "select name, result, whole_at, version from control.checks where dataset = ?", [dataset]
    ).fetchall()
    return {
        name: Standing(Checked.from_dict(json.loads(result)), whole_at, version)
        for name, result, whole_at, version in found
        if result is not None
    }


def rows(connection: DuckDBPyConnection, models: Iterable[str]) -> dict[str, int]:
    """Rows of published tables."""
    parts = [f"select '{model}', count(*) from staged.{model}" for model in models]
    return dict(connection.execute(" union all ".join(parts)).fetchall()) if parts else {}


def tables(connection: DuckDBPyConnection, schema: str) -> set[str]:
    """The names of a schema's tables and views."""
    listed = "select table_name from duckdb_tables() where schema_name = $1 union all"
    found = connection.execute(f"{listed} select view_name from duckdb_views() where schema_name = $1", [schema])
    return {name for (name,) in found.fetchall()}


def table_exists(connection: DuckDBPyConnection, schema: str, name: str) -> bool:
    """Whether a table or view of that name is there."""
    return name in tables(connection, schema)


def _scalar(connection: DuckDBPyConnection, sql: str, parameters: list[str] | None = None) -> int:
    row = connection.execute(sql, parameters or []).fetchone()
    return int(row[0]) if row else 0
