"""The rules of the published tables as Dagster asset checks: one op for each dataset, which only reads."""

from collections.abc import Collection, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from staged_assets.landing.layout import DATASETS
from staged_assets.validation.config import ValidationSettings
from staged_assets.validation.results import Rule, RuleResult
from staged_assets.validation.table_checks import check_table, published_rules


def build_checks(
    validation: ValidationSettings, personal: Mapping[str, Collection[str]], home: Path, pool: str | None = None
) -> list[dg.AssetChecksDefinition]:
    """The checks of the fourteen published tables, runnable by themselves.

    Args:
        personal: model → columns whose values no result shows.
        home: where the list of rules is kept, so that Pandera is not imported for it.
        pool: of the ops; by default none.

    Returns:
        one definition for each dataset; its op needs the resource `warehouse`.

    Raises:
        ConfigurationError: a rule is configured that there is not.
    """
    known = {dataset: published_rules(dataset, home) for dataset in DATASETS}
    validation.refuse_unknown_rules({dataset: [rule.name for rule in rules] for dataset, rules in known.items()})
    return [
        _checks(dataset, validation.of(dataset).applied(rules), validation, personal.get(f"stg_{dataset}"), pool)
        for dataset, rules in known.items()
    ]


def _checks(
    dataset: str,
    rules: Collection[Rule],
    validation: ValidationSettings,
    personal: Collection[str] | None,
    pool: str | None,
) -> dg.AssetChecksDefinition:
    @dg.multi_asset_check(
        name=f"check_{dataset}",
        description=f"Whole-table checks of stg_{dataset}; they read the published table and change nothing.",
        specs=[_spec(rule) for rule in rules],
        can_subset=True,
        required_resource_keys={"warehouse"},
        pool=pool,
    )
    def check(context: dg.AssetCheckExecutionContext) -> Iterator[dg.AssetCheckResult]:
        names = {key.name for key in context.selected_asset_check_keys}
        now = datetime.now(UTC).replace(tzinfo=None)
        with context.resources.warehouse.get_connection(read_only=True) as connection:
            results = check_table(connection, dataset, validation, personal=personal, now=now, names=names)
        yield from map(check_result, results)

    return check


def _spec(rule: Rule) -> dg.AssetCheckSpec:
    return dg.AssetCheckSpec(
        name=rule.name,
        asset=rule.model,
        description=f"{rule.description[0].upper()}{rule.description[1:]}.",
        blocking=False,
        metadata={"severity": rule.severity},
    )


def check_result(result: RuleResult) -> dg.AssetCheckResult:
    """A rule's result as Dagster keeps it; numbers are plotted by the web UI."""
    return dg.AssetCheckResult(
        asset_key=dg.AssetKey(result.rule.model),
        check_name=result.rule.name,
        passed=result.passed,
        severity=dg.AssetCheckSeverity.ERROR if result.rule.severity == "error" else dg.AssetCheckSeverity.WARN,
        description=result.message,
        metadata=_metadata(result),
    )


def _metadata(result: RuleResult) -> dict[str, dg.MetadataValue]:
    metadata: dict[str, dg.MetadataValue] = {
        "rule": dg.MetadataValue.text(result.rule.name),
        "rows": dg.MetadataValue.int(result.looked_at),
        "seconds": dg.MetadataValue.float(round(result.seconds, 4)),
    }
    if result.rule.column:
        metadata["column"] = dg.MetadataValue.text(result.rule.column)
    if result.failing is not None:
        metadata["failing"] = dg.MetadataValue.int(result.failing)
        metadata["share"] = dg.MetadataValue.float(result.share)
    if result.query:
        metadata["query"] = dg.MetadataValue.md(f"```sql\n{result.query}\n```")
    if result.sample:
        metadata["sample"] = dg.MetadataValue.md(markdown_table(result.sample))
        metadata["raw_row_ids"] = dg.MetadataValue.json(
            [row["raw_row_id"] for row in result.sample if "raw_row_id" in row]
        )
    return metadata


def markdown_table(rows: Collection[Mapping[str, str]]) -> str:
    """Rows, which have the same columns, as a Markdown table."""
    columns = list(next(iter(rows)))
    lines = [[*columns], ["---"] * len(columns), *([_cell(row[column]) for column in columns] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("\\", "\\\\").replace("|", "\\|")
