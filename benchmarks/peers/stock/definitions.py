"""The stock stack's code location; the environment variable `STOCK_FOLDER` says where its dbt project is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb
import pandera.errors
import pandera.pandas as pa
from dagster_dbt import DbtCliResource, DbtProject, dbt_assets

from benchmarks.peers.limit import THREADS
from benchmarks.peers.staging import MODELS, Model

FOLDER = Path(os.environ["STOCK_FOLDER"])
PROJECT = DbtProject(project_dir=FOLDER / "dbt")
_not_negative = pa.Check.ge(0)
_amounts = {"item_price": _not_negative, "unit_price": _not_negative, "discount": pa.Check.in_range(0, 1)}

#: dataset → rules beside those of its key and its required columns: column → check.
VALUES: dict[str, dict[str, pa.Check]] = {
    "consumers": {"loyalty_points": _not_negative},
    "inventory": {"quantity_on_hand": _not_negative},
    "items": {"item_price": _amounts["item_price"], "stock_quantity": _not_negative},
    "loyalty_activities": {"points_earned": _not_negative, "points_redeemed": _not_negative},
    "offers": {"discount": _amounts["discount"]},
    "orders": {"quantity_ordered": _not_negative, "unit_price": _amounts["unit_price"]},
    "sales": {"payment_method": pa.Check.isin(["card", "cash", "wallet", "voucher"])},
}


@dbt_assets(manifest=PROJECT.manifest_path)
def staging(context: dg.AssetExecutionContext, dbt: DbtCliResource) -> Iterator[Any]:
    """The fourteen models and their tests."""
    yield from dbt.cli(["build"], context=context).stream()


def schema_of(model: Model) -> pa.DataFrameSchema:
    """Pandera's schema on pandas; it knows only the columns that it has a rule for."""
    required = {name: pa.Column(nullable=False, unique=name == model.key) for name in model.required}
    values = {name: pa.Column(nullable=True, checks=check) for name, check in VALUES.get(model.dataset, {}).items()}
    return pa.DataFrameSchema({**required, **values})


def _check(model: Model) -> dg.AssetChecksDefinition:
    schema = schema_of(model)

    @dg.asset_check(asset=dg.AssetKey([model.name]), name="contract")
    def contract() -> dg.AssetCheckResult:
        columns = ", ".join(schema.columns)
        with duckdb.connect(str(FOLDER / "stock.duckdb"), read_only=True, config={"threads": THREADS}) as connection:
            frame = connection.execute(f"select {columns} from {model.name}").df()
        try:
            schema.validate(frame, lazy=True)
        except pandera.errors.SchemaErrors as errors:
            return dg.AssetCheckResult(passed=False, metadata={"failures": len(errors.failure_cases)})
        return dg.AssetCheckResult(passed=True)

    return contract


defs = dg.Definitions(
    assets=[staging],
    asset_checks=[_check(model) for model in MODELS.values()],
    jobs=[dg.define_asset_job("refresh", selection=dg.AssetSelection.all())],
    resources={"dbt": DbtCliResource(project_dir=PROJECT)},
    # With the default one each of the checks would be a process, which imports everything anew.
    executor=dg.in_process_executor,
)
