"""What people do about audits: see why a batch is held back, release it, look up the rules."""

import getpass
import os
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from staged_assets.errors import ConfigurationError
from staged_assets.landing.warehouse import connect, exclusive
from staged_assets.settings import Settings
from staged_assets.validation import holding
from staged_assets.validation.audit import rules_of_audit
from staged_assets.validation.config import load_validation
from staged_assets.validation.table_checks import published_rules


def explain(settings: Settings, dataset: str) -> dict[str, Any]:
    """Why the batch of a dataset is held back.

    Returns:
        `{"dataset", "held": None or {"run_id", "first_held_at", "held_at", "upto", "message", "rules": [{"rule",
        "column", "severity", "failing", "looked_at", "share", "message", "sample", "query", …}]}, "releases": [{
        "released_by", "reason", "released_at", "upto", "closed_at", "published"}]}`; no value of a personal column.

    Raises:
        WarehouseError: the warehouse can't be read.
    """
    held, releases = None, []
    if settings.warehouse_path.exists():
        with connect(settings, read_only=True) as connection:
            held = holding.held(connection, dataset)
            releases = holding.releases(connection, dataset)
    return {
        "dataset": dataset,
        "held": _without_dataset(held) if held else None,
        "releases": [_without_dataset(one) for one in releases],
    }


def release(settings: Settings, dataset: str, *, reason: str, by: str | None = None) -> dict[str, Any]:
    """Decide that the held batch of a dataset is published by the next refresh; nothing is published here.

    Args:
        by: who decides; by default the user of this session.

    Raises:
        HoldError: nothing of the dataset is held, or no reason is given.
        WarehouseError: the warehouse can't be written.
    """
    at = datetime.now(UTC).replace(tzinfo=None)
    with exclusive(settings), connect(settings) as connection:
        return _without_dataset(holding.release(connection, dataset, reason=reason, who=by or _user(), at=at))


def rules(settings: Settings, datasets: Sequence[str]) -> list[dict[str, Any]]:
    """The rules of datasets, with the severity that is configured.

    Returns:
        `[{"dataset", "rule", "column", "severity", "of": ["batch", "table"], "description"}]`

    Raises:
        ConfigurationError: the validation settings are wrong.
    """
    validation = load_validation(settings.validation_path)
    found = []
    for dataset in datasets:
        of_batch, of_table = rules_of_audit(dataset), published_rules(dataset)
        names = {"batch": {rule.name for rule in of_batch}, "table": {rule.name for rule in of_table}}
        every = {rule.name: rule for rule in validation.of(dataset).applied([*of_table, *of_batch])}
        found += [
            {
                "dataset": dataset,
                "rule": rule.name,
                "column": rule.column,
                "severity": rule.severity,
                "of": [where for where, listed in names.items() if rule.name in listed],
                "description": rule.description,
            }
            for rule in every.values()
        ]
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError) as error:
        raise ConfigurationError(f"The user {os.getuid()} has no name: say by --by who releases the batch.") from error


def _without_dataset(entry: holding.Held | holding.Release) -> dict[str, Any]:
    return {name: value for name, value in asdict(entry).items() if name != "dataset"}
