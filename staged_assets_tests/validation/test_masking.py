"""How values are shown in samples."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from staged_assets.validation.masking import LONGEST, Mask, personal_columns


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("Ada", "text of 3 characters"),
        (date(1980, 1, 1), "date"),
        (datetime(1980, 1, 1), "timestamp"),
        (1980, "number"),
        (Decimal("1.5"), "number"),
        (True, "boolean"),
        ([{"raw_value": "Ada"}], "list of 1"),
        (None, "NULL"),
    ],
)
def test_a_personal_value_is_shown_by_type_and_length_alone(value: Any, shown: str) -> None:
    assert Mask({"name"}).shown("name", value) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [("x", "x"), (Decimal("1.50"), "1.50"), (["crm"], '["crm"]'), (date(2026, 1, 2), "2026-01-02")]
)
def test_another_value_is_shown_as_it_is(value: Any, shown: str) -> None:
    assert Mask({"name"}).shown("amount", value) == shown


def test_a_long_value_is_cut() -> None:
    assert Mask(()).shown("terms", "x" * 200) == f"{'x' * LONGEST}… (200 characters)"


def test_personal_columns_are_those_that_the_dbt_project_marks() -> None:
    node = {
        "resource_type": "model",
        "name": "stg_x",
        "columns": {
            "in_config": {"config": {"meta": {"personal": True}}, "meta": {}},
            "in_meta": {"config": {}, "meta": {"personal": True}},
            "not": {"config": {"meta": {}}, "meta": {"personal": False}},
        },
    }
    assert personal_columns({"nodes": {"n": node, "t": {"resource_type": "test"}}}) == {
        "stg_x": {"in_config", "in_meta"}
    }
