"""Guarantee 6: enrichment never fans out and never drops. Guarantee 7: a staged row depends on itself alone."""

from collections import Counter
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.histories import Histories, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.staged_area import LOAD_ORDER, RUN_TIME_STAMPS, NewArea, StagedArea

#: companion → the columns that identify its rows
GRAINS = {
    "stg_consumers__identities": "source_system, source_id",
    "stg_consumers__unified": "unified_consumer_id",
    "stg_inventory__movements": "inventory_id, movement_number",
    "stg_loyalty_activities__by_consumer": "consumer_id",
    "stg_offers__usage": "offer_id",
    "stg_orders__by_consumer": "consumer_id",
    "stg_sales__daily": "sale_date, shop_id",
    "stg_shops__performance": "shop_id, month",
}

#: What a companion sums up, and the same from what it is made from.
TOTALS = {
    "select sum(net), sum(units), sum(sales + returns) from staged.stg_sales__daily": "select sum(total_price),"
    " sum(quantity), count(*) from staged.stg_sales",
    "select sum(orders), sum(order_value) from staged.stg_orders__by_consumer": "select count(*), sum(order_value)"
    " from staged.stg_orders where consumer_id is not null",
    "select sum(activities), sum(computed_balance) from staged.stg_loyalty_activities__by_consumer": "select count(*),"
    " sum(net_points) from staged.stg_loyalty_activities",
    "select count(*) from staged.stg_offers__usage": "select count(*) from staged.stg_offers",
    "select sum(consumers) from staged.stg_consumers__unified": "select count(*) from staged.stg_consumers",
    "select count(*) from staged.stg_consumers__identities": "select count(*) from staged.dispositions_consumers"
    " where disposition = 'staged'",
    "select sum(sales + returns) from staged.stg_shops__performance": "select count(*) from staged.stg_sales"
    " where shop_id in (select shop_id from staged.stg_shops)",
}


@examples(1)
@given(sent=histories(keys=20, longest=3))
def test_there_is_one_row_for_each_key_that_is_to_be_staged(sent: Histories, new_area: NewArea) -> None:
    with new_area() as area:
        area.land_all(arrival.landing() for arrival in sent.arrivals())
        area.refresh()
        for dataset in DATASETS:
            keys = f"select {DATASETS[dataset].key} from staged.stg_{dataset} order by 1"
            wanted = f"select distinct _key from staged.dispositions_{dataset} where disposition = 'staged' order by 1"
            assert area.query(keys) == area.query(wanted) != []
        assert GRAINS.keys() == area.project.companions.keys()
        for companion, grain in GRAINS.items():
            doubled = f"select {grain} from staged.{companion} group by {grain} having count(*) > 1"
            assert area.query(doubled) == []
        for made, source in TOTALS.items():
            assert area.query(made) == area.query(source)


def _rows_by_key(area: StagedArea, dataset: str) -> dict[int, str]:
    # Consolidation and the change of a stock level look at the key's other rows, which are the same in both areas.
    rows = area.outputs(without=(*RUN_TIME_STAMPS, *LOAD_ORDER), only=[f"stg_{dataset}"])[f"stg_{dataset}"]
    assert set(Counter(rows).values()) <= {1}
    key = DATASETS[dataset].key
    return {int(row.split(f'"{key}":')[1].split(",")[0]): row for row in rows}


@examples(1)
@given(data=st.data())
def test_a_staged_row_is_the_same_whatever_else_there_is(new_area: NewArea, data: st.DataObject) -> None:
    arrivals = data.draw(histories(keys=10, timed=True)).arrivals()
    dice = Random(data.draw(st.integers(0, 2**32)))
    kept = {(dataset, key) for dataset in dice.sample(list(DATASETS), 7) for key in dice.sample(range(1, 11), 5)}
    with new_area() as whole, new_area() as part:
        whole.land_all(arrival.landing() for arrival in arrivals)
        whole.refresh()
        part.land_all(arrival.landing() for arrival in arrivals if (arrival.dataset, arrival.key) in kept)
        part.refresh()
        for dataset in {dataset for dataset, _ in kept}:
            everything = _rows_by_key(whole, dataset)
            expected = {key: row for key, row in everything.items() if (dataset, key) in kept}
            assert _rows_by_key(part, dataset) == expected


def test_reference_data_has_unique_keys(new_area: NewArea) -> None:
    """What enrichment joins on."""
    keys = {
        "countries": "country_code",
        "country_names": "lookup_key",
        "cities": "country_code, lookup_key",
        "channel_groups": "channel_group",
        "price_bands": "lower_bound",
        "vocabularies": "vocabulary, lookup_key",
    }
    with new_area() as area:
        for seed, key in keys.items():
            assert area.query(f"select {key} from reference.{seed} group by {key} having count(*) > 1") == []
