"""What is in the staged area now, for people and for machines."""

from typing import Any

from staged_assets.landing.layout import DATASETS
from staged_assets.landing.raw_area import prepare as prepare_raw
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.staging import control


def read_status(settings: Settings) -> dict[str, Any]:
    """Read the state of the fourteen datasets.

    Returns:
        `{"warehouse": path, "datasets": {name: {"landed", "staged", "rejected", "superseded", "duplicate", "deleted",
        "pending": raw rows, by distinct raw row id; "reasons": {"code:column": rows}; "last_refresh": UTC time or None;
        "seconds", "outcome", "message": of the last refresh; "checks": {name: passed|warned|failed}}}}`

    Raises:
        WarehouseError: the warehouse can't be read.
    """
    if not _is_prepared(settings):
        _prepare(settings)
    with connect(settings, read_only=True) as connection:
        checks = control.checks(connection)
        last = control.last_refreshes(connection)
        datasets = {}
        for name, counts in control.count(connection, list(DATASETS)).items():
            refresh = last.get(name)
            datasets[name] = {
                "landed": counts.landed,
                **{disposition: getattr(counts, disposition) for disposition in control.DISPOSITIONS},
                "pending": counts.pending,
                "unexplained": counts.unexplained,
                "reasons": counts.reasons,
                "last_refresh": refresh.published_at.isoformat() + "Z" if refresh and refresh.published_at else None,
                "seconds": refresh.seconds if refresh else None,
                "outcome": refresh.outcome if refresh else None,
                "message": refresh.message if refresh else "",
                "checks": checks[name],
            }
    return {"warehouse": str(settings.warehouse_path), "datasets": datasets}


def _is_prepared(settings: Settings) -> bool:
    """Whether a refresh, of whatever outcome, has begun on the warehouse."""
    if not settings.warehouse_path.exists():
        return False
    with connect(settings, read_only=True) as connection:
        return control.table_exists(connection, "control", "counts")


def _prepare(settings: Settings) -> None:
    with connect(settings) as connection:
        prepare_raw(connection)
        control.prepare(connection)
