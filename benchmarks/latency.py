"""From a change in a source to its publication, through daemon, sensor and run, with three systems at once.

    .venv/bin/python -m benchmarks.latency [--changes 100] [--json FILE]

An ERP in SQLite, a CRM behind an HTTP API, a shop that sends webhooks; each may be 30 s stale. A change is made in one
of them at a random time, and counts as visible when Dagster has the materialization of its staged dataset: landed,
audited, published, checked. Prints one JSON object: the distribution in seconds, and whether all is published.
"""

import contextlib
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar

import httpx
from dagster import AssetKey, DagsterInstance
from dagster._core.scheduler.instigation import InstigatorType

from benchmarks.command import finish, parser, say
from benchmarks.ports import free_port, wait_for_port
from staged_assets.demo.writers import CRM_FILE
from staged_assets.instance import heed_interrupts
from staged_assets.landing.warehouse import connect
from staged_assets.refresh.sensors import sensor_name
from staged_assets.settings import PACKAGE, Settings
from staged_assets_tests.webhook.deliveries import SECRET, Delivery

SOURCES = """
version: 1
defaults: {{owner: dataengineering@examplecorp.com}}
systems:
  erp:
    connector: sqlite
    connection: {{path: erp.sqlite}}
    requirements: {{max_staleness: {staleness}}}
    feeds:
      - dataset: inventory
        from: stock
        key: [stock_no]
        updated_at: changed_at
        delete_marker: {{column: deleted, values: ["1"]}}
        columns: {{inventory_id: stock_no, item_id: product_no, quantity_on_hand: on_hand}}
  crm:
    connector: rest
    connection: {{url: "http://127.0.0.1:{crm}"}}
    requirements: {{max_staleness: {staleness}}}
    feeds:
      - dataset: consumers
        from: contacts
        key: [contact_id]
        updated_at: updated_at
        columns: {{consumer_id: contact_id, consumer_name: full_name}}
  shop:
    connector: webhook
    connection: {{path: spool, secret: "${{SHOP_SECRET}}"}}
    requirements: {{max_staleness: {staleness}}}
    feeds:
      - dataset: sales
        from: sales
        key: [sale_id]
        updated_at: sold_at
        columns: {{sale_id: sale_id, sale_date: sold_at, item_id: sku, quantity: quantity, total_price: total}}
"""
ALERTS = """
version: 1
channels: {console: {kind: console}}
routes: []
otherwise: [console]
"""

#: A code server of its own, as in production: one that the daemon starts by itself is started anew every minute.
WORKSPACE = """
load_from: [{{grpc_server: {{host: 127.0.0.1, port: {port}, location_name: staged_assets}}}}]
"""

#: system → the staged asset in which its changes are seen
STAGED = {"erp": "stg_inventory", "crm": "stg_consumers", "shop": "stg_sales"}
#: seconds that anything may take
PATIENCE = 240.0


