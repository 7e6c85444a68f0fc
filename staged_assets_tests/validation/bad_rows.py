"""For each rule, what breaks it and nothing else: SQL that is set in a row of the good table.

A rule of a whole table is broken in many rows: (SQL that is set, condition). That a required column is missing, that a
key is repeated and that a column is unknown need not be listed.
"""

from collections.abc import Collection

import duckdb
import pandera.ibis as pa

from staged_assets.landing.layout import DATASETS
from staged_assets.validation.registry import COLUMNS_RULE, rules_of
from staged_assets_tests.validation import good_rows

#: The row whose key is repeated.
REPEATED = 999

Bad = str | tuple[str, str]

_UNTIDY = "' blank at an end'"
_MANY = "_source_updated_at is not null and hash(_raw_row_id) % 10 < 9"


def _missing(column: str, **others: str) -> tuple[str, str]:
    also = "".join(f", {name} = {value}" for name, value in others.items())
    return f"{column} = null{also}", _MANY


def _constant(column: str, value: str, **others: str) -> tuple[str, str]:
    also = "".join(f", {name} = {other}" for name, other in others.items())
    return f"{column} = {value}{also}", "true"


_EVERYWHERE: dict[str, Bad] = {
    "_raw_row_id__md5": "_raw_row_id = 'not an id'",
    "_source_system__tidy": "_source_system = 'crm '",
    "_cleansed__known_columns": "_cleansed = ['_raw_row_id']",
    "_source_updated_at__not_after_landing": "_source_updated_at = _landed_at + interval 3 day",
    "_staged_at__not_before_landing": "_landed_at = _staged_at + interval 1 minute",
    "_cell_defects__share": ("_cell_defects = [{'code': 'x', 'column': 'y', 'raw_value': 'z'}]", _MANY),
}
_COUNTRY: dict[str, Bad] = {
    "country__tidy": "country = ''",
    "country_code__alpha2": "country_code = 'FRA'",
    "country_code__with_country": "country_code = null",
}
_SOURCES: dict[str, Bad] = {
    "_source_system__tidy": "_source_system = 'crm ', source_systems = ['crm ', 'crm', 'ecommerce']",
    "source_systems__holds_source_system": "source_systems = ['erp', 'ecommerce', 'crm'], _source_system = 'shop'",
    "source_systems__distinct": "source_systems = ['crm', 'ecommerce', 'crm']",
}

