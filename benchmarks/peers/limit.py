"""The limit: hand-written DuckDB SQL, one typed `create table as` for each dataset, a process of its own.

No de-duplication, no quarantine, no checks, no vocabulary, and text is trusted to be what `try_cast` reads. It needs
nothing but DuckDB, of any version.

    python -m benchmarks.peers.limit raw.duckdb out.duckdb
"""

import sys
from pathlib import Path

import duckdb

#: Of every competitor's engine.
THREADS = 2

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


def run(raw: Path, out: Path) -> None:
    """Make the fourteen tables in another file.

    Args:
        raw: a DuckDB file with the schema `raw`, or a folder with `<dataset>/*.parquet`.
    """
    with duckdb.connect(str(out), config={"threads": THREADS}) as connection:
        if raw.is_file():
            connection.execute(f"attach '{raw}' as landed (read_only)")
        for dataset, select in SELECTS.items():
            source = f"landed.raw.{dataset}" if raw.is_file() else f"read_parquet('{raw}/{dataset}/*.parquet')"
            connection.execute(f"create table stg_{dataset} as select {select}, {METADATA} from {source}")


if __name__ == "__main__":
    run(Path(sys.argv[1]), Path(sys.argv[2]))