def now() -> str:
    """As the systems write a time."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


@dataclass
class Scene:
    """Three systems, the daemon and its code server, in a folder.

    Attributes:
        folder: for everything.
        staleness: that may be, of each system.
        changes: system → changes made so far.
        sources: the systems' `sources.yaml`, but for the CRM's port and the staleness.
    """

    sources: ClassVar[str] = SOURCES
    folder: Path
    staleness: str = "30s"
    changes: dict[str, int] = field(default_factory=lambda: dict.fromkeys(STAGED, 0))

    def __post_init__(self) -> None:
        self.crm_port, self.shop_port, self.code_port = free_port(), free_port(), free_port()
        self.settings = Settings(home=self.folder, sources=self.folder / "sources.yaml")
        (self.folder / "sources.yaml").write_text(self.sources.format(crm=self.crm_port, staleness=self.staleness))
        (self.folder / "alerts.yaml").write_text(ALERTS)
        (self.folder / "workspace.yaml").write_text(WORKSPACE.format(port=self.code_port))
        self.home = self.folder / "dagster"
        self.home.mkdir(exist_ok=True)
        (self.home / "dagster.yaml").write_bytes((PACKAGE / "dagster.yaml").read_bytes())
        (self.folder / "crm").mkdir(exist_ok=True)
        self._erp("create table stock (stock_no, product_no, on_hand, changed_at, deleted)")
        with contextlib.closing(sqlite3.connect(self.folder / CRM_FILE)) as store:
            store.execute("create table contacts (seq integer primary key, updated_at text, body text not null)")
        self.environment = {
            **os.environ,
            "DAGSTER_HOME": str(self.home),
            "STAGED_ASSETS_HOME": str(self.folder),
            "STAGED_ASSETS_SOURCES": str(self.folder / "sources.yaml"),
            "STAGED_ASSETS_ALERTS": str(self.folder / "alerts.yaml"),
            "SHOP_SECRET": SECRET,
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[DagsterInstance]:
        """Start everything; it ends with the block."""
        os.environ["DAGSTER_HOME"] = str(self.home)
        try:
            self.start_sources()
            self.start_code_server()
            self.start_daemon()
            with DagsterInstance.from_config(str(self.home)) as instance:
                yield instance
        finally:
            for name in list(self._processes):
                self.stop(name)

    def start_sources(self) -> None:
        """Start the CRM and the shop's receiver."""
        self.start_crm()
        self._start("shop", "-m", "staged_assets.cli", "webhook", "--port", str(self.shop_port))
        wait_for_port(self.shop_port, PATIENCE)

    def start_crm(self) -> None:
        """Start the CRM."""
        self._start("crm", "-m", "staged_assets.demo.crm_server", str(self.folder), "--port", str(self.crm_port))
        wait_for_port(self.crm_port, PATIENCE)

    def start_code_server(self) -> None:
        """Start the code server, and wait until it has loaded everything."""
        module, port = "staged_assets.definitions", str(self.code_port)
        self._start("code", "-m", "dagster", "api", "grpc", "--module-name", module, "--port", port)
        wait_for_port(self.code_port, PATIENCE)

    def start_daemon(self) -> None:
        """Start the daemon."""
        workspace = str(self.folder / "workspace.yaml")
        self._start("daemon", "-m", "dagster._daemon", "run", "--workspace", workspace)

    def stop(self, name: str, *, kill: bool = False) -> None:
        """End one of the processes."""
        process = self._processes.pop(name)
        process.kill() if kill else process.terminate()
        process.wait(timeout=60)

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / f"{name}.log").read_text(errors="replace")

    def change(self, system: str) -> int:
        """Make a new record in a system; its key."""
        self.changes[system] += 1
        number = self.changes[system]
        if system == "erp":
            self._erp(f"insert into stock values ('{number}', '1', '{number % 100}', '{now()}', '0')")
        elif system == "crm":
            self._post_contact({"contact_id": str(number), "full_name": f"Contact {number}"})
        else:
            sale = {"sale_id": number, "sold_at": now(), "sku": 1, "quantity": 1, "total": "9.90"}
            self._deliver(sale, f"sale-{number}")
        return number

    def update(self, number: int, on_hand: int) -> None:
        """Change a record of the ERP."""
        self._erp(f"update stock set on_hand = '{on_hand}', changed_at = '{now()}' where stock_no = '{number}'")

    def delete(self, number: int) -> None:
        """Delete a record of the ERP, which marks it."""
        self._erp(f"update stock set deleted = '1', changed_at = '{now()}' where stock_no = '{number}'")

    def staged(self) -> dict[str, int]:
        """System → its records that are published."""
        with connect(self.settings, read_only=True) as connection:
            return {
                system: int(connection.execute(f"select count(*) from staged.{table}").fetchall()[0][0])
                for system, table in STAGED.items()
            }

    def _erp(self, statement: str, *values: Any) -> None:
        database = sqlite3.connect(self.folder / "erp.sqlite", isolation_level=None, timeout=60)
        with contextlib.closing(database):
            database.execute(statement, values)

    def _post_contact(self, contact: dict[str, Any]) -> None:
        httpx.post(f"http://127.0.0.1:{self.crm_port}/contacts", json=contact).raise_for_status()

    def _deliver(self, sale: dict[str, Any], name: str) -> None:
        delivery = Delivery(json.dumps(sale).encode(), name, path="/shop/sales")
        url = f"http://127.0.0.1:{self.shop_port}{delivery.path}"
        httpx.post(url, content=delivery.body, headers=delivery.signed()).raise_for_status()

    def _start(self, name: str, *command: str) -> None:
        heed_interrupts()
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [sys.executable, *command], cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )


