"""The stock stack's dbt project, written from the staging models: incremental, with tests."""

from pathlib import Path

import yaml

from benchmarks.peers.limit import THREADS
from benchmarks.peers.staging import MODELS, Model

NEW = """{% if is_incremental() %}_landing_id > (select max(_landing_id) from {{ this }}){% else %}true{% endif %}"""


def write_project(folder: Path, raw: Path, out: Path) -> None:
    """Write the dbt project.

    Args:
        raw: a DuckDB file with the schema `raw`.
        out: the DuckDB file in which the models are made.
    """
    models = folder / "models"
    models.mkdir(parents=True, exist_ok=True)
    flags = {"use_colors": False, "send_anonymous_usage_stats": False}
    _write(folder / "dbt_project.yml", {"name": "stock", "profile": "stock", "flags": flags})
    _write(folder / "profiles.yml", {"stock": {"target": "dev", "outputs": {"dev": _target(raw, out)}}})
    tables = [{"name": dataset} for dataset in MODELS]
    source = {"name": "landed", "database": "landed", "schema": "raw", "tables": tables}
    _write(models / "schema.yml", {"sources": [source], "models": [_tested(model) for model in MODELS.values()]})
    for model in MODELS.values():
        config = f"{{{{ config(materialized='incremental', unique_key='{model.key}') }}}}\n"
        sql = model.sql(f"{{{{ source('landed', '{model.dataset}') }}}}", NEW)
        (models / f"{model.name}.sql").write_text(config + sql, encoding="utf-8")


def _write(path: Path, content: object) -> None:
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")


def _target(raw: Path, out: Path) -> dict[str, object]:
    landed = {"path": str(raw), "alias": "landed", "read_only": True}
    return {
        "type": "duckdb", "path": str(out), "threads": THREADS, "attach": [landed], "settings": {"threads": THREADS},
    }  # fmt: skip


def _tested(model: Model) -> dict[str, object]:
    columns = [
        {"name": column, "data_tests": ["not_null", "unique"] if column == model.key else ["not_null"]}
        for column in model.required
    ]
    return {"name": model.name, "columns": columns}
