"""Checks as Dagster runs them: with a refresh, and by themselves."""

import dagster as dg
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.definitions import build_defs
from staged_assets.landing.warehouse import connect
from staged_assets.validation.table_checks import published_rules
from staged_assets_tests.command_line import CommandLine

Evaluations = dict[tuple[str, str], dg.AssetCheckEvaluation]


def _evaluate(definitions: dg.Definitions, keys: set[dg.AssetCheckKey]) -> dg.ExecuteInProcessResult:
    """As "Execute" in the web UI does."""
    job = definitions.resolve_implicit_global_asset_job_def()
    return job.get_subset(asset_selection=set(), asset_check_selection=keys).execute_in_process(raise_on_error=False)


def _by_name(result: dg.ExecuteInProcessResult) -> Evaluations:
    return {(one.asset_key.to_user_string(), one.check_name): one for one in result.get_asset_check_evaluations()}


@pytest.fixture
def definitions(command: CommandLine, monkeypatch: pytest.MonkeyPatch) -> dg.Definitions:
    monkeypatch.chdir(command.home)
    return build_defs(command.settings, {"operational_systems": dg.ResourceDefinition.none_resource()})


def _keys(definitions: dg.Definitions, asset: str) -> set[dg.AssetCheckKey]:
    graph = definitions.resolve_asset_graph()
    return {key for key in graph.asset_check_keys if key.asset_key == dg.AssetKey(asset)}


def test_every_staged_dataset_has_its_checks_and_every_job_runs_them(definitions: dg.Definitions) -> None:
    jobs = {job.name: job for job in map(definitions.resolve_job_def, ("refresh_all", "refresh_erp"))}
    of_jobs = {name: set(job.asset_layer.asset_graph.asset_check_keys) for name, job in jobs.items()}
    for dataset in DATASETS:
        keys = _keys(definitions, f"stg_{dataset}")
        others = {rule.name for rule in published_rules(dataset) if rule.name.startswith("table__")} - {
            "table__columns"
        }
        assert others | {"table__contract", "batch__audited"} <= {key.name for key in keys}
        assert keys <= of_jobs["refresh_all"]
    assert _keys(definitions, "stg_items") <= of_jobs["refresh_erp"]


def test_checks_run_by_themselves_and_look_at_what_is_published(
    command: CommandLine, definitions: dg.Definitions
) -> None:
    keys = _keys(definitions, "stg_sales")
    with connect(command.settings) as connection:
        before = connection.execute("select count(*) from control.refreshes").fetchone()
        connection.execute("update staged.stg_sales set payment_method = 'Zanzibar' where payment_method = 'card'")
        (rows,) = connection.execute("select count(*) from staged.stg_sales").fetchall()[0]
    result = _evaluate(definitions, keys)
    found = _by_name(result)
    assert result.success
    assert {("stg_sales", key.name) for key in keys} == found.keys()
    failed = {name for (_, name), one in found.items() if not one.passed and one.severity.value == "ERROR"}
    assert failed == {"table__contract", "sales__payment_method__accepted_values"}
    for name in failed:
        metadata = {key: value.value for key, value in found["stg_sales", name].metadata.items()}
        assert (metadata["rows"], metadata["column"]) == (rows, "payment_method")
        assert metadata["raw_row_ids"]
        assert "stg_sales" in str(metadata["query"])
        assert float(str(metadata["seconds"])) > 0
    with connect(command.settings, read_only=True) as connection:
        assert connection.execute("select count(*) from control.refreshes").fetchone() == before
        recorded = connection.execute("select name from control.checks where status = 'failed'").fetchall()
        assert {name for (name,) in recorded} == failed


def test_one_check_runs_by_itself(definitions: dg.Definitions) -> None:
    key = dg.AssetCheckKey(dg.AssetKey("stg_offers"), "table__reconciled")
    assert list(_by_name(_evaluate(definitions, {key}))) == [("stg_offers", "table__reconciled")]


def test_what_the_engine_can_not_do_is_a_failed_step_and_no_failed_check(
    command: CommandLine, definitions: dg.Definitions
) -> None:
    with connect(command.settings) as connection:
        connection.execute("drop view if exists staged.quarantine_offers; drop table staged.dispositions_offers")
    keys = {dg.AssetCheckKey(dg.AssetKey(f"stg_{name}"), "table__reconciled") for name in ("offers", "sales")}
    result = _evaluate(definitions, keys)
    assert not result.success
    assert list(_by_name(result)) == [("stg_sales", "table__reconciled")]


def test_a_warehouse_that_can_not_be_opened_is_a_failed_step_and_no_failed_check(
    command: CommandLine, definitions: dg.Definitions
) -> None:
    command.settings.warehouse_path.write_bytes(b"no database")
    result = _evaluate(definitions, _keys(definitions, "stg_offers"))
    assert (result.success, _by_name(result)) == (False, {})
