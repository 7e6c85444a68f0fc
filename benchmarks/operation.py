"""A home with a generated warehouse, and its refresh as a run does it: what several benchmarks measure."""

import json
import os
import sys
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from benchmarks.command import say
from benchmarks.generated import SALES_BEFORE, make_raw
from benchmarks.serve import serve
from staged_assets.landing.land import land_feed
from staged_assets.landing.layout import DATASETS
from staged_assets.landing.warehouse import connect
from staged_assets.settings import DEMO_SOURCES, Settings
from staged_assets.sources.config import load_sources
from staged_assets.staging.outcomes import Outcome
from staged_assets.staging.project import StagingProject
from staged_assets.staging.refresh import Refresh
from staged_assets.validation.checks import TableChecks
from staged_assets.validation.config import load_validation
from staged_assets.validation.gate import AuditGate
from staged_assets.validation.masking import personal_columns

#: None of the peers makes one; to count it, name its path.
_READ_COPY = os.environ.get("STAGED_ASSETS_READ_COPY", "off")


class Operation:
    """A home in a folder, with the demo's three systems as event files.

    Args:
        folder: empty, or that of such a home.
        on_progress: told what a refresh is doing.
    """

    def __init__(self, folder: Path, on_progress: Callable[[str, str], None] = lambda step, detail: None) -> None:
        self.folder = folder
        self.settings = Settings(home=folder / "home", sources=folder / "sources.yaml", read_copy=Path(_READ_COPY))
        self._on_progress = on_progress
        if not self.settings.sources_path.exists():
            self._write_sources()

    def _write_sources(self) -> None:
        content = yaml.safe_load(DEMO_SOURCES.read_text(encoding="utf-8"))
        for name, system in content["systems"].items():
            system |= {"connector": "event_files", "connection": {"path": str(self.folder / name)}}
            for feed in system["feeds"]:
                stream = self._stream(name, feed["from"])
                stream.parent.mkdir(parents=True)
                stream.touch()
        self.settings.sources_path.write_text(yaml.safe_dump(content), encoding="utf-8")

    def _stream(self, system: str, stream: str) -> Path:
        return self.folder / system / stream / "events.ndjson"

    @cached_property
    def sources(self) -> Any:
        """The systems, as the home's `sources.yaml` has them."""
        return load_sources(self.settings.sources_path)

    @cached_property
    def refresh(self) -> Refresh:
        """As a run has it: with the audit and the checks."""
        project = StagingProject(self.settings)
        validation, personal = load_validation(None), personal_columns(project.manifest)
        return Refresh(
            self.settings,
            project,
            self.sources.formats,
            {name: [system for system, _ in self.sources.feeds_of(name)] for name in DATASETS},
            gate=AuditGate(validation, personal, self.settings.home),
            on_progress=self._on_progress,
            checks=TableChecks(validation, personal, self.settings.home),
        )

    @cached_property
    def _companions(self) -> list[str]:
        return list(StagingProject(self.settings).companions)

    def make(self, sales: int) -> int:
        """Generate the raw rows; how many there are."""
        self.settings.home.mkdir(parents=True, exist_ok=True)
        with connect(self.settings) as connection:
            return make_raw(connection, sales, lambda line: self._on_progress("make", line))

    def land(self, system: str = "ecommerce") -> int:
        """Land what a system has; how many rows are new."""
        with self.refresh.session as session:
            feeds = self.sources.systems[system].feeds
            return sum(land_feed(session.connection, self.sources, system, feed).landed for feed in feeds)

    def run(self, *, full: bool = False) -> dict[str, Outcome]:
        """Refresh all datasets and companions; whatever is not published, or fails a check, is an error."""
        names = list(DATASETS)
        outcomes = {o.name: o for o in self.refresh.run(names, self._companions, full=names if full else ())}
        bad = [one for one in outcomes.values() if not one.good or any(c.status == "failed" for c in one.checks)]
        if bad:
            raise RuntimeError(f"{bad[0].name}: {bad[0].message or [c for c in bad[0].checks if c.status == 'failed']}")
        return outcomes

    def land_and_run(self) -> dict[str, float]:
        """Land and refresh what is new; seconds of the landing, and how many rows it were."""
        with self.refresh.session:
            started = time.perf_counter()
            landed = self.land()
            land = time.perf_counter() - started
            self.run()
        return {"land": land, "landed": landed}

    def write_sales(self, keys: range | list[int], moment: str) -> None:
        """The shop writes an event for each of these sales.

        Args:
            moment: when they were changed; ISO 8601.
        """
        with self._stream("ecommerce", "sales").open("a", encoding="utf-8") as stream:
            stream.writelines(json.dumps(_event(key, moment)) + "\n" for key in keys)

    @property
    def environment(self) -> dict[str, str]:
        """What the command and the code location find this home by."""
        return {
            "STAGED_ASSETS_HOME": str(self.settings.home),
            "STAGED_ASSETS_SOURCES": str(self.settings.sources_path),
            "STAGED_ASSETS_READ_COPY": _READ_COPY,
        }

    def command(self, *arguments: str) -> tuple[list[str], dict[str, str]]:
        """The command as a person calls it: its words, and its environment."""
        return [sys.executable, "-m", "staged_assets.cli", *arguments], self.environment


def _event(key: int, moment: str) -> dict[str, Any]:
    day = SALES_BEFORE[:8] + f"{1 + key % 28:02}"
    return {
        "sale_id": key, "sold_at": f"{day} 12:00:{key % 60:02}", "shop_id": 1 + key % 400, "account_id": 1 + key % 9000,
        "sku": 1 + key % 900, "offer_id": 1 + key % 300 if key % 5 == 0 else None, "quantity": 1 + key % 5,
        "total": f"{1 + key % 900}.50", "payment": "card", "status": "Delivered", "delivered_on": "2026-02-01",
        "delivery": "Delivered", "ship_to": "France", "updated_at": moment, "op": "upsert",
    }  # fmt: skip


def main() -> None:
    """`refresh FOLDER`: everything from raw. `serve FOLDER`: what is new, whenever asked to."""
    action, folder = sys.argv[1:]
    operation = Operation(Path(folder), lambda step, detail: say(f"{step}: {detail}"))
    if action == "refresh":
        operation.run(full=True)
    else:
        serve({"refresh": operation.land_and_run})


if __name__ == "__main__":
    main()
