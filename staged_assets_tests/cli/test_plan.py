"""`staged-assets plan` on the examples, one of which is refused, and on the demo."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from staged_assets import cli
from staged_assets.errors import ConfigurationError
from staged_assets.settings import DEMO_SOURCES, EXAMPLES, example_names

#: three that come with the package, and are shown in the documentation
NIGHTLY, REAL_TIME, REFUSED = (EXAMPLES / "plan" / f"{name}.yaml" for name in ("nightly", "real-time", "refused"))
DOCS = Path(__file__).parents[2] / "docs" / "refresh.md"


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


@pytest.mark.parametrize("path", [NIGHTLY, REAL_TIME, REFUSED], ids=lambda path: path.stem)
def test_each_example_says_what_it_shows_and_is_in_the_documentation(path: Path) -> None:
    assert path.read_text().startswith("# Shows: ")
    assert f"STAGED_ASSETS_SOURCES=staged_assets/examples/plan/{path.name} staged-assets plan" in DOCS.read_text()
    assert f"](plan/{path.name})" in (EXAMPLES / "README.md").read_text()


def test_batches_at_night(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _rows(monkeypatch, NIGHTLY) == {
        ("tills", "sales"): ("batch", "schedule", "15 1 * * *", 86_400),
        ("purchasing", "suppliers"): ("batch", "schedule", "30 3 * * *", 86_400),
    }
    shown = _plan(monkeypatch, NIGHTLY)
    assert "daily at 01:15 Europe/Berlin" in shown
    assert "2d are allowed, so one batch a day, at night, is enough." in shown


def test_every_way_of_real_time_and_a_dataset_that_may_be_older(monkeypatch: pytest.MonkeyPatch) -> None:
    assert _rows(monkeypatch, REAL_TIME) == {
        ("stock", "inventory"): ("real time", "change feed", None, 5),
        ("stock", "items"): ("batch", "schedule", "0 */3 * * *", 10_800),
        ("service_desk", "interactions"): ("real time", "change poll", None, 25),
        ("shop", "sales"): ("real time", "event arrival", None, 5),
    }
    assert "the server's log tells every change" in " ".join(_plan(monkeypatch, REAL_TIME).split())


def test_what_can_not_be_met_is_refused_with_what_would_meet_it(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """The sentence is the one in the documentation, and nothing else is printed."""
    monkeypatch.setenv("STAGED_ASSETS_SOURCES", str(REFUSED))
    monkeypatch.setattr("sys.argv", ["staged-assets", "plan"])
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    printed = capfd.readouterr()
    assert not printed.out
    said = " ".join(printed.err.split()).replace(str(REFUSED), "staged_assets/examples/plan/refused.yaml")
    (documented,) = [line.strip() for line in DOCS.read_text().splitlines() if "refused.yaml: " in line]
    assert documented in said
    assert "give the feed updated_at" in said


def test_doing_what_the_refusal_says_helps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = tmp_path / "sources.yaml"
    path.write_text(REFUSED.read_text().replace("10m", "45m"))
    assert _rows(monkeypatch, path)["stock", "items"][0] == "batch"
    path.write_text(
        REFUSED.read_text().replace("        from: product", "        from: product\n        updated_at: at")
    )
    assert _rows(monkeypatch, path)["stock", "items"][0] == "real time"


@pytest.mark.parametrize("name", example_names())
def test_examples_with_data_have_a_plan(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, name: str) -> None:
    for variable in ("STAGED_ASSETS_HOME", "STAGED_ASSETS_SOURCES"):
        # Set by the command itself.
        monkeypatch.setenv(variable, str(tmp_path))
    monkeypatch.delenv("STAGED_ASSETS_WAREHOUSE", raising=False)
    monkeypatch.setenv("ONLINE_RETAIL_PATH", str(tmp_path))
    result = CliRunner().invoke(cli.app, ["--example", name, "plan", "--json"], catch_exceptions=False)
    assert result.exit_code == 0
    rows = json.loads(result.stdout)
    assert {"completejourney": "grocer", "online_retail": "online_retail"}[name] in {row["system"] for row in rows}
    assert {row["mode"] for row in rows} == {"batch"}
    assert all(row["reason"] for row in rows)


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