BAD: dict[str, dict[str, Bad]] = {
    "audience_segments": {
        "segment_slug__required": "segment_slug = null",
        "segment_type__required": "segment_type = null",
        "segment_name__tidy": f"segment_name = {_UNTIDY}",
        "description__tidy": f"description = {_UNTIDY}",
        "segment_slug__kebab_case": "segment_slug = 'Segment_1'",
        "segment_type__known_value": "segment_type = 'demographics'",
        "description__missing_share": _missing("description"),
    },
    "consumers": {
        "consumer_name__tidy": f"consumer_name = {_UNTIDY}",
        "consumer_email__email": "consumer_email = 'two words@müller.example'",
        "consumer_city__tidy": f"consumer_city = {_UNTIDY}",
        "phone_number__e164": "phone_number = '+33 1 99 00 10 01'",
        "date_of_birth__in_range": "date_of_birth = date '2026-03-03'",
        "address__tidy": f"address = {_UNTIDY}",
        "loyalty_points__not_negative": "loyalty_points = -1",
        **_COUNTRY,
        "email_domain__derived": "email_domain = 'example'",
        **_SOURCES,
        "field_sources__known_systems": "field_sources = map {'consumer_name': 'erp'}",
        "consumer_name__missing_share": _missing("consumer_name"),
        "consumer_email__missing_share": _missing("consumer_email", email_domain="null"),
        "country_code__missing_share": _missing("country_code", country="null"),
        "consumer_email__not_constant": _constant("consumer_email", "'a@b.example'", email_domain="'b.example'"),
    },
    "interactions": {
        "interaction_type__tidy": f"interaction_type = {_UNTIDY}",
        "resolution_status__known_value": "resolution_status = 'done', is_resolved = false",
        "comments__tidy": "comments = chr(10)",
        "interaction_at__on_interaction_date": "interaction_at = timestamp '2026-02-03 00:00:00'",
        "channel__known_value": "channel = 'fax'",
        "channel__with_interaction_type": "channel = null",
        "is_resolved__derived": "is_resolved = null",
        "interaction_date__not_in_future": "interaction_date = date '2026-03-04', interaction_at = null",
        "interaction_type__missing_share": _missing("interaction_type", channel="null"),
        "resolution_status__missing_share": _missing("resolution_status", is_resolved="null"),
        "interaction_type__not_constant": _constant("interaction_type", "'x'", channel="'other'"),
    },
    "inventory": {
        "quantity_on_hand__not_negative": (
            "quantity_on_hand = -1, is_below_reorder_level = true, stock_status = 'out_of_stock'"
        ),
        "reorder_level__not_negative": "reorder_level = -1, is_below_reorder_level = false, stock_status = 'in_stock'",
        "warehouse_location__tidy": f"warehouse_location = {_UNTIDY}",
        "is_below_reorder_level__derived": "is_below_reorder_level = null",
        "stock_status__derived": "stock_status = 'overstocked'",
        "quantity_change__of_known_quantity": (
            "quantity_on_hand = null, is_below_reorder_level = null, stock_status = null"
        ),
        "last_updated__not_in_future": "last_updated = date '2026-03-04'",
        "quantity_on_hand__missing_share": _missing(
            "quantity_on_hand", is_below_reorder_level="null", stock_status="null", quantity_change="null"
        ),
        "reorder_level__missing_share": _missing(
            "reorder_level", is_below_reorder_level="null", stock_status="'in_stock'"
        ),
        "quantity_on_hand__not_constant": _constant(
            "quantity_on_hand", "20", is_below_reorder_level="false", stock_status="'in_stock'", reorder_level="10"
        ),
    },
    "items": {
        "item_name__tidy": f"item_name = {_UNTIDY}",
        "item_price__not_negative": "item_price = -0.01",
        "category__tidy": f"category = {_UNTIDY}",
        "stock_quantity__not_negative": "stock_quantity = -1, is_in_stock = false",
        "supplier__tidy": f"supplier = {_UNTIDY}",
        "weight__not_negative": "weight = -1",
        "brand__tidy": f"brand = {_UNTIDY}",
        **_COUNTRY,
        "weight_unit_given__known_value": "weight_unit_given = 'stone'",
        "category_slug__kebab_case": "category_slug = 'home--garden'",
        "price_band__tidy": f"price_band = {_UNTIDY}",
        "gtin__digits": "gtin = '0'",
        "category_slug__with_category": "category_slug = null",
        "price_band__with_item_price": "price_band = null",
        "weight_unit_given__of_known_weight": "weight = null",
        "gtin__check_digit": "gtin = '4006381333932'",
        "is_in_stock__derived": "is_in_stock = false",
        "item_name__missing_share": _missing("item_name"),
        "item_price__missing_share": _missing("item_price", price_band="null"),
        "category__missing_share": _missing("category", category_slug="null"),
        "item_price__not_constant": _constant("item_price", "1", price_band="'low'"),
    },
    "location_dimension": {
        "geo_match__required": "geo_match = null",
        "city__tidy": f"city = {_UNTIDY}",
        **_COUNTRY,
        "country_code__with_country": "country = null",
        "country_code_alpha3__alpha3": "country_code_alpha3 = 'FR'",
        "continent__known_value": "continent = 'EU'",
        "region__tidy": f"region = {_UNTIDY}",
        "latitude__in_range": "latitude = 90.5",
        "longitude__in_range": "longitude = -180.5",
        "timezone__iana": "timezone = 'Central European Time'",
        "currency_code__iso_4217": "currency_code = '€'",
        "geo_match__known_value": "geo_match = 'near'",
        "country_code_alpha3__with_country_code": "country_code_alpha3 = null",
        "longitude__with_latitude": "longitude = null",
        "geo_match__says_whether_located": "geo_match = 'none'",
        "latitude__in_known_country": "country = null, country_code = null, country_code_alpha3 = null",
        "city__missing_share": _missing("city"),
        "country_code__missing_share": (
            "country_code = null, country = null, country_code_alpha3 = null, latitude = null, longitude = null,"
            " geo_match = 'none'",
            "location_id % 5 = 0",
        ),
        "latitude__missing_share": _missing("latitude", longitude="null", geo_match="'none'"),
    },
    "loyalty_activities": {
        "net_points__required": "net_points = null",
        "activity_type__known_value": "activity_type = 'spend'",
        "points_earned__not_negative": "points_earned = -1, net_points = -3",
        "points_redeemed__not_negative": "points_redeemed = -1, net_points = points_earned + 1",
        "balance_points__not_negative": "balance_points = -1",
        "net_points__derived": "net_points = net_points + 1",
        "activity_date__not_in_future": "activity_date = date '2026-03-04'",
        "activity_type__missing_share": _missing("activity_type"),
        "activity_type__not_constant": _constant("activity_type", "'earn'"),
    },
    "media_channels": {
        "media_channel_name__tidy": f"media_channel_name = {_UNTIDY}",
        "description__tidy": f"description = {_UNTIDY}",
        "channel_slug__kebab_case": "channel_slug = '-x'",
        "channel_group__known_value": "channel_group = 'tv'",
        "channel_slug__with_media_channel_name": "channel_slug = null",
        "is_paid__known_of_group": "is_paid = null",
        "is_digital__known_of_group": "is_digital = null",
        "media_channel_name__missing_share": _missing("media_channel_name", channel_slug="null"),
    },
    "offers": {
        "duration_days__required": "duration_days = null",
        "offer_name__tidy": f"offer_name = {_UNTIDY}",
        "discount__in_range": "discount = 15, discount_amount = null, discount_type = 'percentage'",
        "terms__tidy": f"terms = {_UNTIDY}",
        "offer_code__code": "offer_code = 'save'",
        "max_usage__not_negative": "max_usage = -1",
        **_COUNTRY,
        "discount_amount__not_negative": "discount_amount = -5, discount = null, discount_type = 'amount'",
        "valid_to__not_before_valid_from": "valid_to = valid_from - 1, duration_days = 0",
        "discount_amount__instead_of_discount": "discount = 0.5, discount_amount = 5, discount_type = 'percentage'",
        "discount_type__derived": "discount_type = null",
        "duration_days__derived": "duration_days = 0",
        "discount_type__missing_share": _missing("discount_type", discount="null", discount_amount="null"),
        "offer_code__missing_share": _missing("offer_code"),
    },
    "orders": {
        "quantity_ordered__positive": "quantity_ordered = 0, order_value = 0",
        "order_status__known_value": "order_status = 'lost', is_open = null",
        "unit_price__not_negative": "unit_price = -2, order_value = -2 * quantity_ordered",
        "expected_delivery_date__not_before_order_date": (
            "expected_delivery_date = date '2026-01-31', lead_time_days = -1"
        ),
        "order_value__derived": "order_value = order_value + 0.0001",
        "lead_time_days__derived": "lead_time_days = null",
        "is_open__derived": "is_open = not is_open",
        "order_date__not_in_future": (
            "order_date = date '2026-03-04', expected_delivery_date = null, lead_time_days = null"
        ),
        "quantity_ordered__missing_share": _missing("quantity_ordered", order_value="null"),
        "order_status__missing_share": _missing("order_status", is_open="null"),
        "unit_price__missing_share": _missing("unit_price", order_value="null"),
        "order_status__not_constant": _constant("order_status", "'unknown'", is_open="null"),
    },
    "sales": {
        "payment_method__known_value": "payment_method = 'barter'",
        "order_status__tidy": f"order_status = {_UNTIDY}",
        "delivery_status__tidy": f"delivery_status = {_UNTIDY}",
        **_COUNTRY,
        "unit_price__derived": "unit_price = 3.3334",
        "total_price__sign_of_quantity": "total_price = -10, unit_price = -3.3333",
        "is_return__derived": "is_return = true",
        "delivery_date__not_before_sale_date": "delivery_date = date '2026-01-31', days_to_deliver = -1",
        "days_to_deliver__derived": "days_to_deliver = 1",
        "sold_at__on_sale_date": "sold_at = timestamp '2026-01-30 23:59:59'",
        "sale_date__not_in_future": (
            "sale_date = date '2026-03-04', sold_at = null, delivery_date = null, days_to_deliver = null"
        ),
        "item_id__missing_share": _missing("item_id"),
        "quantity__missing_share": _missing("quantity", unit_price="null", is_return="null"),
        "total_price__missing_share": _missing("total_price", unit_price="null"),
        "shop_id__missing_share": _missing("shop_id"),
        "payment_method__not_constant": _constant("payment_method", "'card'"),
        "quantity__not_constant": _constant("quantity", "1", total_price="2", unit_price="2", is_return="false"),
    },
    "shops": {
        "shop_name__tidy": f"shop_name = {_UNTIDY}",
        "shop_location__tidy": f"shop_location = {_UNTIDY}",
        "shop_type__tidy": f"shop_type = {_UNTIDY}",
        "owner__tidy": f"owner = {_UNTIDY}",
        "contact_email__email": "contact_email = 'shop@Shops.example'",
        **_COUNTRY,
        "is_online__with_shop_type": "is_online = null",
        "established_year__in_range": "established_year = 2027",
        **_SOURCES,
        "shop_name__missing_share": _missing("shop_name"),
        "country_code__missing_share": _missing("country_code", country="null"),
    },
    "suppliers": {
        "supplier_name__tidy": f"supplier_name = {_UNTIDY}",
        "contact_name__tidy": f"contact_name = {_UNTIDY}",
        "contact_email__email": "contact_email = 'ada.@s', email_domain = 's'",
        "contact_phone__e164": "contact_phone = '004930100001'",
        "address__tidy": f"address = {_UNTIDY}",
        **_COUNTRY,
        "email_domain__derived": "email_domain = null",
        **_SOURCES,
        "contact_email__missing_share": _missing("contact_email", email_domain="null"),
        "country_code__missing_share": _missing("country_code", country="null"),
    },
    "touchpoints": {
        "journey_stage__with_channel": "channel = null",
        "touchpoint_name__tidy": f"touchpoint_name = {_UNTIDY}",
        "description__tidy": f"description = {_UNTIDY}",
        "touchpoint_slug__kebab_case": "touchpoint_slug = 'Kassé'",
        "journey_stage__known_value": "journey_stage = 'purchased'",
        "channel__known_value": "channel = 'fax'",
        "touchpoint_slug__with_touchpoint_name": "touchpoint_slug = null",
        "touchpoint_name__missing_share": _missing("touchpoint_name", touchpoint_slug="null"),
    },
}


