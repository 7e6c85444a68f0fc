"""The table of the demo's dirt: one row for each kind, with where, how often, what is expected, and the values.

Rates are per column: `missing_required` with 0.0005 on two columns of a dataset concerns 0.1 % of its records.
"""

from staged_assets.demo import dirty_values as dirty
from staged_assets.demo.dirt import Dirt

_MOMENTS = "sales.sale_date interactions.interaction_date"
_DATES = (
    f"{_MOMENTS} sales.delivery_date orders.order_date orders.expected_delivery_date offers.valid_from"
    " offers.valid_to loyalty_activities.activity_date consumers.date_of_birth inventory.last_updated"
)
_REQUIRED = (
    f"{_MOMENTS} orders.item_id orders.order_date interactions.consumer_id interactions.touchpoint_id"
    " inventory.item_id loyalty_activities.consumer_id loyalty_activities.activity_date offers.offer_name"
    " offers.valid_from offers.valid_to suppliers.supplier_name audience_segments.segment_name"
)
_POINTS = "consumers.loyalty_points loyalty_activities.points_earned loyalty_activities.points_redeemed"
_INTEGERS = (
    f"{_POINTS} loyalty_activities.consumer_id loyalty_activities.balance_points sales.shop_id sales.consumer_id"
    " sales.item_id sales.offer_id sales.quantity orders.item_id orders.supplier_id orders.quantity_ordered"
    " orders.consumer_id interactions.consumer_id interactions.touchpoint_id inventory.item_id"
    " inventory.quantity_on_hand inventory.reorder_level items.stock_quantity offers.max_usage"
    " shops.established_year"
)
_OPTIONAL = (
    "sales.shop_id sales.total_price sales.payment_method sales.country orders.supplier_id orders.order_status"
    " consumers.consumer_email consumers.phone_number consumers.date_of_birth consumers.country"
    " items.item_price items.weight items.gtin inventory.reorder_level interactions.resolution_status"
    " loyalty_activities.points_earned offers.discount offers.max_usage shops.established_year"
    " suppliers.contact_phone touchpoints.description"
)
_NAMES = (
    "items.item_name items.brand shops.shop_name suppliers.supplier_name audience_segments.segment_name"
    " media_channels.media_channel_name touchpoints.touchpoint_name consumers.consumer_name"
    " consumers.consumer_city location_dimension.city offers.offer_name inventory.warehouse_location"
)
_LONG = "interactions.comments offers.terms touchpoints.description suppliers.address consumers.address"
_COUNTRIES = (
    "sales.country consumers.country items.country shops.country suppliers.country offers.country"
    " location_dimension.country"
)
_VOCABULARIES = (
    "interactions.resolution_status loyalty_activities.activity_type orders.order_status sales.payment_method"
)
_EMAILS = "consumers.consumer_email shops.contact_email suppliers.contact_email"
_PHONES = "consumers.phone_number suppliers.contact_phone"
_KEYED = "orders.item_id sales.shop_id inventory.item_id interactions.consumer_id"
_FILES, _JSON, _NOT_US = ("ecommerce",), ("crm", "ecommerce"), ("erp", "ecommerce")

