"""Staged tables of which everything holds, one for each schema: full rows, and one with what is required alone.

Column → SQL over `i`, the number of the row, from 1.
"""

import hashlib
from collections.abc import Mapping

import duckdb
from ibis.backends.sql.datatypes import DuckDBType

from staged_assets.validation.registry import schemas

ROWS = 1000
STAGED_AT = "timestamp '2026-03-02 04:00:00'"

_METADATA = {
    "_raw_row_id": "md5(i::varchar)",
    "_source_system": "'crm'",
    "_source_updated_at": "timestamp '2026-03-01 10:00:00'",
    "_landed_at": "timestamp '2026-03-02 03:00:00'",
    "_staged_at": STAGED_AT,
    "_cleansed": "cast([] as varchar[])",
    "_cell_defects": 'cast([] as struct(code varchar, "column" varchar, raw_value varchar)[])',
}
_COUNTRY = {"country": "'France'", "country_code": "'FR'"}
_SOURCES = {"source_systems": "['crm', 'ecommerce']"}

_COLUMNS: dict[str, dict[str, str]] = {
    "audience_segments": {
        "audience_segment_id": "i",
        "segment_name": "'Segment ' || i",
        "description": "'Those of segment ' || i",
        "segment_slug": "'segment-' || i",
        "segment_type": "'value'",
    },
    "consumers": {
        "consumer_id": "i",
        "consumer_name": "'Ada Nguyễn'",
        "consumer_email": "'Ada.' || i || '@müller.example'",
        "consumer_city": "'Saint-Étienne'",
        "phone_number": "'+3319900' || (1000 + i)",
        "date_of_birth": "date '1980-01-01' + i::integer",
        "address": "i || ' rue X'",
        "loyalty_points": "i - 1",
        **_COUNTRY,
        "email_domain": "'müller.example'",
        **_SOURCES,
        "field_sources": "map {'consumer_name': 'crm', 'address': 'ecommerce'}",
    },
    "interactions": {
        "interaction_id": "i",
        "consumer_id": "i",
        "touchpoint_id": "1",
        "interaction_date": "date '2026-02-01'",
        "interaction_type": "case when i % 2 = 0 then 'Phone call' else 'E-mail' end",
        "resolution_status": "'closed'",
        "comments": "'line one' || chr(10) || 'line two'",
        "interaction_at": "timestamp '2026-01-31 23:30:00'",
        "channel": "case when i % 2 = 0 then 'phone' else 'email' end",
        "is_resolved": "true",
    },
    "inventory": {
        "inventory_id": "i",
        "item_id": "i",
        "quantity_on_hand": "i",
        "reorder_level": "10",
        "warehouse_location": "'Lyon 1'",
        "last_updated": "date '2026-03-01'",
        "is_below_reorder_level": "i < 10",
        "stock_status": "case when i < 10 then 'low' else 'in_stock' end",
        "quantity_change": "-1",
    },
    "items": {
        "item_id": "i",
        "item_name": "'Item ' || i",
        "item_price": "i - 1",
        "category": "'Home & Garden'",
        "stock_quantity": "i",
        "supplier": "'Söhne'",
        "weight": "0.5",
        "brand": "'B'",
        **_COUNTRY,
        "weight_unit_given": "'lb'",
        "category_slug": "'home-garden'",
        "price_band": "'low'",
        "gtin": "case when i % 2 = 0 then '4006381333931' else '96385074' end",
        "is_in_stock": "true",
    },
    "location_dimension": {
        "location_id": "i",
        "city": "'Lyon'",
        **_COUNTRY,
        "country_code_alpha3": "'FRA'",
        "continent": "'Europe'",
        "region": "'Western Europe'",
        "latitude": "45.75",
        "longitude": "-4.85",
        "timezone": "'America/Argentina/Buenos_Aires'",
        "currency_code": "'EUR'",
        "geo_match": "'exact'",
    },
    "loyalty_activities": {
        "loyalty_activity_id": "i",
        "consumer_id": "i",
        "activity_date": "date '2026-03-03'",
        "activity_type": "case when i % 2 = 0 then 'earn' else 'other' end",
        "points_earned": "i",
        "points_redeemed": "2",
        "balance_points": "0",
        "net_points": "i - 2",
    },
    "media_channels": {
        "media_channel_id": "i",
        "media_channel_name": "'Channel ' || i",
        "description": "'d'",
        "channel_slug": "'x-0a1b2c3d'",
        "channel_group": "'video'",
        "is_paid": "true",
        "is_digital": "false",
    },
    "offers": {
        "offer_id": "i",
        "offer_name": "'Offer ' || i",
        "discount": "case when i % 2 = 0 then 1 end",
        "valid_from": "date '2026-01-31'",
        "valid_to": "date '2026-01-31' + (i - 1)::integer",
        "terms": "'t'",
        "offer_code": "'SAVE-' || i",
        "max_usage": "0",
        **_COUNTRY,
        "discount_type": "case when i % 2 = 0 then 'percentage' else 'amount' end",
        "discount_amount": "case when i % 2 = 1 then 5 end",
        "duration_days": "i",
    },
    "orders": {
        "order_id": "i",
        "item_id": "i",
        "supplier_id": "i",
        "order_date": "date '2026-02-01'",
        "quantity_ordered": "i",
        "order_status": "case when i % 2 = 0 then 'placed' else 'returned' end",
        "expected_delivery_date": "date '2026-02-01' + (i - 1)::integer",
        "consumer_id": "i",
        "unit_price": "1.3333",
        "order_value": "i * 1.3333",
        "lead_time_days": "i - 1",
        "is_open": "i % 2 = 0",
    },
    "sales": {
        "sale_id": "i",
        "sale_date": "date '2026-02-01'",
        "shop_id": "i",
        "consumer_id": "i",
        "item_id": "i",
        "offer_id": "i",
        "quantity": "case when i % 9 = 0 then -3 else 3 end",
        "total_price": "case when i % 9 = 0 then -10 else 10 end",
        "payment_method": "case when i % 2 = 0 then 'card' else 'cash_on_delivery' end",
        "order_status": "'Done'",
        "delivery_date": "date '2026-02-01' + (i - 1)::integer",
        "delivery_status": "'Delivered'",
        **_COUNTRY,
        "sold_at": "timestamp '2026-02-02 00:30:00'",
        "unit_price": "3.3333",
        "is_return": "i % 9 = 0",
        "days_to_deliver": "i - 1",
    },
    "shops": {
        "shop_id": "i",
        "shop_name": "'Shop ' || i",
        "shop_location": "'Lyon'",
        "shop_type": "'outlet'",
        "established_year": "1600 + i % 427",
        "owner": "'Ada'",
        "contact_email": "'shop' || i || '@shops.example'",
        **_COUNTRY,
        "is_online": "false",
        **_SOURCES,
    },
    "suppliers": {
        "supplier_id": "i",
        "supplier_name": "'Supplier ' || i",
        "contact_name": "'Ada'",
        "contact_email": "'ada' || i || '@s.example'",
        "contact_phone": "'+4930' || (10000 + i)",
        "address": "'a'",
        **_COUNTRY,
        "email_domain": "'s.example'",
        **_SOURCES,
    },
    "touchpoints": {
        "touchpoint_id": "i",
        "touchpoint_name": "'Touchpoint ' || i",
        "description": "'d'",
        "touchpoint_slug": "'touchpoint-' || i",
        "journey_stage": "'advocacy'",
        "channel": "'app'",
    },
}

