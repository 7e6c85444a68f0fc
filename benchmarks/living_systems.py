"""Three systems in operation: records are made, changed and deleted; and the web UI, by which people run things."""

import random
import time
from dataclasses import dataclass, field
from typing import Any, ClassVar

import httpx

from benchmarks.latency import PATIENCE, Scene, now
from benchmarks.ports import free_port, wait_for_port
from staged_assets.landing.warehouse import connect
from staged_assets.refresh.runs import BATCH_PRIORITY, PRIORITY_TAG, TRIGGER_TAG

#: As `SOURCES`, with deletes, and a feed in batch: read whole, so that what is not there any more is deleted.
LIVING_SOURCES = """
version: 1
defaults: {{owner: dataengineering@examplecorp.com}}
systems:
  erp:
    connector: sqlite
    connection: {{path: erp.sqlite}}
    feeds:
      - dataset: inventory
        from: stock
        key: [stock_no]
        updated_at: changed_at
        delete_marker: {{column: deleted, values: ["1"]}}
        requirements: {{max_staleness: {staleness}}}
        columns: {{inventory_id: stock_no, item_id: product_no, quantity_on_hand: on_hand}}
      - dataset: items
        from: product
        key: [product_no]
        requirements: {{max_staleness: 45m}}
        columns: {{item_id: product_no, item_name: title, stock_quantity: stock_total}}
  crm:
    connector: rest
    connection: {{url: "http://127.0.0.1:{crm}"}}
    requirements: {{max_staleness: {staleness}}}
    feeds:
      - dataset: consumers
        from: contacts
        key: [contact_id]
        updated_at: updated_at
        delete_marker: {{column: deleted, values: ["1"]}}
        columns: {{consumer_id: contact_id, consumer_name: full_name, loyalty_points: points}}
  shop:
    connector: webhook
    connection: {{path: spool, secret: "${{SHOP_SECRET}}"}}
    requirements: {{max_staleness: {staleness}}}
    feeds:
      - dataset: sales
        from: sales
        key: [sale_id]
        updated_at: changed_at
        delete_marker: {{column: deleted, values: ["1"]}}
        columns: {{sale_id: sale_id, sale_date: sold_at, item_id: sku, quantity: quantity, total_price: total}}
"""

#: feed → the staged table, its key, and the column whose value is changed
_WHERE = {
    "stock": ("stg_inventory", "inventory_id", "quantity_on_hand"),
    "product": ("stg_items", "item_id", "stock_quantity"),
    "contacts": ("stg_consumers", "consumer_id", "loyalty_points"),
    "sales": ("stg_sales", "sale_id", "quantity"),
}
#: system → its feeds
FEEDS = {"erp": ("stock", "product"), "crm": ("contacts",), "shop": ("sales",)}
#: The CRM gives the time of a change in seconds: of two in one second no one can tell which is the later.
_APART = 1.5
_LAUNCH = """
mutation Launch($run: ExecutionParams!) {
  launchPipelineExecution(executionParams: $run) {
    __typename
    ... on LaunchRunSuccess { run { runId } }
    ... on PythonError { message }
    ... on InvalidSubsetError { message }
    ... on RunConfigValidationInvalid { errors { message } }
  }
}
"""
_CHECKS = """
query Checks($key: AssetKeyInput!) {
  assetNodeOrError(assetKey: $key) {
    ... on AssetNode { assetChecksOrError { ... on AssetChecks { checks { name } } } }
  }
}
"""


