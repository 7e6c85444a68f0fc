"""SQLMesh's project, written from the staging models: incremental by unique key, with audits."""

import json
from pathlib import Path

from benchmarks.peers.limit import THREADS
from benchmarks.peers.staging import MODELS, Model

#: Catalog and schema of what it makes.
CATALOG, SCHEMA = "peer", "staging"
NEW = "_landed_at between @start_ts::timestamp and @end_ts::timestamp"


def write_project(folder: Path, raw: Path, first_day: str) -> None:
    """Write the project; what it makes is `<folder>/sqlmesh.duckdb`.

    Args:
        raw: a folder with `<dataset>/*.parquet`.
        first_day: the first on which something has landed; ISO 8601.
    """
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    config = {
        "gateways": {"local": {"connection": _engine(folder), "state_connection": _state(folder)}},
        "default_gateway": "local",
        "model_defaults": {"dialect": "duckdb", "start": first_day, "cron": "@daily"},
        "disable_anonymized_analytics": True,
    }
    # JSON is YAML.
    (folder / "config.yaml").write_text(json.dumps(config, indent=2), encoding="utf-8")
    for model in MODELS.values():
        (models / f"{model.name}.sql").write_text(model_text(model, raw), encoding="utf-8")


def _engine(folder: Path) -> dict[str, object]:
    files = {CATALOG: str(folder / "sqlmesh.duckdb")}
    return {"type": "duckdb", "catalogs": files, "connector_config": {"threads": THREADS}}


def _state(folder: Path) -> dict[str, object]:
    return {"type": "duckdb", "database": str(folder / "state.duckdb")}


def model_text(model: Model, raw: Path) -> str:
    """The model's file."""
    return f"""MODEL (
    name {SCHEMA}.{model.name},
    kind INCREMENTAL_BY_UNIQUE_KEY (unique_key {model.key}),
    audits (
        unique_values(columns := ({model.key})),
        not_null(columns := ({", ".join(model.required)}))
    )
);

{model.sql(f"read_parquet('{raw}/{model.dataset}/*.parquet')", NEW)}"""
