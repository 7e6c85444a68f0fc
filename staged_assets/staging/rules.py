"""What the dbt project asks of a dataset's columns, read from its files without dbt."""

import re
from dataclasses import dataclass
from functools import cache
from typing import Any

from staged_assets import yaml_text
from staged_assets.staging.project import PROJECT_DIR

_RULE = re.compile(r"\b(required|optional)\('(\w+)', '(\w+)'")


@dataclass(frozen=True)
class ColumnRule:
    """What is asked of a column.

    Attributes:
        kind: what its text is parsed as, as the `base` macro calls it: `integer`, `moment`, `country`, …
        is_required: a row without it is rejected.
        is_personal: its values are not shown.
    """

    kind: str
    is_required: bool
    is_personal: bool


@cache
def column_rules(dataset: str) -> dict[str, ColumnRule]:
    """Column → rule, of a dataset's business columns."""
    (base,) = PROJECT_DIR.glob(f"models/*/base_{dataset}.sql")
    personal = _personal(dataset)
    return {
        column: ColumnRule(kind, strictness == "required", column in personal)
        for strictness, column, kind in _RULE.findall(base.read_text(encoding="utf-8"))
    }


def _personal(dataset: str) -> set[str]:
    found: set[str] = set()
    for path in PROJECT_DIR.glob("models/*/_*__models.yml"):
        for model in yaml_text.load(path.read_text(encoding="utf-8"))["models"]:
            if model["name"] == f"stg_{dataset}":
                found = {column["name"] for column in model["columns"] if _is_personal(column)}
    return found


def _is_personal(column: dict[str, Any]) -> bool:
    marks = {**column.get("meta", {}), **column.get("config", {}).get("meta", {})}
    return bool(marks.get("personal"))
