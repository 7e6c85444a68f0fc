"""Values in samples: personal ones are shown by their type and length alone."""

import json
from collections.abc import Collection, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any

#: A value longer than this is cut: a sample is for people to read.
LONGEST = 80


def personal_columns(manifest: Mapping[str, Any]) -> dict[str, frozenset[str]]:
    """Model → its columns that are marked `meta: {personal: true}` in the dbt project."""
    return {
        node["name"]: frozenset(name for name, column in node["columns"].items() if _is_personal(column))
        for node in manifest["nodes"].values()
        if node["resource_type"] == "model"
    }


def _is_personal(column: Mapping[str, Any]) -> bool:
    marks = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
    return bool(marks.get("personal"))


class Mask:
    """How the values of a table's columns are shown.

    Args:
        personal: columns whose values are shown by type and length alone; None: that is so for every column.
    """

    def __init__(self, personal: Collection[str] | None) -> None:
        self._personal = personal

    def shown(self, column: str, value: Any) -> str:
        """A value, in text."""
        if value is None:
            return "NULL"
        if self._personal is None or column in self._personal:
            return _outline(value)
        text = json.dumps(value, default=str, ensure_ascii=False) if isinstance(value, list | dict) else str(value)
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}… ({len(text)} characters)"


def _outline(value: Any) -> str:
    match value:
        case bool():
            return "boolean"
        case int() | float() | Decimal():
            return "number"
        case datetime():
            return "timestamp"
        case date():
            return "date"
        case list() | dict():
            return f"list of {len(value)}"
        case _:
            return f"text of {len(str(value))} characters"
