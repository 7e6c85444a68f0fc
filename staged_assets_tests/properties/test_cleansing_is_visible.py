"""Guarantee 5: the raw value stays reachable; what cleansing changed or nulled is named, cell by cell."""

import json
import re
from decimal import Decimal
from typing import Any

from hypothesis import given

from staged_assets.catalogue import DATASETS
from staged_assets_tests.properties.histories import Histories, histories
from staged_assets_tests.properties.profile import examples
from staged_assets_tests.properties.values import COLUMNS, Column
from staged_assets_tests.staged_area import NewArea, StagedArea

_NULL_TOKENS = ("", "\\N", "NULL", "null", "N/A", "n/a", "#N/A", "-")
#: What a value that is not in its vocabulary becomes.
_FALLBACKS = ("other", "unknown")


def _is_as_written(kind: str, raw: str | None, staged: Any) -> bool:
    """Whether the raw text is how the staged value is written."""
    if raw is None or staged is None:
        return raw is None and staged is None
    if kind in ("decimal", "percentage", "weight"):
        return bool(re.fullmatch(r"-?(0|[1-9]\d*)(\.\d+)?", raw)) and Decimal(raw) == staged
    if kind == "moment":
        day = staged.isoformat()
        return raw == day or bool(re.fullmatch(re.escape(day) + r" \d\d:\d\d:\d\d(\.\d+)?", raw))
    if kind in ("date", "start", "end"):
        return bool(raw == staged.isoformat())
    return raw == str(staged)


def _rows_of_one_system(area: StagedArea, dataset: str) -> list[dict[str, Any]]:
    """Staged rows with the raw row they came from as `raw`: where systems are consolidated, those of one system."""
    raw = {row["_raw_row_id"]: row for row in area.records(f"raw.{dataset}")}
    rows = area.records(f"staged.stg_{dataset}")
    return [{**row, "raw": raw[row["_raw_row_id"]]} for row in rows if len(row.get("source_systems", [0])) == 1]


def _is_blank(raw: str | None) -> bool:
    return raw is None or raw.strip() in _NULL_TOKENS


def _has_defect(column: Column, raw: str | None, row: dict[str, Any]) -> bool:
    """Whether an optional value is there and is none of its kind."""
    if column.required or _is_blank(raw) or (column.name == "discount" and row["discount_amount"] is not None):
        return False
    return row[column.name] is None


@examples(1)
@given(sent=histories(keys=30, longest=2, kinds=["sound"]))
def test_every_changed_cell_is_named_and_every_nulled_one_has_a_defect(sent: Histories, new_area: NewArea) -> None:
    with new_area() as area:
        area.land_all(arrival.landing() for arrival in sent.arrivals())
        area.refresh()
        for dataset in DATASETS:
            rows = _rows_of_one_system(area, dataset)
            assert rows
            for row in rows:
                cells = {column: row["raw"][column.name] for column in COLUMNS[dataset]}
                changed = {c.name for c, raw in cells.items() if not _is_as_written(c.kind, raw, row[c.name])}
                assert set(row["_cleansed"]) == changed, (dataset, row)
                nulled = {c.name: raw for c, raw in cells.items() if _has_defect(c, raw, row)}
                unknown = {c.name: raw for c, raw in cells.items() if row[c.name] in _FALLBACKS}
                defects = {defect["column"]: defect["raw_value"] for defect in row["_cell_defects"]}
                assert nulled.items() <= defects.items() <= (nulled | unknown).items(), (dataset, row)


def test_no_value_is_changed_on_the_way_into_raw(new_area: NewArea) -> None:
    text = "  007\u00a0\t日本 e\u0301 \u0000nul \n" + "long " * 20_000
    row = {"touchpoint_id": " 007 ", "touchpoint_name": text, "_extra": json.dumps({"other": text})}
    with new_area(published=True) as area:
        area.land("touchpoints", "crm", [row])
        area.refresh(["touchpoints"])
        found = area.query(
            "select raw.touchpoint_id, raw.touchpoint_name, raw._extra from staged.stg_touchpoints as staged"
            " join raw.touchpoints as raw using (_raw_row_id)"
        )
        assert found == [(row["touchpoint_id"], row["touchpoint_name"], row["_extra"])]
