"""What must hold of the datasets that the e-commerce system feeds."""

import ibis

from staged_assets.validation.staged_table import (
    country,
    not_in_future,
    staged_table,
)
from staged_assets.validation.vocabulary import (
    BOOLEAN,
    DATE,
    DECIMAL,
    INTEGER,
    TEXT,
    TIMESTAMP,
    between,
    both_or_neither,
    days_between,
    missing_at_most,
    near,
    not_constant,
    not_negative,
    one_of,
    optional,
    pattern,
    positive,
    required,
    row,
    same,
    tidy,
)

OPEN_ORDERS = ("placed", "confirmed", "shipped")
CLOSED_ORDERS = ("delivered", "cancelled", "returned")
ORDER_STATUSES = (*OPEN_ORDERS, *CLOSED_ORDERS, "unknown")
PAYMENT_METHODS = ("card", "cash", "transfer", "wallet", "voucher", "cash_on_delivery", "other")

OFFERS = staged_table(
    "offers",
    {
        "offer_id": required(INTEGER),
        "offer_name": required(TEXT, tidy()),
        "discount": optional(DECIMAL, between(0, 1)),
        "valid_from": required(DATE),
        "valid_to": required(DATE),
        "terms": optional(TEXT, tidy()),
        "offer_code": optional(TEXT, pattern("code", "is in upper case without blanks", r"[^\s\p{Ll}]+")),
        "max_usage": optional(INTEGER, not_negative()),
        **country(),
        "discount_type": optional(TEXT),
        "discount_amount": optional(DECIMAL, not_negative(warn=True)),
        "duration_days": required(INTEGER),
    },
    [
        row(
            "valid_to__not_before_valid_from",
            "valid_to is not before valid_from",
            lambda t: t.valid_to >= t.valid_from,
            where=("valid_to", "valid_from"),
        ),
        both_or_neither("country_code", "country"),
        row(
            "discount_amount__instead_of_discount",
            "there is a discount or a discount_amount, not both",
            lambda t: t.discount.isnull() | t.discount_amount.isnull(),
        ),
        same(
            "discount_type",
            "discount_type says which of discount and discount_amount there is",
            lambda t: ibis.cases((t.discount.notnull(), "percentage"), (t.discount_amount.notnull(), "amount")),
        ),
        same(
            "duration_days",
            "duration_days counts the days from valid_from to valid_to, both included",
            lambda t: days_between(t.valid_from, t.valid_to) + 1,
            where=("duration_days", "valid_from", "valid_to"),
        ),
        missing_at_most("discount_type", 0.25),
        missing_at_most("offer_code", 0.50),
    ],
)

ORDERS = staged_table(
    "orders",
    {
        "order_id": required(INTEGER),
        "item_id": required(INTEGER),
        "supplier_id": optional(INTEGER),
        "order_date": required(DATE),
        "quantity_ordered": optional(INTEGER, positive()),
        "order_status": optional(TEXT, one_of(ORDER_STATUSES)),
        "expected_delivery_date": optional(DATE),
        "consumer_id": optional(INTEGER),
        "unit_price": optional(DECIMAL, not_negative(warn=True)),
        "order_value": optional(DECIMAL),
        "lead_time_days": optional(INTEGER),
        "is_open": optional(BOOLEAN),
    },
    [
        row(
            "expected_delivery_date__not_before_order_date",
            "expected_delivery_date is not before order_date",
            lambda t: t.expected_delivery_date >= t.order_date,
            where=("expected_delivery_date", "order_date"),
        ),
        row(
            "order_value__derived",
            "order_value is quantity_ordered times unit_price",
            lambda t: near(t.order_value, t.quantity_ordered.cast("float64") * t.unit_price.cast("float64")),
        ),
        same(
            "lead_time_days",
            "lead_time_days counts the days from order_date to expected_delivery_date",
            lambda t: days_between(t.order_date, t.expected_delivery_date),
            where=("order_date",),
        ),
        same(
            "is_open",
            "is_open is what order_status says",
            lambda t: ibis.cases((t.order_status.isin(OPEN_ORDERS), True), (t.order_status.isin(CLOSED_ORDERS), False)),
        ),
        not_in_future("order_date"),
        missing_at_most("quantity_ordered", 0.10),
        missing_at_most("order_status", 0.25),
        missing_at_most("unit_price", 0.25),
        not_constant("order_status"),
    ],
)

SALES = staged_table(
    "sales",
    {
        "sale_id": required(INTEGER),
        "sale_date": required(DATE),
        "shop_id": optional(INTEGER),
        "consumer_id": optional(INTEGER),
        "item_id": optional(INTEGER),
        "offer_id": optional(INTEGER),
        "quantity": optional(INTEGER),
        "total_price": optional(DECIMAL),
        "payment_method": optional(TEXT, one_of(PAYMENT_METHODS)),
        "order_status": optional(TEXT, tidy()),
        "delivery_date": optional(DATE),
        "delivery_status": optional(TEXT, tidy()),
        **country(),
        "sold_at": optional(TIMESTAMP),
        "unit_price": optional(DECIMAL),
        "is_return": optional(BOOLEAN),
        "days_to_deliver": optional(INTEGER),
    },
    [
        row(
            "unit_price__derived",
            "unit_price is total_price by quantity",
            lambda t: near(t.unit_price, t.total_price.cast("float64") / t.quantity.nullif(0).cast("float64")),
        ),
        row(
            "total_price__sign_of_quantity",
            "total_price is negative only for returns, and positive only for sales",
            lambda t: t.total_price.sign() * t.quantity.sign() >= 0,
            where=("total_price", "quantity"),
            warn=True,
        ),
        same("is_return", "is_return is whether quantity is negative", lambda t: t.quantity < 0),
        row(
            "delivery_date__not_before_sale_date",
            "delivery_date is not before sale_date",
            lambda t: t.delivery_date >= t.sale_date,
            where=("delivery_date", "sale_date"),
            warn=True,
        ),
        same(
            "days_to_deliver",
            "days_to_deliver counts the days from sale_date to delivery_date",
            lambda t: days_between(t.sale_date, t.delivery_date),
            where=("sale_date",),
        ),
        row(
            "sold_at__on_sale_date",
            "sold_at (UTC) is at most a day from sale_date (as written)",
            lambda t: days_between(t.sale_date, t.sold_at.date()).between(-1, 1),
            where=("sold_at", "sale_date"),
        ),
        both_or_neither("country_code", "country"),
        not_in_future("sale_date"),
        missing_at_most("item_id", 0.10),
        missing_at_most("quantity", 0.10),
        missing_at_most("total_price", 0.10),
        missing_at_most("shop_id", 0.50),
        not_constant("payment_method"),
        not_constant("quantity"),
    ],
)
