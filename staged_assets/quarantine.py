"""Reading the quarantine, taking it out, and bringing corrected rows back."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from duckdb import DuckDBPyConnection

from staged_assets.errors import ConfigurationError
from staged_assets.landing.land import land_rows
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging.control import table_exists

#: `_extra` of a corrected row names the raw row that it corrects.
CORRECTS = "_corrects"

EXPORT_FORMATS = {
    ".csv": "(format csv, header)",
    ".parquet": "(format parquet)",
    ".json": "(format json)",
    ".ndjson": "(format json)",
}


def summary(settings: Settings, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """One entry for each dataset and reason.

    Returns:
        `[{"dataset", "code", "column", "rows", "corrected", "first_seen", "last_seen"}]`, most frequent first;
        `corrected` counts the rows for which a corrected one has been landed.
    """
    found: list[dict[str, Any]] = []
    with connect(settings, read_only=True) as connection:
        for name in datasets:
            if not table_exists(connection, "staged", f"quarantine_{name}"):
                continue
            result = connection.execute(
                f"""
                select '{name}' as dataset, reason.code as code, reason."column" as "column", count(*) as rows,
                    count(*) filter (where corrected) as corrected,
                    min(_first_seen_at) as first_seen, max(_first_seen_at) as last_seen
                from (
                    select unnest(_reject_reasons) as reason, _first_seen_at, {_is_corrected(name)} as corrected
                    from staged.quarantine_{name} as quarantine
                )
                group by all order by rows desc, code
                """
            )
            found += _dicts(result)
    return found


def rows(
    settings: Settings, dataset: str, *, limit: int = 20, reason: str | None = None, row_id: str | None = None
) -> list[dict[str, Any]]:
    """Rejected rows as they came, with their reasons, newest first."""
    where, parameters = _filter(reason, row_id)
    with connect(settings, read_only=True) as connection:
        _require(connection, dataset)
        return _dicts(
            connection.execute(
                f"select * from staged.quarantine_{dataset}{where} order by _landing_id desc limit {int(limit)}",
                parameters,
            )
        )


def export(settings: Settings, dataset: str, to: Path, *, reason: str | None = None) -> int:
    """Write the rejected rows to a file, whose name says the format, so that they can be corrected and replayed.

    In a CSV file, the reasons are JSON.

    Raises:
        ConfigurationError: the file's format is not known.
    """
    options = EXPORT_FORMATS.get(to.suffix.lower())
    if options is None:
        raise ConfigurationError(
            f"Can't export to {to}: the name must end in one of {', '.join(sorted(EXPORT_FORMATS))}."
        )
    where, parameters = _filter(reason, None)
    with connect(settings, read_only=True) as connection:
        _require(connection, dataset)
        to.parent.mkdir(parents=True, exist_ok=True)
        target = str(to).replace("'", "''")
        result = connection.execute(
            f"""
            copy (
                select * replace (to_json(_reject_reasons) as _reject_reasons)
                from staged.quarantine_{dataset}{where} order by _landing_id
            ) to '{target}' {options}
            """,
            parameters,
        ).fetchone()
    return int(result[0]) if result else 0


def land_corrections(settings: Settings, dataset: str, corrected: Path) -> int:
    """Land the rows of an exported and corrected CSV file as new versions of the rows that they correct.

    The rejected raw rows stay where they are: raw is never rewritten.

    Returns:
        rows landed; a row that was already landed so is not landed again.

    Raises:
        ConfigurationError: the file lacks a column, or names a row that is not in quarantine.
    """
    columns = DATASETS[dataset].columns
    try:
        with corrected.open(newline="", encoding="utf-8") as file:
            reader = csv.DictReader(file)
            given = list(reader)
            missing = [name for name in (*columns, "_raw_row_id") if name not in (reader.fieldnames or [])]
    except OSError as error:
        raise ConfigurationError(f"Can't read {corrected}: {error.strerror}.") from error
    if missing:
        raise ConfigurationError(
            f"{corrected} lacks the column {missing[0]!r}: take the file that 'quarantine export' wrote and change only"
            " values."
        )
    with connect(settings) as connection:
        _require(connection, dataset)
        landed = 0
        for row in given:
            found = connection.execute(
                f"""
                select _source_system, _source_updated_at, _operation, _extra
                from staged.quarantine_{dataset} where _raw_row_id = ?
                """,
                [row["_raw_row_id"]],
            ).fetchall()
            if not found:
                raise ConfigurationError(
                    f"{corrected} names the raw row {row['_raw_row_id']}, which is not in the quarantine of {dataset}."
                )
            system, updated_at, operation, extra = found[0]
            record = {name: row[name] or None for name in columns}
            record |= {
                "_source_updated_at": updated_at.isoformat() if updated_at else None,
                "_operation": operation,
                "_extra": json.dumps({**json.loads(extra or "{}"), CORRECTS: row["_raw_row_id"]}),
            }
            landed += land_rows(connection, system, dataset, [record]).landed
        return landed


def _is_corrected(dataset: str) -> str:
    return (
        f"_raw_row_id in (select json_extract_string(_extra, '$.{CORRECTS}') from raw.{dataset}"
        f" where _extra is not null)"
    )


def _filter(reason: str | None, row_id: str | None) -> tuple[str, list[str]]:
    conditions, parameters = [], []
    if reason:
        code, _, column = reason.partition(":")
        conditions.append(
            "len(list_filter(_reject_reasons, lambda r: r.code = ? and (? = '' or r.\"column\" = ?))) > 0"
        )
        parameters += [code, column, column]
    if row_id:
        conditions.append("_raw_row_id = ?")
        parameters.append(row_id)
    return (" where " + " and ".join(conditions) if conditions else ""), parameters


def _require(connection: DuckDBPyConnection, dataset: str) -> None:
    if not table_exists(connection, "staged", f"quarantine_{dataset}"):
        raise ConfigurationError(f"The dataset {dataset} has not been refreshed yet: run 'staged-assets run' first.")


def _dicts(result: DuckDBPyConnection) -> list[dict[str, Any]]:
    names = [column[0] for column in result.description or []]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]
