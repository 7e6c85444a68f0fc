"""The limit: hand-written DuckDB SQL, one typed `create table as` for each dataset, a process of its own.

No de-duplication, no quarantine, no checks, no vocabulary, and text is trusted to be what `try_cast` reads. It gives
the staged values of clean rows; see `disagreeing`.

    python -m benchmarks.peers.limit raw.duckdb out.duckdb
"""

import json
import sys
import time
from collections.abc import Collection

import duckdb

from benchmarks.operation import peak_mb

#: dataset → the select list over its raw columns.
SELECTS: dict[str, str] = {
    "audience_segments": "try_cast(audience_segment_id as bigint) as audience_segment_id, segment_name, description",
    "consumers": "try_cast(consumer_id as bigint) as consumer_id, consumer_name,"
    " lower(consumer_email) as consumer_email,"
    " consumer_city, replace(phone_number, ' ', '') as phone_number, try_cast(date_of_birth as date) as date_of_birth,"
    " address, try_cast(loyalty_points as bigint) as loyalty_points, country",
    "interactions": "try_cast(interaction_id as bigint) as interaction_id,"
    " try_cast(consumer_id as bigint) as consumer_id,"
    " try_cast(touchpoint_id as bigint) as touchpoint_id, try_cast(interaction_date as date) as interaction_date,"
    " lower(interaction_type) as interaction_type, resolution_status, comments",
    "inventory": "try_cast(inventory_id as bigint) as inventory_id, try_cast(item_id as bigint) as item_id,"
    " try_cast(quantity_on_hand as bigint) as quantity_on_hand, try_cast(reorder_level as bigint) as reorder_level,"
    " warehouse_location, try_strptime(last_updated, '%d.%m.%Y')::date as last_updated",
    "items": "try_cast(item_id as bigint) as item_id, item_name,"
    " try_cast(replace(item_price, ',', '.') as decimal(18, 4)) as item_price, category,"
    " try_cast(stock_quantity as bigint) as stock_quantity, supplier,"
    " try_cast(replace(split_part(weight, ' ', 1), ',', '.') as decimal(18, 4)) as weight, brand, country",
    "location_dimension": "try_cast(location_id as bigint) as location_id, city, country",
    "loyalty_activities": "try_cast(loyalty_activity_id as bigint) as loyalty_activity_id,"
    " try_cast(consumer_id as bigint) as consumer_id, try_cast(activity_date as date) as activity_date, activity_type,"
    " try_cast(points_earned as bigint) as points_earned, try_cast(points_redeemed as bigint) as points_redeemed,"
    " try_cast(balance_points as bigint) as balance_points",
    "media_channels": "try_cast(media_channel_id as bigint) as media_channel_id, media_channel_name, description",
    "offers": "try_cast(offer_id as bigint) as offer_id, offer_name,"
    " (try_cast(rtrim(discount, '%') as decimal(18, 4)) / 100)::decimal(18, 4) as discount,"
    " try_cast(valid_from as date) as valid_from, try_cast(valid_to as date) as valid_to, terms, offer_code,"
    " try_cast(max_usage as bigint) as max_usage, country",
    "orders": "try_cast(order_id as bigint) as order_id, try_cast(item_id as bigint) as item_id,"
    " try_cast(supplier_id as bigint) as supplier_id, try_cast(order_date as date) as order_date,"
    " try_cast(quantity_ordered as bigint) as quantity_ordered, order_status,"
    " try_cast(expected_delivery_date as date) as expected_delivery_date,"
    " try_cast(consumer_id as bigint) as consumer_id,"
    " try_cast(unit_price as decimal(18, 4)) as unit_price",
    "sales": "try_cast(sale_id as bigint) as sale_id, try_cast(sale_date as timestamp)::date as sale_date,"
    " try_cast(shop_id as bigint) as shop_id, try_cast(consumer_id as bigint) as consumer_id,"
    " try_cast(item_id as bigint) as item_id, try_cast(offer_id as bigint) as offer_id,"
    " try_cast(quantity as bigint) as quantity, try_cast(total_price as decimal(18, 4)) as total_price,"
    " lower(payment_method) as payment_method, order_status, try_cast(delivery_date as date) as delivery_date,"
    " delivery_status, country",
    "shops": "try_cast(shop_id as bigint) as shop_id, shop_name, shop_location, shop_type,"
    " try_cast(established_year as bigint) as established_year, owner, contact_email, country",
    "suppliers": "try_cast(supplier_id as bigint) as supplier_id, supplier_name, contact_name, contact_email,"
    " replace(contact_phone, ' ', '') as contact_phone, address, country",
    "touchpoints": "try_cast(touchpoint_id as bigint) as touchpoint_id, touchpoint_name, description",
}
METADATA = "_raw_row_id, _source_system, _source_updated_at, _landed_at"


def run(raw: str, out: str, threads: int = 2) -> dict[str, float]:
    """Make the fourteen tables in another file.

    Returns:
        seconds, and peak memory in MB.
    """
    started = time.perf_counter()
    with duckdb.connect(out, config={"threads": threads}) as connection:
        connection.execute(f"attach '{raw}' as landed (read_only)")
        for dataset, select in SELECTS.items():
            connection.execute(f"create table stg_{dataset} as select {select}, {METADATA} from landed.raw.{dataset}")
    return {"seconds": time.perf_counter() - started, "peak_mb": peak_mb()}


def disagreeing(warehouse: str, out: str, dataset: str, without: Collection[str]) -> int:
    """How many staged rows without any defect have other values than the limit's row of the same raw row.

    Args:
        without: columns that are not compared.
    """
    with duckdb.connect(warehouse, read_only=True) as connection:
        connection.execute(f"attach '{out}' as peer (read_only)")
        columns = [
            name for name, *_ in connection.execute(f"describe peer.stg_{dataset}").fetchall() if name not in without
        ]
        rows = ", ".join(columns)
        found = connection.execute(
            f"""
            select count(*) from (
                select {rows} from staged.stg_{dataset} where len(_cell_defects) = 0
                except all select {rows} from peer.stg_{dataset}
            )
            """
        ).fetchall()
        return int(found[0][0])


if __name__ == "__main__":
    print(json.dumps(run(sys.argv[1], sys.argv[2])))
