"""Batches that their audit holds back, releases by people, and what published batches were like."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.errors import StagedAssetsError
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.warehouse import transaction

_TABLES = """
create schema if not exists control;
create table if not exists control.held (
    dataset varchar not null, run_id varchar not null, first_held_at timestamp not null, held_at timestamp not null,
    upto bigint not null, rule_set_version varchar not null, message varchar not null, rules json not null
);
create table if not exists control.releases (
    dataset varchar not null, upto bigint not null, rule_set_version varchar not null, released_by varchar not null,
    reason varchar not null, released_at timestamp not null, closed_at timestamp, published boolean
);
create table if not exists control.batches (
    dataset varchar not null, source_system varchar not null, published_at timestamp not null, upto bigint not null,
    looked_at bigint not null, rejected bigint not null, staged bigint not null,
    given map(varchar, bigint) not null, defects map(varchar, bigint) not null
);
"""


class HoldError(StagedAssetsError):
    """A batch can't be released as asked."""


@dataclass(frozen=True)
class Held:
    """A batch that is held back.

    Attributes:
        first_held_at, held_at: UTC; the same batch, or one that holds it, may be audited again and again.
        upto: the highest landing id in it.
        rule_set_version: the rules that it was staged by.
        message: why, in a sentence.
        rules: the results that block it, and the warnings, as `RuleResult.as_dict` gives them.
    """

    dataset: str
    run_id: str
    first_held_at: datetime
    held_at: datetime
    upto: int
    rule_set_version: str
    message: str
    rules: list[dict[str, Any]]


_HELD = tuple(field.name for field in fields(Held))


@dataclass(frozen=True)
class Release:
    """A person's decision to publish one held batch all the same.

    Attributes:
        closed_at: when the dataset was published next; None while that is still to be done.
        published: whether it was this batch, by this release, or another one, which the release was not about.
    """

    dataset: str
    upto: int
    rule_set_version: str
    released_by: str
    reason: str
    released_at: datetime
    closed_at: datetime | None = None
    published: bool | None = None


def prepare(connection: DuckDBPyConnection) -> None:
    """Create the tables, where they are missing."""
    connection.execute(_TABLES)


def hold(
    connection: DuckDBPyConnection, dataset: str, *, run_id: str, at: datetime, upto: int, rule_set_version: str,
    message: str, rules: Sequence[Mapping[str, Any]],
) -> None:  # fmt: skip
    """Remember that a dataset's batch is held back, and why."""
    before = held(connection, dataset)
    with transaction(connection):
        connection.execute("delete from control.held where dataset = ?", [dataset])
        connection.execute(
            "insert into control.held values (?, ?, ?, ?, ?, ?, ?, ?)",
            [
                dataset, run_id, before.first_held_at if before else at, at, upto, rule_set_version, message,
                json.dumps(list(rules), default=str),
            ],
        )  # fmt: skip


def held(connection: DuckDBPyConnection, dataset: str) -> Held | None:
    """The batch of a dataset that is held back, if there is one."""
    return all_held(connection).get(dataset)


def all_held(connection: DuckDBPyConnection) -> dict[str, Held]:
    """Dataset → its held batch; nothing where nothing was ever audited."""
    if not is_prepared(connection):
        return {}
    rows = connection.execute("select * from control.held order by dataset").fetchall()
    return {row[0]: Held(**dict(zip(_HELD, row, strict=True)) | {"rules": json.loads(row[-1])}) for row in rows}


def release(connection: DuckDBPyConnection, dataset: str, *, reason: str, who: str, at: datetime) -> Release:
    """Decide that the held batch of a dataset is to be published by the next refresh, and record who, when and why.

    Raises:
        HoldError: nothing of the dataset is held, or no reason is given.
    """
    if dataset not in DATASETS:
        raise HoldError(f"There is no dataset {dataset!r}: there are {', '.join(DATASETS)}.")
    found = held(connection, dataset)
    if found is None:
        raise HoldError(f"No batch of {dataset} is held back: there is nothing to release.")
    if not reason.strip():
        raise HoldError(f"The release of {dataset} needs a reason: say why the batch may be published as it is.")
    entry = Release(dataset, found.upto, found.rule_set_version, who, reason.strip(), at)
    connection.execute(
        "insert into control.releases values (?, ?, ?, ?, ?, ?, null, null)", list(vars(entry).values())[:-2]
    )
    return entry


def pending_release(connection: DuckDBPyConnection, dataset: str) -> Release | None:
    """The release that the next refresh is to act on: it must take the raw rows up to `upto`, and no more.

    None where the batch that was released is no longer the one held.
    """
    found = held(connection, dataset)
    if found is None:
        return None
    row = connection.execute(
        """
        select * from control.releases
        where dataset = ? and upto = ? and rule_set_version = ? and closed_at is null
        order by released_at desc limit 1
        """,
        [dataset, found.upto, found.rule_set_version],
    ).fetchone()
    return Release(*row) if row else None


def releases(connection: DuckDBPyConnection, dataset: str) -> list[Release]:
    """Every release of a dataset, the last one first."""
    if not is_prepared(connection):
        return []
    rows = connection.execute(
        "select * from control.releases where dataset = ? order by released_at desc", [dataset]
    ).fetchall()
    return [Release(*row) for row in rows]


def clear(connection: DuckDBPyConnection, dataset: str, *, upto: int, rule_set_version: str, at: datetime) -> None:
    """The dataset was published up to there: nothing of it is held any more, and its releases are closed."""
    with transaction(connection):
        connection.execute(
            """
            update control.releases set closed_at = ?, published = (upto = ? and rule_set_version = ?)
            where dataset = ? and closed_at is null
            """,
            [at, upto, rule_set_version, dataset],
        )
        connection.execute("delete from control.held where dataset = ?", [dataset])


def is_prepared(connection: DuckDBPyConnection) -> bool:
    """Whether the tables are there."""
    row = connection.execute(
        "select count(*) from duckdb_tables() where schema_name = 'control' and table_name = 'held'"
    ).fetchone()
    return bool(row and row[0])
