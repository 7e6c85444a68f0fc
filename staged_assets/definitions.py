"""The only place that assembles: everything that Dagster loads."""

from collections.abc import Mapping
from typing import Any

import dagster as dg

from staged_assets.alerts.sensor import build_alert_sensor
from staged_assets.demo.resource import DemoSystems
from staged_assets.landing.layout import DATASETS
from staged_assets.settings import Settings, load_settings
from staged_assets.sources.config import Sources, load_sources
from staged_assets.staging.assets import build_assets
from staged_assets.staging.project import StagingProject
from staged_assets.staging.resource import WarehouseResource
from staged_assets.validation.checks import TableChecks
from staged_assets.validation.config import load_validation
from staged_assets.validation.gate import AuditGate
from staged_assets.validation.masking import personal_columns


def build_defs(settings: Settings | None = None, resource_overrides: Mapping[str, Any] | None = None) -> dg.Definitions:
    """Everything of the staged area: assets, checks, one job for all and one for each source system, alerts.

    Args:
        settings: by default read from the environment.
        resource_overrides: resources by name, instead of the configured ones (the seam for tests).

    Raises:
        ConfigurationError: a setting, `sources.yaml`, `validation.yaml` or `alerts.yaml` is wrong.
    """
    settings = settings or load_settings()
    sources = load_sources(settings.sources_path)
    project = StagingProject(settings)
    validation, personal = load_validation(settings.validation_path), personal_columns(project.manifest)
    gate = AuditGate(validation, personal)
    tables = TableChecks(validation, personal, settings.home)
    return dg.Definitions(
        assets=build_assets(settings, sources, project, gate, tables),
        jobs=[
            _job(
                "refresh_all",
                "Land from every source system and refresh all fourteen datasets.",
                None,
                sources,
                project,
            ),
            *(
                _job(f"refresh_{name}", f"Land from {name} and refresh what it feeds.", name, sources, project)
                for name in sources.systems
            ),
        ],
        sensors=[build_alert_sensor(settings)],
        # One run is one process: dbt's manifest is parsed once, the engine is opened once.
        executor=dg.in_process_executor,
        resources={
            "operational_systems": _operational_systems(settings),
            "warehouse": WarehouseResource(database=str(settings.warehouse_path)),
            **(resource_overrides or {}),
        },
    )


def _operational_systems(settings: Settings) -> Any:
    """The demo's systems must be started; real ones are there."""
    if settings.is_demo:
        return DemoSystems(home=str(settings.demo_path))
    return dg.ResourceDefinition.none_resource()


def _job(name: str, description: str, system: str | None, sources: Sources, project: StagingProject) -> Any:
    datasets = [d for d in DATASETS if system is None or any(s == system for s, _ in sources.feeds_of(d))]
    companions = [c for c, made_from in project.companions.items() if made_from & set(datasets)]
    keys = [dg.AssetKey(["raw", d]) for d in datasets]
    keys += [dg.AssetKey(f"{role}_{d}") for d in datasets for role in ("stg", "quarantine")]
    keys += [dg.AssetKey(c) for c in companions]
    return dg.define_asset_job(
        name,
        selection=dg.AssetSelection.assets(*keys),
        description=description,
        config={"ops": {"staged_area": {"config": {"systems": [system] if system else []}}}},
    )


_settings = load_settings()
defs = build_defs(_settings)


def defs_for(settings: Settings) -> dg.Definitions:
    """What this module has assembled already, where it was for the same settings."""
    return defs if settings == _settings else build_defs(settings)
