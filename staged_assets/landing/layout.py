"""The layout of the raw area: `raw.<dataset>` holds the dataset's business columns, each as text, then `METADATA`."""

from staged_assets.catalogue import DATASETS, Dataset

__all__ = ["DATASETS", "DELETE", "MALFORMED", "METADATA", "RAW_SCHEMA", "UNDECODABLE", "UPSERT", "Dataset"]

RAW_SCHEMA = "raw"

#: name → engine type of the metadata columns of every raw table, in order.
METADATA: dict[str, str] = {
    "_extra": "varchar",  # JSON object: everything else that the record held; NULL when nothing
    "_raw_row_id": "varchar",  # deterministic: system, key, source version, operation, content
    "_source_system": "varchar",
    "_source_updated_at": "timestamp",  # UTC; NULL where the source has none
    "_landed_at": "timestamp",  # UTC
    "_landing_id": "bigint",  # load order, unique in the table: the only watermark
    "_operation": "varchar",  # upsert | delete
}

UPSERT, DELETE = "upsert", "delete"

#: keys of `_extra` under which a record of the wrong shape is kept, whole
MALFORMED = "_malformed"  # the record's text
UNDECODABLE = "_undecodable_base64"  # the record's bytes, when they are not UTF-8