@dataclass
class LivingSystems(Scene):
    """As `Scene`; and records are changed and deleted, and a feed is in batch.

    Attributes:
        dice: decides what happens.
        expected: feed → the keys that are not deleted, and their values.
        refused: sales without a date, which are to be in quarantine.
    """

    sources: ClassVar[str] = LIVING_SOURCES
    dice: random.Random = field(default_factory=lambda: random.Random(11))  # noqa: S311
    expected: dict[str, dict[int, int]] = field(default_factory=lambda: {feed: {} for feed in _WHERE})
    refused: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.web_port = free_port()
        self._numbers = dict.fromkeys(_WHERE, 0)
        self._changed: dict[tuple[str, int], float] = {}
        self._erp("create table product (product_no integer primary key, title, stock_total)")

    def start_web(self) -> None:
        """Start the web UI."""
        workspace = str(self.folder / "workspace.yaml")
        self._start("web", "-m", "dagster_webserver", "--port", str(self.web_port), "--workspace", workspace)
        wait_for_port(self.web_port, PATIENCE)

    def make(self, feed: str) -> None:
        """Make a record of a feed."""
        self._numbers[feed] += 1
        self._write(feed, self._numbers[feed], self.dice.randrange(1000), is_new=True)

    def live(self, system: str) -> str:
        """Make, change or delete a record of a system; what was done."""
        feed = self.dice.choice(FEEDS[system])
        done = self.dice.choices(["made", "changed", "deleted"], [0.6, 0.3, 0.1])[0]
        there = [key for key in self.expected[feed] if time.monotonic() > self._changed[feed, key] + _APART]
        if done == "made" or len(there) < 2:
            self.make(feed)
            return "made"
        key = self.dice.choice(there)
        if done == "changed":
            self._write(feed, key, self.dice.randrange(1000))
        else:
            self._delete(feed, key)
        return done

    def refuse(self) -> None:
        """The shop sends a sale without its date."""
        self._numbers["sales"] += 1
        self._sell(self._numbers["sales"], 1, sold_at=None)
        self.refused += 1

    def published(self) -> dict[str, dict[int, int]]:
        """Feed → the keys that are published, and their values."""
        return {
            feed: dict(self._rows(f"select {key}, {value} from staged.{table}"))
            for feed, (table, key, value) in _WHERE.items()
        }

    def quarantined(self) -> int:
        """Sales that are in quarantine."""
        return len(self._rows("from staged.quarantine_sales"))

    def launch_checks(self, feed: str) -> str:
        """Have the web UI execute all checks of a feed's table by themselves, of the whole table; the run's id."""
        key = {"path": [_WHERE[feed][0]]}
        checks = self._ask(_CHECKS, key=key)["assetNodeOrError"]["assetChecksOrError"]["checks"]
        wanted = [{"assetKey": key, "name": check["name"]} for check in checks]
        return self._launch("__ASSET_JOB", {}, assetSelection=[], assetCheckSelection=wanted)

    def launch_all(self) -> str:
        """Have the web UI run the job of all systems before all others; the run's id."""
        return self._launch("refresh_all", {}, priority="20")

    def launch_batch(self) -> str:
        """Have the web UI run the ERP's job, which lands what is in batch, too; the run's id."""
        return self._launch("refresh_erp", {"ops": {"staged_area": {"config": {"systems": ["erp"]}}}})

    def _launch(self, job: str, config: dict[str, Any], *, priority: str = BATCH_PRIORITY, **selected: Any) -> str:
        selector = {"repositoryLocationName": "staged_assets", "repositoryName": "__repository__", "pipelineName": job}
        tags = [{"key": PRIORITY_TAG, "value": priority}, {"key": TRIGGER_TAG, "value": "web UI"}]
        run = {
            "selector": {**selector, **selected}, "mode": "default", "runConfigData": config,
            "executionMetadata": {"tags": tags},
        }  # fmt: skip
        answer = self._ask(_LAUNCH, run=run)["launchPipelineExecution"]
        if answer["__typename"] != "LaunchRunSuccess":
            raise RuntimeError(f"the web UI did not launch {job}: {answer}")
        return str(answer["run"]["runId"])

    def _ask(self, query: str, **variables: Any) -> dict[str, Any]:
        body = {"query": query, "variables": variables}
        answer = httpx.post(f"http://127.0.0.1:{self.web_port}/graphql", json=body, timeout=PATIENCE).json()
        if not answer.get("data"):
            raise RuntimeError(f"the web UI said: {answer}")
        found: dict[str, Any] = answer["data"]
        return found

    def _rows(self, query: str) -> list[Any]:
        with connect(self.settings, read_only=True) as connection:
            return connection.execute(query).fetchall()

    def _write(self, feed: str, key: int, value: int, *, is_new: bool = False) -> None:
        if feed == "stock":
            if is_new:
                self._erp("insert into stock values (?, '1', ?, ?, null)", str(key), str(value), now())
            else:
                self._erp(
                    "update stock set on_hand = ?, changed_at = ? where stock_no = ?", str(value), now(), str(key)
                )
        elif feed == "product":
            self._erp("insert or replace into product values (?, ?, ?)", key, f"Product {key}", value)
        elif feed == "contacts":
            self._post_contact({"contact_id": str(key), "full_name": f"Contact {key}", "points": value, "deleted": "0"})
        else:
            self._sell(key, value)
        self.expected[feed][key] = value
        self._changed[feed, key] = time.monotonic()

    def _delete(self, feed: str, key: int) -> None:
        if feed == "stock":
            self._erp("update stock set deleted = '1', changed_at = ? where stock_no = ?", now(), str(key))
        elif feed == "product":
            self._erp("delete from product where product_no = ?", key)
        elif feed == "contacts":
            self._post_contact({"contact_id": str(key), "full_name": f"Contact {key}", "points": 0, "deleted": "1"})
        else:
            self._sell(key, 0, deleted="1")
        del self.expected[feed][key]

    def _sell(self, key: int, quantity: int, **more: Any) -> None:
        moment = now()
        sale = {"sale_id": key, "sold_at": moment, "changed_at": moment, "sku": 1, "quantity": quantity}
        self._deliver({**sale, "total": "9.90", "deleted": "0", **more}, f"sale-{key}-{moment}")
