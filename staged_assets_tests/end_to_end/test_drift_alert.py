"""A source's columns change: all is landed and published, and a person is told, as a warning."""

from pathlib import Path

import dagster as dg
import duckdb
import pytest
import yaml
from dagster import DagsterInstance

from staged_assets.alerts.config import load_alerts
from staged_assets.alerts.sensor import AlertTicks
from staged_assets.landing.warehouse import connect
from staged_assets_tests.alerts.conftest import Clock, Webhook, webhook
from staged_assets_tests.command_line import CommandLine
from staged_assets_tests.sources.described import described
from staged_assets_tests.staged_area import copy_warehouse

__all__ = ["webhook"]

ALERTS = {
    "version": 1,
    "channels": {"hook": {"kind": "apprise", "url": "${HOOK}"}, "console": {"kind": "console"}},
    "routes": [{"severities": ["warn"], "to": ["hook"]}],
    "otherwise": ["console"],
}


class Sensor:
    """The alert sensor, ticking when told to."""

    def __init__(self, command: CommandLine, hook: Webhook) -> None:
        path = command.home / "alerts.yaml"
        path.write_text(yaml.safe_dump(ALERTS))
        self._clock = Clock()
        self._ticks = AlertTicks(load_alerts(path, {"HOOK": hook.url}), self._clock, 10.0, "alerts")

    def tick(self) -> None:
        self._clock.pass_by(minutes=2)
        with DagsterInstance.get() as instance:
            self._ticks.tick(dg.build_sensor_context(instance, definitions=dg.Definitions()))


@pytest.fixture
def shop(shared_home: Path, published_warehouse: Path, tmp_path: Path) -> CommandLine:
    """The command in a home whose only system is a table of visits, not run yet."""
    columns = {"touchpoint_id": "id", "touchpoint_name": "name", "description": "kind"}
    feed = {"from": "visit", "columns": columns}
    sources = described(tmp_path, "duckdb", {"path": str(tmp_path / "shop.duckdb")}, feed)
    command = CommandLine(tmp_path / "home", {"STAGED_ASSETS_SOURCES": str(sources.path)})
    copy_warehouse(published_warehouse, command.home)
    command.share_parsed_project(shared_home)
    return command


def _visits(folder: Path, columns: str, row: str) -> None:
    with duckdb.connect(folder / "shop.duckdb") as connection:
        connection.execute(f"create or replace table visit ({columns}); insert into visit values ({row})")


def test_columns_that_come_go_and_change_are_a_warning_told_by_the_webhook(
    shop: CommandLine, webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(shop.settings.dagster_home))
    run = ("run", "--dataset", "touchpoints", "--json")
    _visits(tmp_path, "id int, name varchar, kind varchar, score int", "1, 'Till', 'online', 5")
    shop.run(*run).expect_success()
    sensor = Sensor(shop, webhook)
    sensor.tick()

    _visits(tmp_path, "id int, name varchar, score decimal(9, 2), color varchar", "2, 'Desk', 7.25, 'red'")
    ended = shop.run(*run).expect_success()
    sensor.tick()

    assert ended.json["datasets"]["touchpoints"]["outcome"] == "published"
    with connect(shop.settings, read_only=True) as connection:
        sql = (
            "select touchpoint_name, _extra->>'score', _extra->>'color' from raw.touchpoints where touchpoint_id = '2'"
        )
        assert connection.execute(sql).fetchall() == [("Desk", "7.25", "red")]
        assert connection.execute(
            "select touchpoint_name from staged.stg_touchpoints where touchpoint_id = 2"
        ).fetchall() == [("Desk",)]
        sentences = [said for (said,) in connection.execute("select unnest(problems) from control.landings").fetchall()]
    for column in ("'kind'", "'score'", "'color'"):
        assert sum(column in sentence for sentence in sentences) >= 1
    [text] = webhook.texts
    assert text.startswith("staged-assets: 1 warning\n")
    assert "raw/touchpoints source_columns" in text

    shop.run(*run).expect_success()
    sensor.tick()
    assert webhook.texts[1].startswith("staged-assets: 1 recovered\n")
