"""What the schemas of several staged tables have in common: metadata, countries, consolidation."""

from collections.abc import Mapping, Sequence

import ibis
import pandera.ibis as pa

from staged_assets.validation.vocabulary import (
    DEFECTS,
    TEXT,
    TEXTS,
    TIMESTAMP,
    alpha2,
    days_between,
    expectation,
    optional,
    required,
    row,
    same,
    tidy,
    value,
)


def country() -> dict[str, pa.Column]:
    """The two columns of a country."""
    return {"country": optional(TEXT, tidy()), "country_code": optional(TEXT, alpha2())}


def email_domain(column: str) -> pa.Check:
    """What stands behind the @."""
    return same("email_domain", f"email_domain is that of {column}", lambda t: t[column].re_extract("@(.*)$", 1))


def sources() -> list[pa.Check]:
    """A consolidated row names the systems that it came from, each once."""
    return [
        row(
            "source_systems__holds_source_system",
            "source_systems names the system of the row itself",
            lambda t: t.source_systems.contains(t["_source_system"]),
            where=("source_systems", "_source_system"),
        ),
        row(
            "source_systems__distinct",
            "source_systems names each system once",
            lambda t: t.source_systems.unique().length() == t.source_systems.length(),
            where=("source_systems",),
        ),
    ]


def not_in_future(column: str) -> pa.Check:
    """Rule `<column>__not_in_future`, as of the refresh; one day is allowed for time zones. It warns."""
    return row(
        f"{column}__not_in_future",
        f"{column} is not after the day of the refresh",
        lambda table: days_between(table["_staged_at"].date(), table[column]) <= 1,
        where=(column, "_staged_at"),
        warn=True,
    )


def defects_at_most(share: float) -> pa.Check:
    """Rule `_cell_defects__share`: few rows have cells that could not be used."""
    return expectation(
        "_cell_defects__share",
        f"at most {share:.0%} of the rows have cell-level defects",
        lambda table: (table["_cell_defects"].length() > 0).sum(),
        at_most=share,
        minimum_rows=100,
    )


def staged_table(
    dataset: str, columns: Mapping[str, pa.Column], checks: Sequence[pa.Check] = (), *, defects: float = 0.25
) -> pa.DataFrameSchema:
    """The schema of `stg_<dataset>`: these columns, its key first, then the metadata of every staged row.

    Args:
        dataset: one of the fourteen.
        columns: in order.
        checks: across columns, and of the table as a whole.
        defects: the share of rows that may have cell-level defects.

    Raises:
        SchemaInitError: a column asks for what the ibis backend ignores.
    """
    _refuse_ignored(columns)
    return pa.DataFrameSchema(
        {**columns, **_metadata(list(columns))},
        checks=[
            *checks,
            row(
                "_source_updated_at__not_after_landing",
                "the source changed the row at most a day after it landed (time zones, clocks)",
                lambda table: table["_source_updated_at"].delta(table["_landed_at"], unit="hour") <= 24,
                where=("_source_updated_at", "_landed_at"),
                warn=True,
            ),
            row(
                "_staged_at__not_before_landing",
                "the row was not staged before it landed",
                lambda table: table["_staged_at"] >= table["_landed_at"],
                where=("_staged_at", "_landed_at"),
                warn=True,
            ),
            defects_at_most(defects),
        ],
        unique=[next(iter(columns))],
        strict=True,
        ordered=True,
        name=f"stg_{dataset}",
    )


def _refuse_ignored(columns: Mapping[str, pa.Column]) -> None:
    """The ibis backend says nothing when a column asks for what it can't do: then a rule would hold of anything."""
    for name, column in columns.items():
        for ignored in ("unique", "coerce"):
            if getattr(column, ignored):
                raise pa.errors.SchemaInitError(
                    f"Column {name} asks for {ignored}, which Pandera's ibis backend ignores: the key is unique by the"
                    " schema, and types are the staging models' work."
                )


def _metadata(names: Sequence[str]) -> dict[str, pa.Column]:
    known = value(
        "known_columns",
        "names columns of the dataset",
        lambda x: ibis.cases(
            (x.length() == 0, True), else_=x.filter(lambda name: ~name.isin(names).fill_null(False)).length() == 0
        ),
    )
    return {
        "_raw_row_id": required(TEXT, value("md5", "has the 32 digits of an MD5 hash", lambda x: x.length() == 32)),
        "_source_system": required(TEXT, tidy()),
        "_source_updated_at": optional(TIMESTAMP),
        "_landed_at": required(TIMESTAMP),
        "_staged_at": required(TIMESTAMP),
        "_cleansed": required(TEXTS, known),
        "_cell_defects": required(DEFECTS),
    }
