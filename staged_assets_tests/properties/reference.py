"""Where each raw row must end, said once more, simply, in Python, from raw rows and what was planted in them."""

import json
from collections.abc import Iterable, Mapping
from itertools import groupby
from typing import Any

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.histories import PLANTED
from staged_assets_tests.staged_area import StagedArea

RawRow = Mapping[str, Any]


def raw_rows(area: StagedArea, dataset: str) -> list[RawRow]:
    """The raw rows of a dataset."""
    return area.records(f"raw.{dataset}")


def reasons(row: RawRow) -> list[tuple[str, str | None]]:
    """(code, column) of each reason for which the row must be rejected."""
    extra = json.loads(row["_extra"] or "{}")
    if "_malformed" in extra:
        return [("malformed_record", None)]
    return [tuple(extra[PLANTED])] if PLANTED in extra else []


def key_of(row: RawRow, dataset: str) -> int:
    """The key of a sound row, however it is written."""
    return int(row[DATASETS[dataset].key].strip())


def expected_dispositions(dataset: str, rows: Iterable[RawRow]) -> dict[str, str]:
    """Raw row id → disposition."""
    rows = list(rows)
    expected = {row["_raw_row_id"]: "rejected" for row in rows if reasons(row)}
    for versions in _chains(dataset, [row for row in rows if not reasons(row)]):
        expected |= _judged(dataset, versions)
    return expected


def _chains(dataset: str, sound: list[RawRow]) -> Iterable[list[RawRow]]:
    """The versions of each thing, in the order of its source: without a time first, then by time, then as landed."""

    def chain(row: RawRow) -> tuple[int, str]:
        return key_of(row, dataset), row["_source_system"] if DATASETS[dataset].consolidated else ""

    ordered = sorted(
        sound,
        key=lambda row: (
            *chain(row), row["_source_updated_at"] is not None, row["_source_updated_at"] or 0, row["_landing_id"],
        ),
    )  # fmt: skip
    return [list(versions) for _, versions in groupby(ordered, key=chain)]


def _judged(dataset: str, versions: list[RawRow]) -> dict[str, str]:
    judged: dict[str, str] = {}
    standing: str | None = None  # the row that is the current version so far
    before: Any = None
    for row in versions:
        content = (row["_operation"], *(row[name] for name in DATASETS[dataset].columns), row["_extra"])
        number = row["_raw_row_id"]
        if row["_operation"] == "delete":
            judged[number] = "deleted"
            if standing:
                judged[standing] = "deleted"
            standing = None
        elif content == before:
            judged[number] = "duplicate"
        else:
            judged[number] = "staged"
            if standing:
                judged[standing] = "superseded"
            standing = number
        before = content
    return judged
