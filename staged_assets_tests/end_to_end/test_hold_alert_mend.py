"""A feed changes its dates: its dataset is held and a person told, once; mended, all is published, and told again."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from staged_assets.landing.warehouse import connect
from staged_assets.settings import PACKAGE
from staged_assets_tests.alerts.conftest import Webhook, webhook
from staged_assets_tests.alerts.daemon import running_daemon, wait_for
from staged_assets_tests.command_line import CommandLine, Ended

__all__ = ["webhook"]

#: Under which the sensor keeps what it remembers.
MEMORY = {"staged_assets/alerts/staged_assets/alerts"}

ALERTS = """
version: 1
channels: {hook: {kind: apprise, url: "${HOOK}"}, console: {kind: console}}
routes: [{severities: [error], kinds: [check, run], to: [hook]}]
otherwise: [console]
interval_seconds: 1
gather_seconds: 2
"""

ORDERS = range(900_001, 900_301)
OUTPUTS = ("stg_orders", "stg_orders__by_consumer", "quarantine_orders", "dispositions_orders")


def _send_orders(command: CommandLine, day: int, date: str) -> None:
    """The shop sends the events of a day: orders, with their date written in some way."""
    events = (
        {"op": "upsert", "order_id": key, "sku": 1, "seller_id": 1, "ordered_on": date, "quantity": 2,
         "status": "placed", "promised_on": "2027-02-01", "account_id": 1, "unit_price": "9.90",
         "updated_at": f"2027-01-{day:02d}T12:00:00Z"}
        for key in ORDERS
    )  # fmt: skip
    path = command.settings.demo_path / "ecommerce" / "orders" / f"2027-01-{day:02d}.ndjson"
    path.write_text("".join(json.dumps(event) + "\n" for event in events))


def _content(command: CommandLine) -> dict[str, Any]:
    """What is published of orders, and how far."""
    with connect(command.settings, read_only=True) as connection:
        found = {name: connection.execute(f"from staged.{name} order by all").fetchall() for name in OUTPUTS}
        mark = "select landing_id from control.watermarks where dataset = 'orders'"
        return found | {"watermark": connection.execute(mark).fetchall()}


def _outcomes(ended: Ended) -> dict[str, str]:
    return {name: entry["outcome"] for name, entry in ended.json["datasets"].items()}


def _daemon(command: CommandLine, hook: Webhook, folder: Path) -> AbstractContextManager[Callable[[], str]]:
    (folder / "alerts.yaml").write_text(ALERTS)
    home = command.settings.dagster_home
    environ = {
        **command.environment, "DAGSTER_HOME": str(home), "STAGED_ASSETS_ALERTS": str(folder / "alerts.yaml"),
        "HOOK": hook.url, "STAGED_ASSETS_AUTOMATIC": "false",
    }  # fmt: skip
    return running_daemon(home, environ, "--workspace", str(PACKAGE / "workspace.yaml"))


def test_a_changed_date_format_is_held_told_and_mended(
    command: CommandLine, webhook: Webhook, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DAGSTER_HOME", str(command.settings.dagster_home))
    with DagsterInstance.get() as instance, _daemon(command, webhook, tmp_path) as log:
        wait_for("the first tick", lambda: instance.daemon_cursor_storage.get_cursor_values(MEMORY), log)
        before = _content(command)

        _send_orders(command, 1, "Jan 1, 27")
        held = command.run("run", "--json")
        assert held.status == 1
        outcomes = _outcomes(held)
        assert outcomes.pop("orders") == "held"
        # The demo had news for the others.
        assert set(outcomes.values()) == {"published", "unchanged"}
        assert outcomes["sales"] == "published"
        assert _content(command) == before
        wait_for("the alert", lambda: webhook.received, log)

        again = command.run("run", "--dataset", "orders", "--json")
        assert (_outcomes(again)["orders"], _content(command)) == ("held", before)

        _send_orders(command, 2, "2027-01-02")
        mended = command.run("run", "--json").expect_success()
        assert set(_outcomes(mended).values()) == {"published", "unchanged"}
        assert mended.json["datasets"]["orders"]["pending"] == 0
        wait_for("the recovery", lambda: len(webhook.received) > 1, log)

    alert, recovery = webhook.texts
    assert alert.startswith("staged-assets: 1 error\n")
    assert "stg_orders batch__audited" in alert
    assert "rule batch__reject_share" in alert
    assert f"/runs/{held.json['run_id']}" in alert
    assert recovery.startswith("staged-assets: 1 recovered\n")
    assert "stg_orders batch__audited" in recovery
    assert "(2 runs)" in recovery
    with connect(command.settings, read_only=True) as connection:
        sql = "select count(*) from staged.stg_orders where order_id > 900000 and order_date = date '2027-01-02'"
        assert connection.execute(sql).fetchall() == [(len(ORDERS),)]