def bad_row(dataset: str, rule: str) -> Bad | None:
    """What breaks a rule; None where the table of bad rows has nothing for it."""
    column, _, kind = rule.partition("__")
    if kind == "required":
        return f"{column} = null"
    if kind == "unique":
        return f"{column} = {REPEATED}"
    return BAD[dataset].get(rule) or _EVERYWHERE.get(rule)


def plant(connection: duckdb.DuckDBPyConnection, dataset: str, rule: str, table: str, row: int = 1) -> None:
    """Break one rule in the good table, in the row of that number or, a rule of the whole table, in many."""
    if rule == COLUMNS_RULE:
        connection.execute(f"alter table {table} add column surplus integer")
        return
    bad = bad_row(dataset, rule)
    assert bad is not None, f"no bad row breaks {dataset}'s {rule}: add one to BAD"
    values, condition = bad if isinstance(bad, tuple) else (bad, f"_raw_row_id = '{good_rows.row_id(row)}'")
    connection.execute(f"update {table} set {values} where {condition}")


def planted_ids(rule: str, row: int) -> set[str]:
    """The raw row ids by which a rule that is broken in one row names it."""
    if rule.endswith("__unique"):
        return {good_rows.row_id(row), good_rows.row_id(REPEATED)}
    return {{"_raw_row_id__required": "None", "_raw_row_id__md5": "not an id"}.get(rule, good_rows.row_id(row))}


def is_of_table(dataset: str, rule: str) -> bool:
    """Whether no single row can break a rule."""
    return rule == COLUMNS_RULE or isinstance(bad_row(dataset, rule), tuple)


def unaccounted(schema: pa.DataFrameSchema, required: Collection[str]) -> list[str]:
    """Rules of a schema that no bad row breaks, and rules that should be there and are not.

    Args:
        required: the columns that must not be missing, as the dbt contract says.
    """
    dataset = str(schema.name).removeprefix("stg_")
    there = {rule.name for rule in rules_of(schema)}
    expected = {f"{column}__required" for column in required} | {f"{DATASETS[dataset].key}__unique"}
    if schema.strict and schema.ordered:
        expected.add(COLUMNS_RULE)
    return sorted(there ^ (expected | BAD[dataset].keys() | _EVERYWHERE.keys()))