def visible_at(instance: DagsterInstance, asset: str, since: float) -> float | None:
    """When a run published something new in an asset, after a time; None where none has."""
    event = instance.get_latest_materialization_event(AssetKey(asset))
    if event is None or event.timestamp < since or event.asset_materialization is None:
        return None
    # A confirmation that there is nothing new has no run.
    new = event.asset_materialization.metadata.get("new_rows")
    return event.timestamp if event.run_id and new is not None and new.value else None


def wait_until_visible(instance: DagsterInstance, asset: str, since: float) -> float:
    """Seconds from a time until something new was published in an asset."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        seen = visible_at(instance, asset, since)
        if seen is not None:
            return seen - since
        time.sleep(0.1)
    raise TimeoutError(f"nothing new in {asset} after {PATIENCE:.0f} s")


def measure(changes: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Make so many changes, one after the other, and time each."""
    dice = random.Random(7)  # noqa: S311
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder))
        with scene.running() as instance:
            for system, asset in STAGED.items():
                started = time.time()
                scene.change(system)
                progress(f"first {system}: {wait_until_visible(instance, asset, started):.1f} s")
            found: dict[str, list[float]] = {system: [] for system in STAGED}
            for number in range(changes):
                system = dice.choice(list(STAGED))
                time.sleep(dice.uniform(0, 5))
                started = time.time()
                scene.change(system)
                found[system].append(wait_until_visible(instance, STAGED[system], started))
                progress(f"{number + 1} of {changes}, {system}: {found[system][-1]:.1f} s")
            runs = instance.get_runs_count()
            asking, requesting = _tick_seconds(instance)
        is_whole = scene.staged() == scene.changes
    times = sorted(seconds for each in found.values() for seconds in each)
    return {
        "changes": len(times),
        "median_seconds": _part(times, 0.5),
        "p95_seconds": _part(times, 0.95),
        "slowest_seconds": _part(times, 1.0),
        "median_by_system": {system: _part(sorted(each), 0.5) for system, each in found.items() if each},
        "runs": runs,
        "ticks": len(asking) + len(requesting),
        "tick_p95_seconds": _part(asking, 0.95),
        "tick_with_run_p95_seconds": _part(requesting, 0.95),
        "all_published": is_whole,
    }


def _tick_seconds(instance: DagsterInstance) -> tuple[list[float], list[float]]:
    """What the ticks of the systems' sensors took: those that only asked, and those for which a run was submitted."""
    found: tuple[list[float], list[float]] = ([], [])
    for state in instance.all_instigator_state(instigator_type=InstigatorType.SENSOR):
        if state.instigator_name in map(sensor_name, STAGED):
            for tick in instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=500):
                if tick.end_timestamp is not None:
                    found[bool(tick.run_ids)].append(tick.end_timestamp - tick.timestamp)
    return sorted(found[False]), sorted(found[True])


def _part(times: list[float], share: float) -> float:
    return round(times[min(int(len(times) * share), len(times) - 1)], 2)


def main() -> None:
    """Measure and print."""
    given = parser(__doc__)
    given.add_argument("--changes", type=int, default=100)
    options = given.parse_args()
    finish(options, measure(options.changes, say))


if __name__ == "__main__":
    main()
