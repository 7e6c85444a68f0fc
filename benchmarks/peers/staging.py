"""The fourteen staging models that the stock stack and SQLMesh build: one template, and what each dataset fills in.

A model has the typed columns of `limit.SELECTS`, without the rows that lack a required value, and of the versions of
each key the one that was changed last. It has no quarantine, no vocabulary, and nothing is made from it.
"""

from dataclasses import dataclass

from benchmarks.peers.limit import METADATA, SELECTS

#: dataset → its key, then what else a row must have.
REQUIRED: dict[str, tuple[str, ...]] = {
    "audience_segments": ("audience_segment_id", "segment_name"),
    "consumers": ("consumer_id",),
    "interactions": ("interaction_id", "consumer_id", "touchpoint_id", "interaction_date"),
    "inventory": ("inventory_id", "item_id"),
    "items": ("item_id",),
    "location_dimension": ("location_id",),
    "loyalty_activities": ("loyalty_activity_id", "consumer_id", "activity_date"),
    "media_channels": ("media_channel_id",),
    "offers": ("offer_id", "offer_name", "valid_from", "valid_to"),
    "orders": ("order_id", "item_id", "order_date"),
    "sales": ("sale_id", "sale_date"),
    "shops": ("shop_id",),
    "suppliers": ("supplier_id", "supplier_name"),
    "touchpoints": ("touchpoint_id",),
}
#: Columns that this project maps to a vocabulary, and the others do not.
MAPPED = ("interaction_type", "resolution_status", "activity_type", "order_status", "payment_method")


@dataclass(frozen=True)
class Model:
    """One of the fourteen.

    Attributes:
        dataset: as in `stg_<dataset>`.
    """

    dataset: str

    @property
    def name(self) -> str:
        """Of the table."""
        return f"stg_{self.dataset}"

    @property
    def key(self) -> str:
        """The column that identifies a row."""
        return REQUIRED[self.dataset][0]

    @property
    def required(self) -> tuple[str, ...]:
        """Columns without which a row is left out; the key is the first."""
        return REQUIRED[self.dataset]

    def sql(self, source: str, new: str = "true") -> str:
        """The model's query.

        Args:
            source: the raw table, as the peer names it.
            new: which of its rows; in an incremental run those that are new.
        """
        present = " and ".join(f"{column} is not null" for column in self.required)
        return f"""with typed as (
    select {SELECTS[self.dataset]}, {METADATA}, _landing_id
    from {source}
    where {new}
)
select *
from typed
where {present}
qualify row_number() over (partition by {self.key} order by _source_updated_at desc, _landing_id desc) = 1
"""


MODELS = {dataset: Model(dataset) for dataset in SELECTS}
