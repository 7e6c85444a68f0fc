"""Values for random rows: what a column may hold, sound and otherwise, by the kind of its values.

Kinds and rules are those that the design states for each dataset; nothing here is read from the dbt project.
"""

from dataclasses import dataclass

from staged_assets.catalogue import DATASETS

#: dataset → `column:kind` in the order of the catalogue; `!` where the column is required, the key first
_COLUMNS = {
    "audience_segments": "audience_segment_id:integer! segment_name:text! description:text",
    "consumers": "consumer_id:integer! consumer_name:text consumer_email:email consumer_city:city phone_number:phone"
    " date_of_birth:date address:text loyalty_points:integer country:country",
    "interactions": "interaction_id:integer! consumer_id:integer! touchpoint_id:integer! interaction_date:moment!"
    " interaction_type:vocabulary resolution_status:vocabulary comments:text",
    "inventory": "inventory_id:integer! item_id:integer! quantity_on_hand:integer reorder_level:integer"
    " warehouse_location:text last_updated:date",
    "items": "item_id:integer! item_name:text item_price:decimal category:text stock_quantity:integer supplier:text"
    " weight:weight brand:text country:country gtin:gtin",
    "location_dimension": "location_id:integer! city:city country:country",
    "loyalty_activities": "loyalty_activity_id:integer! consumer_id:integer! activity_date:date!"
    " activity_type:vocabulary points_earned:integer points_redeemed:integer balance_points:integer",
    "media_channels": "media_channel_id:integer! media_channel_name:text description:text",
    "offers": "offer_id:integer! offer_name:text! discount:percentage valid_from:start! valid_to:end! terms:text"
    " offer_code:text max_usage:integer country:country",
    "orders": "order_id:integer! item_id:integer! supplier_id:integer order_date:date! quantity_ordered:integer"
    " order_status:vocabulary expected_delivery_date:date consumer_id:integer unit_price:decimal",
    "sales": "sale_id:integer! sale_date:moment! shop_id:integer consumer_id:integer item_id:integer offer_id:integer"
    " quantity:integer total_price:decimal payment_method:vocabulary order_status:text delivery_date:date"
    " delivery_status:text country:country",
    "shops": "shop_id:integer! shop_name:text shop_location:city shop_type:text established_year:integer owner:text"
    " contact_email:email country:country",
    "suppliers": "supplier_id:integer! supplier_name:text! contact_name:text contact_email:email contact_phone:phone"
    " address:text country:country",
    "touchpoints": "touchpoint_id:integer! touchpoint_name:text description:text",
}


@dataclass(frozen=True)
class Column:
    """A business column: the kind of its values, and whether a bad one rejects the row."""

    name: str
    kind: str
    required: bool


def _column(written: str) -> Column:
    name, _, kind = written.partition(":")
    return Column(name, kind.rstrip("!"), kind.endswith("!"))


COLUMNS = {dataset: tuple(map(_column, written.split())) for dataset, written in _COLUMNS.items()}
assert {dataset: tuple(column.name for column in columns) for dataset, columns in COLUMNS.items()} == {
    name: dataset.columns for name, dataset in DATASETS.items()
}

#: Texts that mean that there is no value, and one that is no text at all.
BLANK = (None, "", "  ", "\t", "\u00a0", "N/A", "null", "-", "\\N")

#: kind → values that every source system's notation allows
SOUND: dict[str, tuple[str, ...]] = {
    "integer": ("1", "2", "3", "4", "007", " 5", "+6", "8\u00a0", "-2", "0", "40", "1950"),
    "decimal": ("0", "12", "7", "250", "3", "-4"),
    "percentage": ("15%", "15", "0", "100 %", "7"),
    "weight": ("2", "500 g", "3 kg", "2lb", "0"),
    "date": ("2026-01-05", "2026-01-06", " 2026-02-28", "2025-12-31", "2026-01-12T10:30:00Z"),
    "moment": ("2026-01-05", "2026-01-06 10:15:00", "2026-01-12T23:30:00Z", "2026-01-13T08:00:00+02:00"),
    "start": ("2026-01-01", "2025-12-24", "2026-01-06"),
    "end": ("2026-01-06", "2026-03-31", "2026-12-31"),
    "text": ("Alpha", "alpha  beta", " Ümläut ", "e\u0301te\u0301", "Newsletter, social & store", "online", "日本"),
    "city": ("Berlin", "berlin ", "München", "Paris", "London", "Nowhere-on-Sea"),
    "country": ("Germany", "DE", "Deutschland", "United Kingdom", "UK", "U.S.A.", "fr"),
    "email": ("ann@mail.example.com", "Ann@Mail.Example.COM", " bob@mail.example.com", "info@mail.example.com"),
    "phone": ("+49 30 123456", "020 7946 0018", "+1 212-555-0100", "030/123456"),
    "vocabulary": ("card", "cash", "placed", "delivered", "open", "resolved", "earn", "redeem", " Phone ", "e-mail"),
    "gtin": ("4006381333931", "0000096385074", "4006381 333931"),
}

#: kind → values that no source system's notation allows
WRONG: dict[str, tuple[str, ...]] = {
    "integer": ("12.5", "1e3", "0x1F", "1_000", "some", "99999999999999999999", "nan"),
    "decimal": ("free", "1e400", "nan", "12.34567", "--4", "infinity"),
    "percentage": ("half", "150%", "%", "-5%"),
    "weight": ("heavy", "-2 kg", "3 bananas"),
    "date": ("2026-02-31", "epoch", "infinity", "2026/01/02", "yesterday"),
    "moment": ("2026-01-05T24:00:00", "2026-13-01", "noon"),
    "start": ("2026-02-31", "soon"),
    "end": ("2026-02-31", "later"),
    "email": ("nobody", "a@b", "@mail.example.com", "two@@mail.example.com"),
    "phone": ("1", "call me", "+0"),
    "country": ("Atlantis", "XX", "Prussia"),
    "vocabulary": ("zzz", "code 17"),
    "gtin": ("4006381333932", "123"),
}
