"""Freshness policies: every staged asset and every source's asset has the one that the plan asks for."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.refresh.policy import plan_refresh
from staged_assets.settings import DEMO_SOURCES, EXAMPLES, Settings
from staged_assets.sources.config import Sources, load_sources
from staged_assets.staging.assets import build_assets
from staged_assets.staging.project import StagingProject

MINUTE, DAY = timedelta(minutes=1), timedelta(hours=26)
CONFIGURATIONS = [
    DEMO_SOURCES,
    EXAMPLES / "completejourney" / "sources.yaml",
    EXAMPLES / "plan" / "nightly.yaml",
    EXAMPLES / "plan" / "real-time.yaml",
]


def _windows(sources: Sources, home: Path) -> dict[str, timedelta | None]:
    """Asset → the time after which it is stale."""
    settings = Settings(home=home)
    built: list[Any] = build_assets(settings, sources, StagingProject(settings), plan=plan_refresh(sources))
    specs = [spec for one in built for spec in ([one] if isinstance(one, dg.AssetSpec) else one.specs)]
    found: dict[str, timedelta | None] = {}
    for spec in specs:
        policy: Any = spec.freshness_policy
        found[spec.key.to_user_string()] = policy.fail_window.to_timedelta() if policy is not None else None
    return found


@pytest.mark.parametrize("path", CONFIGURATIONS, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_every_asset_has_the_policy_of_the_plan(path: Path, shared_home: Path) -> None:
    """A staged one that of the feed which must be the freshest, a source's its own; none is under a minute."""
    sources = load_sources(path)
    windows = _windows(sources, shared_home)
    staged: dict[str, list[timedelta]] = {dataset: [] for dataset in DATASETS}
    tables: dict[str, list[timedelta]] = {}
    for plan in plan_refresh(sources).feeds:
        staged[plan.feed.dataset].append(max(plan.choice.freshness, MINUTE))
        tables.setdefault(f"{plan.system}/{plan.feed.name}", []).append(max(plan.choice.freshness, MINUTE))
    assert {f"stg_{dataset}" for dataset in DATASETS} <= windows.keys()
    expected = {f"stg_{dataset}": found for dataset, found in staged.items() if found} | tables
    assert {name: window for name, window in windows.items() if window is not None} == {
        name: min(found) for name, found in expected.items()
    }


def test_of_the_demo(shared_home: Path) -> None:
    windows = _windows(load_sources(DEMO_SOURCES), shared_home)
    assert windows["erp/stock_level"] == windows["stg_inventory"] == MINUTE
    assert windows["erp/product"] == windows["stg_items"] == 15 * MINUTE
    assert windows["erp/site"] == windows["stg_location_dimension"] == DAY
    assert windows["erp/vendor"] == DAY, "at night"
    assert windows["stg_suppliers"] == MINUTE, "the web shop's sellers within a minute"
    assert windows["erp"] is windows["raw/items"] is windows["quarantine_items"] is None
