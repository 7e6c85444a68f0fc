"""The demo's feeds, as its own `sources.yaml` maps them: a source column is named there and nowhere else."""

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import yaml

from staged_assets.demo.records import MAKERS, Maker
from staged_assets.demo.world import NOTATIONS, Notation

SOURCES = Path(__file__).parent / "sources.yaml"

#: The field, mapped nowhere, by which a source record is found in the truth file.
RECORD_NO = "record_no"


@dataclass(frozen=True)
class Feed:
    """What one system sends for one dataset.

    Attributes:
        system: erp, crm or ecommerce.
        dataset: one of the fourteen.
        source: table, endpoint or stream.
        key: the raw area's column that identifies a record.
        columns: raw column → source column, where it is one.
        cursor: source column of the update time; None for a plain snapshot.
        marker: source column that marks a delete, its values for a record and for a delete; None as above.
        maker: makes its clean records; a field that is not in `columns` keeps its name.
        notation: how its system writes dates and numbers.
    """

    system: str
    dataset: str
    source: str
    key: str
    columns: dict[str, str]
    cursor: str | None
    marker: tuple[str, Any, Any] | None
    maker: Maker
    notation: Notation

    @cached_property
    def name(self) -> str:
        """Unique among the feeds."""
        return f"{self.system}.{self.source}"


_MARKERS = {"erp": ("0", "1"), "crm": (False, True), "ecommerce": ("upsert", "delete")}


def _feed(system: str, given: dict[str, Any]) -> Feed:
    columns = {target: name for target, name in given["columns"].items() if isinstance(name, str)}
    marker = given.get("delete_marker")
    return Feed(
        system=system,
        dataset=given["dataset"],
        source=given["from"],
        key=next(target for target, name in columns.items() if name == given["key"][0]),
        columns=columns,
        cursor=given.get("updated_at"),
        marker=(marker["column"], *_MARKERS[system]) if marker else None,
        maker=MAKERS[system, given["from"]],
        notation=NOTATIONS[system],
    )


@lru_cache
def feeds() -> tuple[Feed, ...]:
    """All feeds of the demo, in the order of `sources.yaml`."""
    systems = yaml.safe_load(SOURCES.read_text(encoding="utf-8"))["systems"]
    return tuple(_feed(name, feed) for name, system in systems.items() for feed in system["feeds"])
