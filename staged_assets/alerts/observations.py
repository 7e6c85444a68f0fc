"""What is taken from an event: who failed or passed, and the few facts that may be told.

No personal data: of a check's metadata only the keys below are taken, and only values of the kind that belongs there.
Descriptions, error messages and every other metadata never leave the event log.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import dagster as dg
from pydantic import BaseModel

from staged_assets.alerts.models import Kind, Severity

#: Check metadata that may be told: our name → the keys it is taken from, the first that is there.
NUMBERS = {
    "failing": ("failing", "failures"),
    "rows": ("rows",),
    "share": ("share",),
}
NAMES = {"rule": ("rule",), "column": ("column",)}
ROW_IDS = "raw_row_ids"

#: Of a check that sums up several rules: those that do not hold, with the keys above, and the names of the others.
FAILING_RULES = "failing_rules"
HOLDING_RULES = "rules_holding"

#: Raw row ids that are told at most.
MOST_ROW_IDS = 3

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,99}")
_ROW_ID = re.compile(r"[0-9a-f]{32}")


class Facts(BaseModel):
    """What a message may say about a failure, beside names.

    Attributes:
        rule, column: identifiers.
        failing: rows that break the rule.
        rows: rows that were looked at.
        share: `failing` of `rows`, 0..1.
        raw_row_ids: a capped sample, to find the rows by.
        reason: why a run failed, in the project's own words.
        steps: of a run, that failed.
        not_refreshed: assets that a run was to refresh and did not.
    """

    rule: str | None = None
    column: str | None = None
    failing: int | None = None
    rows: int | None = None
    share: float | None = None
    raw_row_ids: tuple[str, ...] = ()
    reason: str | None = None
    steps: tuple[str, ...] = ()
    not_refreshed: tuple[str, ...] = ()


class Subject(BaseModel, frozen=True):
    """What can fail and recover.

    Attributes:
        kind: a `check`, the `run`s of a job, or an asset's `freshness`.
        name: the asset's key (joined by `/`), or the job's name.
        rule: of a check that sums up several, so that each fails and recovers for itself.
        part: the check's name; of a run of some assets only, what tells it from runs of others.
    """

    kind: Kind
    name: str
    part: str = ""
    rule: str = ""

    @property
    def key(self) -> str:
        """One text that identifies it."""
        return f"{self.kind}:{self.name}:{self.part}" + (f":{self.rule}" if self.rule else "")


@dataclass(frozen=True)
class Observation:
    """A subject was seen to fail or to pass.

    Attributes:
        at: seconds since 1970.
        run_id: None outside of runs.
        owners, datasets: whom and what it concerns.
        assets: of runs: what a failed one was limited to, or what a successful one refreshed.
    """

    subject: Subject
    failing: bool
    at: float
    severity: Severity = "error"
    run_id: str | None = None
    facts: Facts = field(default_factory=Facts)
    owners: frozenset[str] = frozenset()
    datasets: frozenset[str] = frozenset()
    assets: frozenset[str] = frozenset()


def check_facts(metadata: Mapping[str, dg.MetadataValue]) -> Facts:
    """The facts in a check's metadata that may be told."""
    numbers = {name: _first(metadata, keys, _number) for name, keys in NUMBERS.items()}
    names = {name: _first(metadata, keys, _identifier) for name, keys in NAMES.items()}
    share = numbers["share"]
    failing, rows = _whole(numbers["failing"]), _whole(numbers["rows"])
    if share is None and failing is not None and rows:
        share = failing / rows
    return Facts(**names, failing=failing, rows=rows, share=share, raw_row_ids=_row_ids(metadata))


@dataclass(frozen=True)
class RuleFacts:
    """What a check that sums up several rules says of one: `severity` is None where it holds."""

    rule: str
    severity: Severity | None
    facts: Facts = field(default_factory=Facts)


def rule_facts(metadata: Mapping[str, dg.MetadataValue]) -> list[RuleFacts]:
    """Each rule of a check that sums up several; nothing, where it does not."""
    failing, holding = (_list(metadata.get(key)) for key in (FAILING_RULES, HOLDING_RULES))
    found = [_rule_facts(entry) for entry in failing if isinstance(entry, dict)]
    return [one for one in found if one.rule] + [RuleFacts(n, None) for n in holding if _is_name(n)]


def _rule_facts(entry: Mapping[str, Any]) -> RuleFacts:
    numbers = {name: entry[name] for name in NUMBERS if isinstance(entry.get(name), int | float)}
    names = {name: entry[name] for name in NAMES if _is_name(entry.get(name))}
    metadata: dict[str, dg.MetadataValue] = {
        **{name: dg.MetadataValue.float(float(number)) for name, number in numbers.items()},
        **{name: dg.MetadataValue.text(text) for name, text in names.items()},
        ROW_IDS: dg.MetadataValue.json(entry.get(ROW_IDS) or []),
    }
    return RuleFacts(
        names.get("rule", ""), "warn" if entry.get("severity") == "warning" else "error", check_facts(metadata)
    )


def _list(value: dg.MetadataValue | None) -> list[Any]:
    return value.data if isinstance(value, dg.JsonMetadataValue) and isinstance(value.data, list) else []


def _is_name(value: Any) -> bool:
    return isinstance(value, str) and _NAME.fullmatch(value) is not None


def _first(metadata: Mapping[str, dg.MetadataValue], keys: Sequence[str], taken: Any) -> Any:
    return next((taken(metadata[key]) for key in keys if key in metadata), None)


def _number(value: dg.MetadataValue) -> float | None:
    if isinstance(value, dg.IntMetadataValue | dg.FloatMetadataValue) and value.value is not None:
        return value.value if math.isfinite(value.value) else None
    return None


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)


def _identifier(value: dg.MetadataValue) -> str | None:
    text = value.text if isinstance(value, dg.TextMetadataValue) else None
    return text if _is_name(text) else None


def _row_ids(metadata: Mapping[str, dg.MetadataValue]) -> tuple[str, ...]:
    value = metadata.get(ROW_IDS)
    data = value.data if isinstance(value, dg.JsonMetadataValue) else None
    found = (
        [part for part in data if isinstance(part, str) and _ROW_ID.fullmatch(part)] if isinstance(data, list) else []
    )
    return tuple(found[:MOST_ROW_IDS])