# fmt: off
DIRT = (
    # required values: the row is rejected
    Dirt("missing_key", "*.key", 0.0005, "missing", dirty.BLANKS),
    Dirt("missing_required", _REQUIRED, 0.0005, "missing", dirty.BLANKS),
    Dirt("unparseable_key", "*.key", 0.0005, "unparseable", dirty.NOT_INTEGERS),

    # values of the wrong type: the row is rejected where the column is required, else the cell is NULL
    Dirt("unparseable_integer", _INTEGERS, 0.0005, "unparseable", dirty.NOT_INTEGERS),
    Dirt("unparseable_decimal", "items.item_price orders.unit_price sales.total_price", 0.0005,
         "unparseable", dirty.NOT_DECIMALS),
    Dirt("unparseable_date", _DATES, 0.0005, "unparseable", dirty.NOT_DATES),
    Dirt("impossible_date", _DATES, 0.0005, "unparseable", dirty.IMPOSSIBLE_DATES),
    Dirt("ambiguous_date", _DATES, 0.0005, "unparseable", ("03/04/2026", "11/12/2025"), _NOT_US),
    Dirt("foreign_date", _DATES, 0.0005, "unparseable", ("31.12.2025", "13.04.2026", "25/12/2025"), _JSON),
    Dirt("two_digit_year", "inventory.last_updated loyalty_activities.activity_date", 0.0005,
         "unparseable", ("04.03.26", "03/04/26")),
    Dirt("midnight_24", _MOMENTS, 0.0005, "unparseable", ("2026-01-05T24:00:00", "2026-01-05 24:00:00")),
    Dirt("impossible_time", _MOMENTS, 0.0005, "unparseable", dirty.IMPOSSIBLE_TIMES),
    Dirt("unparseable_weight", "items.weight", 0.005, "unparseable", ("heavy", "kg", "1,5 bananas", "2x3 kg")),
    Dirt("unparseable_percentage", "offers.discount", 0.005, "unparseable", ("half price", "%", "15%%")),

    # values outside what they may be: the cell is NULL
    Dirt("negative_points", _POINTS, 0.001, "out_of_range", ("-1", "-250")),
    Dirt("negative_price", "items.item_price", 0.005, "out_of_range", ("-4,99", "-0,01")),
    Dirt("negative_usage", "offers.max_usage", 0.005, "out_of_range", ("-1",)),
    Dirt("nothing_ordered", "orders.quantity_ordered", 0.001, "out_of_range", ("0", "-3")),
    Dirt("discount_beyond_whole", "offers.discount", 0.005, "out_of_range", ("150%", "-5%", "250")),
    Dirt("impossible_founding", "shops.established_year", 0.005, "out_of_range", ("1599", "2999", "0")),
    Dirt("born_in_future", "consumers.date_of_birth", 0.001, "out_of_range", ("2190-01-01", "2999-12-31")),
    Dirt("born_too_early", "consumers.date_of_birth", 0.001, "out_of_range", ("1899-12-31", "1066-10-14")),
    Dirt("delivered_before_order", "orders.expected_delivery_date", 0.001, "before_order_date", ("2020-01-01",)),
    Dirt("bad_email", _EMAILS, 0.005, "invalid_email", dirty.BAD_EMAILS),
    Dirt("impossible_phone", _PHONES, 0.005, "invalid_phone", dirty.BAD_PHONES),
    Dirt("unknown_country", _COUNTRIES, 0.001, "unknown_country", dirty.UNKNOWN_COUNTRIES),
    Dirt("unrecognised_value", _VOCABULARIES, 0.001, "unrecognised", ("pigeonholed", "zzz", "code 17")),
    Dirt("bad_gtin", "items.gtin", 0.01, "invalid_gtin", dirty.BAD_GTINS),
    # … but this rejects the row
    Dirt("ends_before_start", "offers.valid_to", 0.005, "before_valid_from", ("2020-01-01",)),

    # several at once
    Dirt("several_defects", "consumers.consumer_email", 0.001, "invalid_email",
         ({dirty.ITSELF: "nobody", "phone_number": "1", "country": "Atlantis"},),
         also=(("invalid_phone", "phone_number"), ("unknown_country", "country"))),
    Dirt("several_reasons", "sales.sale_date", 0.0005, "missing",
         ({dirty.ITSELF: "", "sale_id": "?", "quantity": "some"},),
         also=(("unparseable", "sale_id"), ("unparseable", "quantity"))),

    # records of the wrong shape: rejected
    Dirt("truncated_record", "*.record", 0.0005, "malformed_record", (dirty.truncate,), _FILES),
    Dirt("garbage_line", "*.record", 0.0005, "malformed_record", (dirty.garbage,), _FILES),
    Dirt("not_utf8", "*.record", 0.0005, "malformed_record", (dirty.as_latin_1,), _FILES),
    Dirt("repeated_field", "*.record", 0.0005, "malformed_record", (dirty.with_repeated_field,), _FILES),
    Dirt("not_an_object", "*.record", 0.0005, "malformed_record", (dirty.as_list, dirty.as_text), _JSON),

    # odd, but right
    Dirt("unknown_column", "*.record", 0.005, None, dirty.UNKNOWN_COLUMNS, _JSON),
    Dirt("missing_column", _OPTIONAL, 0.0005, None, (dirty.ABSENT,), _JSON),
    Dirt("blank_optional", _OPTIONAL, 0.001, None, dirty.BLANKS[:-1]),
    Dirt("leading_zeros", "*.key", 0.002, None, (dirty.leading_zeros,)),
    Dirt("padded_number", _KEYED, 0.001, None, (dirty.padded, dirty.no_break)),
    Dirt("padded_text", _NAMES, 0.002, None, (dirty.padded, dirty.no_break, dirty.tabbed)),
    Dirt("mixed_case", _NAMES, 0.002, None, (str.upper, str.lower, str.swapcase)),
    Dirt("decomposed_accents", _NAMES, 0.002, None, (dirty.decomposed,)),
    Dirt("long_text", _LONG, 0.0005, None, (dirty.LONG_TEXT,)),
    Dirt("odd_characters", _LONG, 0.001, None, dirty.ODD_TEXTS),
    Dirt("iso_date", "inventory.last_updated loyalty_activities.activity_date", 0.01, None, ("2026-01-05",)),
    Dirt("country_alias", _COUNTRIES, 0.005, None, ("UK", "U.S.A.", "Deutschland", "GB", "united kingdom ")),
    Dirt("national_phone", _PHONES, 0.01, None, dirty.NATIONAL_PHONES),
    Dirt("vocabulary_case", _VOCABULARIES, 0.002, None, (str.upper, dirty.padded)),
    Dirt("weight_with_unit", "items.weight", 0.05, None, ("500 g", "2 lb", "1,5 kg", "750g", "12 oz")),
    Dirt("price_with_currency", "items.item_price", 0.02, None, ("€ 12,50", "9,99 EUR", "1.234,50")),
    Dirt("discount_notation", "offers.discount", 0.05, None, ("15", "0.15", "15 %", "7.5%")),
    Dirt("discount_amount", "offers.discount", 0.02, None, ("£5", "€7.50", "$3")),
    Dirt("email_case", "consumers.consumer_email", 0.005, None, (str.upper, dirty.padded)),

    # what the unification of consumers must see, or must not
    Dirt("shared_email", "consumers.consumer_email", 0.01, None, (dirty.email_of_neighbour,)),
    Dirt("junk_email", "consumers.consumer_email", 0.002, None, dirty.JUNK_EMAILS),
    Dirt("crowded_email", "consumers.consumer_email", 0.001, None, ("info@mail.example.com",), ("crm",),
         at_least=25),
)
# fmt: on
