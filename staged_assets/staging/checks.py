"""Checks as Dagster keeps and shows them."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import dagster as dg

from staged_assets.checked import AUDITED, Checked
from staged_assets.landing.layout import DATASETS
from staged_assets.sources.change_feed import Lag
from staged_assets.staging.outcomes import TableChecks
from staged_assets.staging.project import StagingProject
from staged_assets.staging.translator import check_description

_SEVERITIES = {"passed": "none", "warned": "warning", "failed": "error"}

#: the check of a raw table: whether its sources have the columns that they had before
SOURCE_COLUMNS = "source_columns"
#: the check of a raw table that is fed by a change feed: whether the source's log is read in time
SLOT_LAG = "slot_lag"


def drift_result(dataset: str, changes: Sequence[str]) -> dg.AssetCheckEvaluation:
    """Whether what was landed of a dataset came with the columns that were known; a warning at most."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["raw", dataset]),
        check_name=SOURCE_COLUMNS,
        passed=not changes,
        severity=dg.AssetCheckSeverity.WARN,
        description=" ".join(changes) or None,
        metadata={"changes": dg.MetadataValue.int(len(changes))},
    )


def lag_result(dataset: str, lags: Sequence[Lag]) -> dg.AssetCheckEvaluation:
    """Whether the slots that a dataset is fed from were near enough when they were read; a warning at most."""
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(["raw", dataset]),
        check_name=SLOT_LAG,
        passed=not any(lag.is_long for lag in lags),
        severity=dg.AssetCheckSeverity.WARN,
        description="; ".join(map(str, lags)),
        metadata={
            "bytes": dg.MetadataValue.int(max(lag.size for lag in lags)),
            "seconds": dg.MetadataValue.float(max(lag.seconds or 0.0 for lag in lags)),
        },
    )


def check_specs(
    project: StagingProject, tables: TableChecks | None, models: Collection[str], change_feeds: Collection[str]
) -> list[dg.AssetCheckSpec]:
    """Every check of these models: dbt tests, the audit of the last batch, and the checks of the whole table.

    Args:
        change_feeds: datasets that a change feed feeds.
    """
    nodes = project.manifest["nodes"].values()
    descriptions = {node["name"]: check_description(node) for node in nodes if node["resource_type"] == "test"}
    found = [(test.name, test.model, descriptions[test.name]) for test in project.tests() if test.model in models]
    for dataset in DATASETS:
        audited = "The last batch passed its audit before it was published; a batch that does not is held back."
        found.append((AUDITED, f"stg_{dataset}", audited))
        found += [(one.name, f"stg_{dataset}", one.description) for one in (tables.of(dataset) if tables else ())]
    columns = (
        "The source has the columns that it had before, of the same types; whatever it has is landed all the same."
    )
    drift = [
        dg.AssetCheckSpec(SOURCE_COLUMNS, asset=["raw", name], description=columns, blocking=False) for name in DATASETS
    ]
    late = "What the source's log says was read in time: the replication slot is not far behind."
    drift += [
        dg.AssetCheckSpec(SLOT_LAG, asset=["raw", name], description=late, blocking=False) for name in change_feeds
    ]
    return drift + [
        dg.AssetCheckSpec(name=name, asset=model, description=description, blocking=False)
        for name, model, description in found
    ]


def check_result(key: dg.AssetCheckKey, checked: Checked, *, unchanged: bool = False) -> dg.AssetCheckEvaluation:
    """A result as Dagster keeps it; numbers are plotted by the web UI.

    Args:
        unchanged: it was found before, and nothing that it is about has changed.
    """
    return dg.AssetCheckEvaluation(
        asset_key=key.asset_key,
        check_name=key.name,
        passed=checked.status == "passed",
        severity=dg.AssetCheckSeverity.ERROR if checked.status == "failed" else dg.AssetCheckSeverity.WARN,
        description=checked.message,
        metadata=_metadata(checked) | ({"unchanged": dg.MetadataValue.bool(True)} if unchanged else {}),
    )


def _metadata(checked: Checked) -> dict[str, dg.MetadataValue]:
    shown = checked.worst
    metadata: dict[str, dg.MetadataValue] = {
        "rule": dg.MetadataValue.text(shown.name),
        "rows": dg.MetadataValue.int(shown.rows),
        "seconds": dg.MetadataValue.float(round(checked.seconds, 4)),
    }
    if shown.column:
        metadata["column"] = dg.MetadataValue.text(shown.column)
    if shown.failing is not None:
        metadata["failing"] = dg.MetadataValue.int(shown.failing)
        metadata["share"] = dg.MetadataValue.float(shown.share)
    if shown.query:
        metadata["query"] = dg.MetadataValue.md(f"```sql\n{shown.query}\n```")
    if shown.sample:
        metadata["sample"] = dg.MetadataValue.md(markdown_table(shown.sample))
        metadata["raw_row_ids"] = dg.MetadataValue.json(_row_ids(shown))
    return metadata | (_metadata_of_rules(checked) if checked.rules else {})


def _metadata_of_rules(checked: Checked) -> dict[str, dg.MetadataValue]:
    """Of a result that sums up several: each rule that does not hold, and which ones do."""
    failing = [rule for rule in checked.rules if rule.status != "passed"]
    metadata: dict[str, dg.MetadataValue] = {
        "rules": dg.MetadataValue.int(len(checked.rules)),
        "rules_failing": dg.MetadataValue.int(len(failing)),
        "rules_holding": dg.MetadataValue.json([rule.name for rule in checked.rules if rule.status == "passed"]),
    }
    if failing:
        metadata["failing_rules"] = dg.MetadataValue.json([_row(rule) for rule in failing])
        metadata["failing_rules_table"] = dg.MetadataValue.md(markdown_table([_cells(rule) for rule in failing]))
        metadata |= {f"failing/{rule.name}": dg.MetadataValue.int(rule.failing or 0) for rule in failing}
    return metadata


def _row(rule: Checked) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "column": rule.column,
        "severity": _SEVERITIES[rule.status],
        "failing": rule.failing,
        "rows": rule.rows,
        "share": rule.share,
        "raw_row_ids": _row_ids(rule),
        "query": rule.query,
    }


def _cells(rule: Checked) -> dict[str, str]:
    return {
        "rule": rule.name,
        "severity": _SEVERITIES[rule.status],
        "failing": "not evaluated" if rule.failing is None else f"{rule.failing:,} of {rule.rows:,} ({rule.share:.2%})",
        "what": rule.message,
        "raw row ids": " ".join(_row_ids(rule)),
    }


def _row_ids(checked: Checked) -> list[str]:
    return [row["raw_row_id"] for row in checked.sample if "raw_row_id" in row]


def markdown_table(rows: Sequence[Mapping[str, str]]) -> str:
    """Rows, which have the same columns, as a Markdown table."""
    columns = list(rows[0])
    lines = [[*columns], ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
