"""`staged-assets plan` on three configurations, one of which is refused."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from staged_assets import cli
from staged_assets.errors import ConfigurationError
from staged_assets.settings import DEMO_SOURCES

#: a warehouse management system with change data capture, and a till system that gives its files at night
TWO_SYSTEMS = """
version: 1
defaults: {owner: dataengineering@examplecorp.com}
systems:
  stock:
    connector: database
    connection: {url: "${STOCK_URL}"}
    requirements: {max_staleness: 1m}
    feeds:
      - dataset: inventory
        from: stock
        key: [stock_no]
        change_feed: {}
        columns: {inventory_id: stock_no, item_id: product_no}
      - dataset: items
        from: product
        key: [product_no]
        updated_at: changed_at
        requirements: {max_staleness: 4h}
        columns: {item_id: product_no}
  tills:
    connector: csv_files
    connection: {path: /data/tills}
    time_zone: Europe/Berlin
    batch_window: {from: "01:15", to: "04:00"}
    feeds:
      - dataset: sales
        from: "*.csv"
        key: [receipt]
        columns: {sale_id: receipt}
"""


def _plan(monkeypatch: pytest.MonkeyPatch, path: Path, *options: str) -> str:
    monkeypatch.setenv("STAGED_ASSETS_SOURCES", str(path))
    result = CliRunner().invoke(cli.app, ["plan", *options], catch_exceptions=False)
    assert result.exit_code == 0
    return result.output


def _rows(monkeypatch: pytest.MonkeyPatch, path: Path) -> dict[tuple[str, str], tuple[str, str, str | None, float]]:
    found = json.loads(_plan(monkeypatch, path, "--json"))
    return {(row["system"], row["dataset"]): (row["mode"], row["trigger"], row["cron"], row["every"]) for row in found}


def test_the_demo(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = _rows(monkeypatch, DEMO_SOURCES)
    assert rows["erp", "inventory"] == ("real time", "change poll", None, 5)
    assert rows["erp", "suppliers"] == ("batch", "schedule", "0 22 * * *", 86_400)
    assert rows["crm", "consumers"] == ("real time", "change poll", None, 10)
    assert rows["ecommerce", "sales"] == ("real time", "event arrival", None, 5)


def test_two_systems(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(TWO_SYSTEMS)
    assert _rows(monkeypatch, path) == {
        ("stock", "inventory"): ("real time", "change feed", None, 5),
        ("stock", "items"): ("batch", "schedule", "0 */3 * * *", 10_800),
        ("tills", "sales"): ("batch", "schedule", "15 1 * * *", 86_400),
    }
    shown = _plan(monkeypatch, path)
    assert "the server's log tells every change" in " ".join(shown.split())
    assert "daily at 01:15 Europe/Berlin" in shown


def test_what_can_not_be_met_is_refused_with_what_would_meet_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    path = tmp_path / "sources.yaml"
    refused = TWO_SYSTEMS.replace("        updated_at: changed_at\n", "").replace("4h", "10m")
    path.write_text(refused)
    with pytest.raises(ConfigurationError) as caught:
        _plan(monkeypatch, path)
    said = str(caught.value)
    assert said.startswith(f"{path}: what is required of items from stock (product) can't be met: max_staleness is 10m")
    assert "give the feed updated_at" in said
    assert "raise it to 45m" in said


def test_the_warehouse_is_not_asked_in_real_time(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Each refresh changes it, so each would ask for another."""
    text = """
version: 1
defaults: {owner: dataengineering@examplecorp.com}
systems:
  loader:
    connector: duckdb
    connection: {path: "${LOADED}", schema: loaded}
    requirements: {max_staleness: 10m}
    feeds:
      - dataset: items
        from: product
        key: [product_no]
        updated_at: changed_at
        columns: {item_id: product_no}
"""
    path = tmp_path / "sources.yaml"
    path.write_text(text)
    monkeypatch.setenv("STAGED_ASSETS_WAREHOUSE", str(tmp_path / "warehouse.duckdb"))
    monkeypatch.setenv("LOADED", str(tmp_path / "other.duckdb"))
    assert _rows(monkeypatch, path)["loader", "items"][0] == "real time"
    monkeypatch.setenv("LOADED", str(tmp_path / "warehouse.duckdb"))
    with pytest.raises(ConfigurationError, match=r"its file is the warehouse, .* raise max_staleness to 75m"):
        _plan(monkeypatch, path)
    path.write_text(text.replace("10m", "75m"))
    assert _rows(monkeypatch, path)["loader", "items"][0] == "batch"
