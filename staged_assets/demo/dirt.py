"""The dirt of the demo: one row of `DIRT` for each kind, planted by one mechanism at known rates."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from staged_assets.demo import dirty_values as dirty
from staged_assets.demo.feeds import Feed
from staged_assets.demo.plan import Plan
from staged_assets.demo.records import Record
from staged_assets.demo.truth import Violation

#: In a mapping of new values: the column for which the kind is planted.
ITSELF = dirty.ITSELF


@dataclass(frozen=True)
class Dirt:
    """One kind of dirt.

    Attributes:
        kind: its name.
        columns: where it is planted, as `dataset.column`; `*.key` is the key of every dataset, `*.record` the whole record.
        rate: share of a feed's entities, for each column; at least one entity of a feed has it.
        code: the violation that is expected; None where the value is odd but right.
        values: what takes the place of the value, in turn: a text, a change of the value, a mapping of several columns'
            values, `ABSENT` (the record lacks the field), or damage to the whole line (a change of its bytes).
        systems: where it can occur.
        also: further violations, with their columns.
        at_least: number of entities, however low the rate.
    """

    kind: str
    columns: str
    rate: float
    code: str | None
    values: Sequence[Any]
    systems: tuple[str, ...] = ("erp", "crm", "ecommerce")
    also: tuple[Violation, ...] = ()
    at_least: int = 1


_ALL_DATES = (
    "sales.sale_date sales.delivery_date orders.order_date orders.expected_delivery_date offers.valid_from offers.valid_to"
    " interactions.interaction_date loyalty_activities.activity_date consumers.date_of_birth inventory.last_updated"
)
_MOMENTS = "sales.sale_date interactions.interaction_date"
_REQUIRED = (
    "sales.sale_date orders.item_id orders.order_date interactions.consumer_id interactions.touchpoint_id"
    " interactions.interaction_date inventory.item_id loyalty_activities.consumer_id loyalty_activities.activity_date"
    " offers.offer_name offers.valid_from offers.valid_to suppliers.supplier_name audience_segments.segment_name"
)
_INTEGERS = (
    "orders.item_id interactions.consumer_id interactions.touchpoint_id inventory.item_id loyalty_activities.consumer_id"
    " sales.shop_id sales.consumer_id sales.item_id sales.offer_id sales.quantity orders.supplier_id orders.quantity_ordered"
    " orders.consumer_id consumers.loyalty_points items.stock_quantity inventory.quantity_on_hand inventory.reorder_level"
    " loyalty_activities.points_earned loyalty_activities.points_redeemed loyalty_activities.balance_points offers.max_usage"
    " shops.established_year"
)
_OPTIONAL = (
    "sales.shop_id sales.total_price sales.payment_method sales.country orders.supplier_id orders.order_status"
    " consumers.consumer_email consumers.phone_number consumers.date_of_birth consumers.country items.item_price items.weight"
    " items.gtin inventory.reorder_level interactions.resolution_status loyalty_activities.points_earned offers.discount"
    " offers.max_usage shops.established_year suppliers.contact_phone touchpoints.description"
)
_NAMES = (
    "items.item_name items.brand shops.shop_name suppliers.supplier_name audience_segments.segment_name"
    " media_channels.media_channel_name touchpoints.touchpoint_name consumers.consumer_name consumers.consumer_city"
    " location_dimension.city offers.offer_name inventory.warehouse_location"
)
_COUNTRIES = (
    "sales.country consumers.country items.country shops.country suppliers.country offers.country location_dimension.country"
)
_EMAILS = "consumers.consumer_email shops.contact_email suppliers.contact_email"
_PHONES = "consumers.phone_number suppliers.contact_phone"
_FILES, _JSON = ("ecommerce",), ("crm", "ecommerce")

DIRT = (
    # required values
    Dirt("missing_key", "*.key", 0.0005, "missing", dirty.BLANKS),
    Dirt("missing_required", _REQUIRED, 0.0005, "missing", dirty.BLANKS),
    Dirt("unparseable_key", "*.key", 0.0005, "unparseable", dirty.NOT_INTEGERS),
    # values of the wrong type
    Dirt("unparseable_integer", _INTEGERS, 0.0005, "unparseable", dirty.NOT_INTEGERS),
    Dirt("unparseable_decimal", "items.item_price orders.unit_price sales.total_price", 0.0005, "unparseable",
         dirty.NOT_DECIMALS),
    Dirt("unparseable_date", _ALL_DATES, 0.0005, "unparseable", dirty.NOT_DATES),
    Dirt("impossible_date", _ALL_DATES, 0.0005, "unparseable", dirty.IMPOSSIBLE_DATES),
    Dirt("ambiguous_date", _ALL_DATES, 0.0005, "unparseable", ("03/04/2026", "11/12/2025"), ("erp", "ecommerce")),
    Dirt("foreign_date", _ALL_DATES, 0.0005, "unparseable", ("31.12.2025", "13.04.2026", "25/12/2025"), _JSON),
    Dirt("two_digit_year", "inventory.last_updated loyalty_activities.activity_date", 0.0005, "unparseable",
         ("04.03.26", "03/04/26")),
    Dirt("midnight_24", _MOMENTS, 0.0005, "unparseable", ("2026-01-05T24:00:00", "2026-01-05 24:00:00")),
    Dirt("impossible_time", _MOMENTS, 0.0005, "unparseable", ("2026-01-05T25:10:00Z", "2026-01-05T10:61:00+01:00")),
    Dirt("unparseable_weight", "items.weight", 0.005, "unparseable", ("heavy", "kg", "1,5 bananas", "2x3 kg")),
    Dirt("unparseable_percentage", "offers.discount", 0.005, "unparseable", ("half price", "%", "15%%", "ten percent")),
    # values outside what they may be
    Dirt("negative_points", "consumers.loyalty_points loyalty_activities.points_earned loyalty_activities.points_redeemed",
         0.001, "out_of_range", ("-1", "-250")),
    Dirt("negative_price", "items.item_price", 0.005, "out_of_range", ("-4,99", "-0,01")),
    Dirt("negative_usage", "offers.max_usage", 0.005, "out_of_range", ("-1",)),
    Dirt("nothing_ordered", "orders.quantity_ordered", 0.001, "out_of_range", ("0", "-3")),
    Dirt("discount_beyond_whole", "offers.discount", 0.005, "out_of_range", ("150%", "-5%", "250")),
    Dirt("impossible_founding_year", "shops.established_year", 0.005, "out_of_range", ("1599", "2999", "0")),
    Dirt("born_in_future", "consumers.date_of_birth", 0.001, "out_of_range", ("2190-01-01", "2999-12-31")),
    Dirt("born_too_early", "consumers.date_of_birth", 0.001, "out_of_range", ("1899-12-31", "1066-10-14")),
    Dirt("ends_before_start", "offers.valid_to", 0.005, "before_valid_from", ("2020-01-01",)),
    Dirt("delivered_before_order", "orders.expected_delivery_date", 0.001, "before_order_date", ("2020-01-01",)),
    Dirt("bad_email", _EMAILS, 0.005, "invalid_email", dirty.BAD_EMAILS),
    Dirt("impossible_phone", _PHONES, 0.005, "invalid_phone", dirty.BAD_PHONES),
    Dirt("unknown_country", _COUNTRIES, 0.001, "unknown_country", dirty.UNKNOWN_COUNTRIES),
    Dirt("unrecognised_value", "interactions.resolution_status loyalty_activities.activity_type orders.order_status"
         " sales.payment_method", 0.001, "unrecognised", ("pigeonholed", "zzz", "??")),
    Dirt("bad_gtin", "items.gtin", 0.01, "invalid_gtin", ("4006381333932", "12345", "978-X", "4006381333931-1")),
    # several at once
    Dirt("several_defects", "consumers.consumer_email", 0.001, "invalid_email",
         ({ITSELF: "nobody", "phone_number": "12", "country": "Atlantis"},),
         also=(("invalid_phone", "phone_number"), ("unknown_country", "country"))),
    Dirt("several_reasons", "sales.sale_date", 0.0005, "missing", ({ITSELF: "", "sale_id": "?", "quantity": "some"},),
         also=(("unparseable", "sale_id"), ("unparseable", "quantity"))),
    # records of the wrong shape
    Dirt("truncated_record", "*.record", 0.0005, "malformed_record", (dirty.truncate,), _FILES),
    Dirt("garbage_line", "*.record", 0.0005, "malformed_record", (dirty.garbage,), _FILES),
    Dirt("not_an_object", "*.record", 0.0005, "malformed_record", (dirty.as_list, dirty.as_text), _JSON),
    Dirt("not_utf8", "*.record", 0.0005, "malformed_record", (dirty.as_latin_1,), _FILES),
    Dirt("unknown_column", "*.record", 0.005, None, ({"loyalty_tier_v2": "gold"}, {"Übergabe": {"fach": [1, None]}}), _JSON),
    # odd, but right
    Dirt("missing_column", _OPTIONAL, 0.0005, None, (dirty.ABSENT,), _JSON),
    Dirt("blank_optional", _OPTIONAL, 0.001, None, dirty.BLANKS[:-1]),
    Dirt("leading_zeros", "*.key", 0.002, None, (dirty.leading_zeros,)),
    Dirt("padded_number", "orders.item_id sales.shop_id inventory.item_id interactions.consumer_id", 0.001, None,
         (dirty.padded, dirty.no_break)),
    Dirt("padded_text", _NAMES, 0.002, None, (dirty.padded, dirty.no_break, dirty.tabbed)),
    Dirt("mixed_case", _NAMES, 0.002, None, (str.upper, str.lower, str.swapcase)),
    Dirt("decomposed_accents", _NAMES, 0.002, None, (dirty.decomposed,)),
    Dirt("long_text", "interactions.comments offers.terms touchpoints.description suppliers.address consumers.address",
         0.0005, None, (dirty.LONG_TEXT,)),
    Dirt("odd_characters", "interactions.comments offers.terms suppliers.address consumers.address", 0.001, None,
         dirty.ODD_TEXTS),
    Dirt("iso_date", "inventory.last_updated loyalty_activities.activity_date", 0.01, None, ("2026-01-05",)),
    Dirt("country_alias", _COUNTRIES, 0.005, None, ("UK", "U.S.A.", "Deutschland", "GB", "DEU", "united kingdom ")),
    Dirt("national_phone", _PHONES, 0.01, None, dirty.NATIONAL_PHONES),
    Dirt("vocabulary_case", "interactions.resolution_status orders.order_status", 0.002, None, (str.upper, dirty.padded)),
    Dirt("weight_with_unit", "items.weight", 0.05, None, ("500 g", "2 lb", "1,5 kg", "750g", "12 oz", "0,25 kg")),
    Dirt("discount_notation", "offers.discount", 0.05, None, ("15", "0.15", "15 %", "7.5%")),
    Dirt("discount_amount", "offers.discount", 0.02, None, ("£5", "€7.50", "$3")),
    Dirt("email_case", "consumers.consumer_email", 0.005, None, (str.upper, dirty.padded)),
    # what the unification of consumers must see, or must not
    Dirt("shared_email", "consumers.consumer_email", 0.01, None, (dirty.email_of_neighbour,)),
    Dirt("junk_email", "consumers.consumer_email", 0.002, None, ("noreply@example.com", "test@test.com", "none@none.com")),
    Dirt("crowded_email", "consumers.consumer_email", 0.001, None, ("info@mail.example.com",), ("crm",), at_least=25),
)  # fmt: skip


@dataclass(frozen=True)
class Planting:
    """A kind of dirt, for one column of a feed (None: for the record)."""

    dirt: Dirt
    column: str | None

    @property
    def damages(self) -> bool:
        """Whether the line is damaged, not a value."""
        return self.dirt.code == "malformed_record"

    @property
    def violations(self) -> tuple[Violation, ...]:
        """What the rules must find."""
        return ((self.dirt.code, self.column), *self.dirt.also) if self.dirt.code else ()

    def value(self, number: int) -> Any:
        """What is planted at the n-th time."""
        return self.dirt.values[number % len(self.dirt.values)]

    def plant(self, record: Record, number: int) -> None:
        """Make the record dirty."""
        value = self.value(number)
        column = self.column or ""
        if value is dirty.ABSENT:
            record.pop(column)
        elif isinstance(value, Mapping):
            record.update({column if name == ITSELF else name: item for name, item in value.items()})
        elif isinstance(value, Callable):  # type: ignore[arg-type]
            record[column] = value(record[column])
        else:
            record[column] = value


def plantings(feed: Feed) -> list[Planting]:
    """All that can be wrong with a feed's records."""
    found = []
    for dirt in DIRT:
        for place in dirt.columns.split():
            dataset, column = place.split(".")
            if feed.system not in dirt.systems or dataset not in ("*", feed.dataset):
                continue
            if column == "record":
                found.append(Planting(dirt, None))
            elif column == "key":
                found.append(Planting(dirt, feed.key))
            elif column in feed.columns:
                found.append(Planting(dirt, column))
    return found


def dirt_plan(feed: Feed, size: int, seed: int) -> Plan[Planting]:
    """Which of a feed's entities get which dirt."""
    wanted = [
        (planting, max(planting.dirt.at_least, round(planting.dirt.rate * size))) for planting in plantings(feed)
    ]
    return Plan(size, wanted, stride=0.618, offset=seed)
