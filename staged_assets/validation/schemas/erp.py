"""What must hold of the datasets that the ERP feeds."""

import functools
import operator

import ibis
import ibis.expr.types as ir

from staged_assets.validation.staged_table import (
    country,
    email_domain,
    not_in_future,
    sources,
    staged_table,
)
from staged_assets.validation.vocabulary import (
    BOOLEAN,
    DATE,
    DECIMAL,
    DOUBLE,
    INTEGER,
    TEXT,
    TEXTS,
    between,
    both_or_neither,
    email,
    missing_at_most,
    not_constant,
    not_negative,
    one_of,
    optional,
    pattern,
    phone,
    required,
    row,
    same,
    slug,
    tidy,
)

CONTINENTS = ("Africa", "Antarctica", "Asia", "Europe", "North America", "Oceania", "South America")
WEIGHT_UNITS = ("kg", "g", "mg", "t", "lb", "oz")
GEO_MATCHES = ("exact", "alias", "none")


def _check_digit_is_right(gtin: ir.StringValue) -> ir.BooleanValue:
    """GS1 General Specifications: from the right, digits weigh 1 and 3 in turn, and the sum is a multiple of ten."""
    number = gtin.try_cast("int64")
    digits = [number // 10**place % 10 * (3 if place % 2 else 1) for place in range(14)]
    return functools.reduce(operator.add, digits) % 10 == 0


INVENTORY = staged_table(
    "inventory",
    {
        "inventory_id": required(INTEGER),
        "item_id": required(INTEGER),
        "quantity_on_hand": optional(INTEGER, not_negative(warn=True)),
        "reorder_level": optional(INTEGER, not_negative(warn=True)),
        "warehouse_location": optional(TEXT, tidy()),
        "last_updated": optional(DATE),
        "is_below_reorder_level": optional(BOOLEAN),
        "stock_status": optional(TEXT),
        "quantity_change": optional(INTEGER),
    },
    [
        same(
            "is_below_reorder_level",
            "is_below_reorder_level is whether quantity_on_hand is below reorder_level",
            lambda t: t.quantity_on_hand < t.reorder_level,
        ),
        same(
            "stock_status",
            "stock_status is what quantity_on_hand and reorder_level say",
            lambda t: ibis.cases(
                (t.quantity_on_hand <= 0, "out_of_stock"),
                (t.quantity_on_hand < t.reorder_level, "low"),
                (t.quantity_on_hand > 0, "in_stock"),
            ),
        ),
        row(
            "quantity_change__of_known_quantity",
            "quantity_change is there only where quantity_on_hand is",
            lambda t: t.quantity_on_hand.notnull(),
            where=("quantity_change",),
        ),
        not_in_future("last_updated"),
        missing_at_most("quantity_on_hand", 0.10),
        missing_at_most("reorder_level", 0.25),
        not_constant("quantity_on_hand"),
    ],
)

ITEMS = staged_table(
    "items",
    {
        "item_id": required(INTEGER),
        "item_name": optional(TEXT, tidy()),
        "item_price": optional(DECIMAL, not_negative()),
        "category": optional(TEXT, tidy()),
        "stock_quantity": optional(INTEGER, not_negative(warn=True)),
        "supplier": optional(TEXT, tidy()),
        "weight": optional(DECIMAL, not_negative()),
        "brand": optional(TEXT, tidy()),
        **country(),
        "weight_unit_given": optional(TEXT, one_of(WEIGHT_UNITS)),
        "category_slug": optional(TEXT, slug()),
        "price_band": optional(TEXT, tidy()),
        "gtin": optional(TEXT, pattern("digits", "has 8, 12, 13 or 14 digits", r"[0-9]{8}|[0-9]{12,14}")),
        "is_in_stock": optional(BOOLEAN),
    },
    [
        both_or_neither("country_code", "country"),
        both_or_neither("category_slug", "category"),
        both_or_neither("price_band", "item_price"),
        row(
            "weight_unit_given__of_known_weight",
            "weight_unit_given is there only where weight is",
            lambda t: t.weight.notnull(),
            where=("weight_unit_given",),
        ),
        row(
            "gtin__check_digit",
            "the check digit of gtin is right",
            lambda t: _check_digit_is_right(t.gtin),
            where=("gtin",),
        ),
        same("is_in_stock", "is_in_stock is whether stock_quantity is above 0", lambda t: t.stock_quantity > 0),
        missing_at_most("item_name", 0.10),
        missing_at_most("item_price", 0.10),
        missing_at_most("category", 0.25),
        not_constant("item_price"),
    ],
)

LOCATION_DIMENSION = staged_table(
    "location_dimension",
    {
        "location_id": required(INTEGER),
        "city": optional(TEXT, tidy()),
        **country(),
        "country_code_alpha3": optional(TEXT, pattern("alpha3", "is an ISO 3166-1 alpha-3 code", r"[A-Z]{3}")),
        "continent": optional(TEXT, one_of(CONTINENTS)),
        "region": optional(TEXT, tidy()),
        "latitude": optional(DOUBLE, between(-90, 90)),
        "longitude": optional(DOUBLE, between(-180, 180)),
        "timezone": optional(
            TEXT, pattern("iana", "is the name of an IANA time zone", r"[A-Za-z_]+(?:/[A-Za-z0-9_+-]+)*")
        ),
        "currency_code": optional(TEXT, pattern("iso_4217", "is an ISO 4217 code", r"[A-Z]{3}")),
        "geo_match": required(TEXT, one_of(GEO_MATCHES)),
    },
    [
        both_or_neither("country_code", "country"),
        both_or_neither("country_code_alpha3", "country_code"),
        both_or_neither("longitude", "latitude"),
        row(
            "geo_match__says_whether_located",
            "geo_match is none exactly where there is no latitude",
            lambda t: (t.geo_match == "none") == t.latitude.isnull(),
            where=("geo_match",),
        ),
        row(
            "latitude__in_known_country",
            "latitude is there only where country_code is",
            lambda t: t.country_code.notnull(),
            where=("latitude",),
        ),
        missing_at_most("city", 0.10),
        missing_at_most("country_code", 0.10),
        missing_at_most("latitude", 0.50),
    ],
)

SHOPS = staged_table(
    "shops",
    {
        "shop_id": required(INTEGER),
        "shop_name": optional(TEXT, tidy()),
        "shop_location": optional(TEXT, tidy()),
        "shop_type": optional(TEXT, tidy()),
        "established_year": optional(INTEGER),
        "owner": optional(TEXT, tidy()),
        "contact_email": optional(TEXT, email()),
        **country(),
        "is_online": optional(BOOLEAN),
        "source_systems": required(TEXTS),
    },
    [
        both_or_neither("country_code", "country"),
        both_or_neither("is_online", "shop_type"),
        row(
            "established_year__in_range",
            "established_year is from 1600 to the year of the refresh",
            lambda t: t.established_year.between(1600, t["_staged_at"].year()),
            where=("established_year", "_staged_at"),
        ),
        *sources(),
        missing_at_most("shop_name", 0.10),
        missing_at_most("country_code", 0.25),
    ],
)

SUPPLIERS = staged_table(
    "suppliers",
    {
        "supplier_id": required(INTEGER),
        "supplier_name": required(TEXT, tidy()),
        "contact_name": optional(TEXT, tidy()),
        "contact_email": optional(TEXT, email()),
        "contact_phone": optional(TEXT, phone()),
        "address": optional(TEXT, tidy()),
        **country(),
        "email_domain": optional(TEXT),
        "source_systems": required(TEXTS),
    },
    [
        both_or_neither("country_code", "country"),
        email_domain("contact_email"),
        *sources(),
        missing_at_most("contact_email", 0.50),
        missing_at_most("country_code", 0.25),
    ],
)