#: What a row must say that has nothing but what is required.
_SPARSE = {
    "loyalty_activities": {"net_points": "0"},
    "location_dimension": {"geo_match": "'none'"},
}


def row_id(row: int) -> str:
    """The raw row id of a row."""
    return hashlib.md5(str(row).encode()).hexdigest()


def columns(dataset: str) -> dict[str, str]:
    """Column → SQL of a full row."""
    return {**_COLUMNS[dataset], **_METADATA}


def create(
    connection: duckdb.DuckDBPyConnection, dataset: str, table: str, rows: int = ROWS, *, sparse: bool = True
) -> None:
    """Create a table of `rows` full rows and a sparse one, with the types that the schema states."""
    schema = schemas()[dataset]
    kinds = {name: DuckDBType.to_string(column.dtype.type) for name, column in schema.columns.items()}
    full = columns(dataset)
    barest = {name: "null" for name, column in schema.columns.items() if column.nullable}
    connection.execute(f"create table {table} as {_select(full, kinds, 1, rows)}")
    if sparse:
        bare = {**full, **_SPARSE.get(dataset, {}), **barest}
        connection.execute(f"insert into {table} {_select(bare, kinds, rows + 1, rows + 1)}")


def _select(values: Mapping[str, str], kinds: Mapping[str, str], first: int, last: int) -> str:
    listed = ", ".join(f'cast({values[name]} as {kind}) as "{name}"' for name, kind in kinds.items())
    return f"select {listed} from range({first}, {last + 1}) as numbers(i)"
