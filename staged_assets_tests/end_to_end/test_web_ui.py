"""What a person sees and can do in the web UI: server, daemon and runs as in use, looked at in a real browser."""

import subprocess
from collections.abc import Collection, Iterator

import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.settings import DEMO_SOURCES
from staged_assets.sources.config import load_sources
from staged_assets_tests.end_to_end.web_ui import Browser, Node, WebUi, browsing, command, serving

SOURCES = load_sources(DEMO_SOURCES)
SYSTEMS = sorted(SOURCES.systems)
OWNER = "dataengineering@examplecorp.com"
COMPANIONS = {
    "consumers": ["identities", "unified"],
    "inventory": ["movements"],
    "loyalty_activities": ["by_consumer"],
    "offers": ["usage"],
    "orders": ["by_consumer"],
    "sales": ["daily"],
    "shops": ["performance"],
}

#: As many test processes as there may be, one server is enough.
pytestmark = pytest.mark.xdist_group("web_ui")


@pytest.fixture(scope="module")
def ui(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WebUi]:
    home = tmp_path_factory.mktemp("home")
    arguments, environment = command(home, "run", "--scale", "1000")
    done = subprocess.run(arguments, env=environment, cwd=home, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    with serving(home) as running:
        yield running


@pytest.fixture(scope="module")
def browser(ui: WebUi, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    # High enough for a whole group: the graph draws only what is in sight.
    with browsing(ui, tmp_path_factory.mktemp("browser"), width=2400, height=3600) as window:
        yield window


@pytest.fixture(scope="module")
def assets(ui: WebUi) -> dict[str, Node]:
    return ui.assets()


def datasets_of(system: str) -> list[str]:
    return [name for name in DATASETS if SOURCES.primary_system(name) == system]


def materializable(datasets: Collection[str]) -> int:
    """Raw, staged and quarantine of each, and the companions."""
    return 3 * len(datasets) + sum(len(COMPANIONS.get(name, [])) for name in datasets)


def dependencies(node: Node) -> set[str]:
    return {"/".join(key["path"]) for key in node["dependencyKeys"]}


def test_the_lineage_is_grouped_by_source_system(browser: Browser) -> None:
    browser.open("/asset-groups", "Global asset lineage", *SYSTEMS)
    browser.keep("lineage")


@pytest.mark.parametrize("system", SYSTEMS)
def test_a_group_shows_the_way_of_its_data(browser: Browser, system: str) -> None:
    datasets = datasets_of(system)
    drawn = [feed.name for feed in SOURCES.systems[system].feeds] + datasets
    drawn += [f"{role}_{name}" for name in datasets for role in ("stg", "quarantine")]
    # The longest names are shortened in the middle.
    drawn += [f"__{made}" for name in datasets for made in COMPANIONS.get(name, [])]

    page = browser.open(f"/locations/staged_assets/asset-groups/{system}/lineage", *drawn, "Materialized")

    browser.keep(f"group-{system}")
    assert page.count("dbt") >= 2 * len(datasets)
    assert page.count("DuckDB") >= 3 * len(datasets)


def test_the_way_leads_from_operational_table_to_raw_to_staged_and_quarantine(assets: dict[str, Node]) -> None:
    for name in DATASETS:
        feeds = {f"{system}/{feed.name}" for system, feed in SOURCES.feeds_of(name)}
        assert dependencies(assets[f"raw/{name}"]) == feeds
        assert not any(assets[feed]["isMaterializable"] for feed in feeds)
        for made in (f"stg_{name}", f"quarantine_{name}"):
            assert dependencies(assets[made]) == {f"raw/{name}"}
            assert assets[made]["groupName"] == SOURCES.primary_system(name)


def test_companions_come_after_staged_datasets_alone(assets: dict[str, Node]) -> None:
    companions = {f"stg_{name}__{made}" for name, all_made in COMPANIONS.items() for made in all_made}
    assert {key for key in assets if "__" in key} == companions
    for key in companions:
        above = dependencies(assets[key])
        assert key.split("__")[0] in above
        assert all(upstream.startswith("stg_") for upstream in above)


def test_every_asset_is_described_owned_and_of_a_kind(assets: dict[str, Node]) -> None:
    for key, node in assets.items():
        assert node["description"], key
        assert "select " not in node["description"].lower(), f"{key} is described by SQL"
        assert node["owners"] == [{"email": OWNER}], key
        assert node["kinds"], key


def test_the_page_of_a_staged_dataset(browser: Browser, ui: WebUi) -> None:
    rows = int(ui.materializations("stg_sales")[0]["dagster/row_count"])
    described = "Sales transactions, returns among them; one row for each sale_id."
    shown = ("Row count", "Columns", "Owners", "Kinds", "sold_at", "rejected_by_reason", described)
    browser.open("/assets/stg_sales", *shown)
    browser.keep("asset-stg_sales")
    browser.see(OWNER)
    browser.see(f"Row count\n{rows:,}")
    browser.see("sale_id\nbigint\nKey of the sale.")
    browser.see("total_price\ndecimal(18,4)\nTotal price of the units.")


def test_the_page_of_a_quarantine(browser: Browser) -> None:
    described = "The rejected raw rows as they came, with every reason."
    browser.open("/assets/quarantine_sales", "Row count", "_reject_reasons", "rejected_by_reason", described)
    browser.keep("asset-quarantine_sales")
    browser.see("malformed_record")


def test_the_page_of_a_raw_table(browser: Browser) -> None:
    browser.open("/assets/raw/sales", "Row count", "_landing_id", "already_landed")
    browser.keep("asset-raw_sales")
    browser.see("ecommerce / sales")
    browser.see("sale_id\nvarchar\nKey of the sale.")


def test_the_page_of_an_operational_table(browser: Browser) -> None:
    browser.open("/assets/erp/product", "External Asset", "Merchandise management")
    browser.keep("asset-erp_product")
    browser.see("raw / items")


def test_assets_show_how_they_are_refreshed_and_why(browser: Browser) -> None:
    reason = "no more than an hour, and events come as files or deliveries"
    for asset in ("stg_sales", "ecommerce/sales"):
        browser.open(f"/assets/{asset}", "real time", "event arrival", reason)
    browser.keep("refresh-ecommerce_sales")
    browser.open("/assets/erp/branch", "daily at 22:00 Europe/Berlin", "one batch a day, in its window, is enough")


def test_sensors_and_schedules_are_listed(browser: Browser) -> None:
    sensors = [f"{system}_changes" for system in SYSTEMS]
    browser.open("/automation", *sensors, "erp_at_22_00", "alerts")
    browser.keep("automation")


def test_the_checks_of_a_dataset_are_shown_with_what_they_are_about(browser: Browser) -> None:
    page = browser.open("/assets/stg_sales?view=checks", "table__reconciled", "Succeeded")
    browser.keep("checks-stg_sales")
    assert "No description provided" not in page
    browser.open("/assets/stg_sales?view=checks&checkDetail=table__reconciled", "Latest execution", "failing")
    browser.see("exactly one disposition")


def test_one_asset_is_materialized_from_its_page(browser: Browser, ui: WebUi) -> None:
    before = ui.materializations("stg_touchpoints")
    browser.open("/assets/stg_touchpoints", "Materialize", "Columns")

    run = ui.finished(ui.started_by(lambda: browser.click("Materialize")))

    assert run["status"] == "SUCCESS"
    assert run["assetSelection"] == [{"path": ["stg_touchpoints"]}]
    after = ui.materializations("stg_touchpoints")
    assert len(after) == len(before) + 1
    assert {"dagster/row_count", "landed", "staged", "rejected"} <= set(after[0])
    assert all(after[0][name] == before[0][name] for name in ("dagster/row_count", "landed", "staged", "rejected"))


def test_counts_are_plotted_over_time(browser: Browser) -> None:
    browser.open("/assets/stg_touchpoints", "Plots", "rejected_by_reason")
    browser.click("Plots")
    page = browser.see("dagster/row_count", "landed", "staged", "rejected", "superseded", "duplicate", "deleted")
    browser.keep("plots-stg_touchpoints")
    assert "No numeric metadata" not in page
    assert browser.elements("canvas") >= 7


def test_what_did_not_change_keeps_its_check_results(browser: Browser) -> None:
    page = browser.open("/assets/stg_touchpoints?view=checks", "table__reconciled", "Succeeded")
    assert "Skipped" not in page


def test_a_group_and_everything_at_once_run_one_after_the_other_and_succeed(browser: Browser, ui: WebUi) -> None:
    of_group, of_all = (f"Materialize all ({materializable(datasets)})" for datasets in (datasets_of("erp"), DATASETS))
    browser.open("/locations/staged_assets/asset-groups/erp/lineage", "stg_items", of_group)
    group = ui.started_by(lambda: browser.click(of_group))
    browser.open("/asset-groups", "Global asset lineage", of_all)
    everything = ui.started_by(lambda: browser.click(of_all))

    first, second = ui.finished(group), ui.finished(everything)
    browser.open("/runs", group[:8], everything[:8])
    browser.keep("runs")
    assert (first["status"], second["status"]) == ("SUCCESS", "SUCCESS")
    assert len(first["assetSelection"]) == materializable(datasets_of("erp"))
    assert len(second["assetSelection"]) == materializable(DATASETS)
    assert second["startTime"] >= first["endTime"]
