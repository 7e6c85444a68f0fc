"""Guarantee 4: a delete is remembered, so a late older version can't bring the row back; a newer one can."""

from collections import defaultdict
from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.histories import SYSTEMS, Arrival, cut, cuts, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.staged_area import NewArea, StagedArea


def _standing(arrivals: Iterable[Arrival], dataset: str) -> dict[int, set[str]]:
    """Key → the systems in which its newest record is no delete; without the keys that no system has."""
    newest: dict[tuple[int, str], Arrival] = {}
    for arrival in arrivals:
        if arrival.dataset == dataset:
            chain = (arrival.key, SYSTEMS[arrival.step.system] if DATASETS[dataset].consolidated else "")
            newest[chain] = max(arrival, newest.get(chain, arrival), key=lambda one: one.step.time or 0)
    standing = defaultdict(set)
    for (key, _), arrival in newest.items():
        if arrival.step.kind != "delete":
            standing[key].add(SYSTEMS[arrival.step.system])
    return dict(standing)


def _staged(area: StagedArea, dataset: str) -> dict[int, set[str]]:
    systems = "source_systems" if DATASETS[dataset].consolidated else "[_source_system]"
    found = area.query(f"select {DATASETS[dataset].key}, {systems} from staged.stg_{dataset}")
    return {key: set(names) for key, names in found}


@pytest.mark.parametrize("newest_first", [False, True])
@examples(1)
@given(data=st.data())
def test_a_key_is_staged_if_and_only_if_its_newest_record_is_no_delete(
    newest_first: bool, new_area: NewArea, data: st.DataObject
) -> None:
    arrivals = data.draw(histories(timed=True, keys=10, kinds=["sound", "delete"])).arrivals()
    if newest_first:
        # Every older version comes late, after the delete has been published.
        arrivals.sort(key=lambda arrival: -(arrival.step.time or 0))
    with new_area(published=True) as area:
        for batch in cut(arrivals, data.draw(cuts(2))):
            area.land_all(arrival.landing() for arrival in batch)
            area.refresh()
        for dataset in DATASETS:
            assert _staged(area, dataset) == _standing(arrivals, dataset)


def test_a_delete_of_what_never_came_is_remembered(new_area: NewArea) -> None:
    with new_area(published=True) as area:
        deleted = {"sale_id": "1", "_operation": "delete", "_source_updated_at": "2026-01-02T00:00:00"}
        late = {"sale_id": "1", "sale_date": "2026-01-01", "_source_updated_at": "2026-01-01T00:00:00"}
        for row in (deleted, late):
            area.land("sales", "ecommerce", [row])
            area.refresh(["sales"])
        assert area.query("select count(*) from staged.stg_sales") == [(0,)]
        found = area.query("select disposition from staged.dispositions_sales")
        assert found == [("deleted",), ("deleted",)]
