"""The fourteen datasets: what each is called, its key and the business columns that a source can fill.

The columns are the base contract of `stg_<dataset>` (the bold columns of the design), in that order, then the further
inputs that derived columns need.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Dataset:
    """One of the fourteen.

    Attributes:
        name: as in `stg_<name>`.
        key: the column that identifies a row (the grain).
        columns: the business columns of `raw.<name>`, in order, every one as text.
        consolidated: whether several systems' versions of one key are merged field by field (survivorship)
            rather than ranked against each other.
    """

    name: str
    key: str
    columns: tuple[str, ...]
    consolidated: bool = False


def _dataset(name: str, columns: str, *, consolidated: bool = False) -> Dataset:
    names = tuple(columns.split())
    return Dataset(name, names[0], names, consolidated)


DATASETS: dict[str, Dataset] = {
    dataset.name: dataset
    for dataset in (
        _dataset("audience_segments", "audience_segment_id segment_name description"),
        _dataset(
            "consumers",
            "consumer_id consumer_name consumer_email consumer_city phone_number date_of_birth address"
            " loyalty_points country",
            consolidated=True,
        ),
        _dataset(
            "interactions",
            "interaction_id consumer_id touchpoint_id interaction_date interaction_type resolution_status comments",
        ),
        _dataset(
            "inventory",
            "inventory_id item_id quantity_on_hand reorder_level warehouse_location last_updated",
        ),
        _dataset(
            "items",
            "item_id item_name item_price category stock_quantity supplier weight brand country gtin",
        ),
        _dataset("location_dimension", "location_id city country"),
        _dataset(
            "loyalty_activities",
            "loyalty_activity_id consumer_id activity_date activity_type points_earned points_redeemed balance_points",
        ),
        _dataset("media_channels", "media_channel_id media_channel_name description"),
        _dataset(
            "offers",
            "offer_id offer_name discount valid_from valid_to terms offer_code max_usage country",
        ),
        _dataset(
            "orders",
            "order_id item_id supplier_id order_date quantity_ordered order_status expected_delivery_date"
            " consumer_id unit_price",
        ),
        _dataset(
            "sales",
            "sale_id sale_date shop_id consumer_id item_id offer_id quantity total_price payment_method"
            " order_status delivery_date delivery_status country",
        ),
        _dataset(
            "shops",
            "shop_id shop_name shop_location shop_type established_year owner contact_email country",
            consolidated=True,
        ),
        _dataset(
            "suppliers",
            "supplier_id supplier_name contact_name contact_email contact_phone address country",
            consolidated=True,
        ),
        _dataset("touchpoints", "touchpoint_id touchpoint_name description"),
    )
}
