"""The only place that assembles: everything that Dagster loads."""

from collections.abc import Mapping
from contextlib import nullcontext
from functools import partial
from typing import Any

import dagster as dg

from staged_assets.alerts.sensor import build_alert_sensor
from staged_assets.demo.resource import DemoSystems
from staged_assets.demo.systems import serve_demo
from staged_assets.landing.layout import DATASETS
from staged_assets.refresh.policy import plan_refresh
from staged_assets.refresh.reachable import reachable_checks
from staged_assets.refresh.runs import EVERY_SYSTEM, SYSTEM_TAG, asset_keys, job_name, run_config
from staged_assets.refresh.schedules import build_schedules
from staged_assets.refresh.sensors import build_sensors
from staged_assets.retention_job import build_retention
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
    """Everything of the staged area: assets, checks, jobs, and the sensors and schedules that the plan asks for.

    Args:
        settings: by default read from the environment.
        resource_overrides: resources by name, instead of the configured ones (the seam for tests).

    Raises:
        ConfigurationError: a setting, `sources.yaml`, `validation.yaml` or `alerts.yaml` is wrong, or asks for what
            can't be met.
    """
    settings = settings or load_settings()
    sources = load_sources(settings.sources_path)
    project = StagingProject(settings)
    validation, personal = load_validation(settings.validation_path), personal_columns(project.manifest)
    gate = AuditGate(validation, personal, settings.home)
    tables = TableChecks(validation, personal, settings.home)
    plan = plan_refresh(sources, settings.warehouse_path)
    retention, retention_daily = build_retention(settings)
    serving = partial(serve_demo, settings) if settings.is_demo else nullcontext
    return dg.Definitions(
        assets=build_assets(settings, sources, project, gate, tables, plan),
        asset_checks=reachable_checks(sources, serving),
        jobs=[*(_job(system, sources, project) for system in (None, *sources.systems)), retention],
        schedules=[*build_schedules(plan, project, running=settings.automatic), retention_daily],
        sensors=[
            build_alert_sensor(settings),
            *build_sensors(sources, plan, project, serving, running=settings.automatic),
        ],
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


def _job(system: str | None, sources: Sources, project: StagingProject) -> Any:
    datasets = [d for d in DATASETS if system is None or any(s == system for s, _ in sources.feeds_of(d))]
    whence = system or "every source system"
    what = "what it feeds" if system else "all fourteen datasets"
    return dg.define_asset_job(
        job_name(system),
        selection=dg.AssetSelection.assets(*asset_keys(datasets, project)),
        description=f"Land from {whence} and refresh {what}.",
        tags={SYSTEM_TAG: system or EVERY_SYSTEM},
        config=run_config([system] if system else []),
    )


_settings = load_settings()
defs = build_defs(_settings)


def defs_for(settings: Settings) -> dg.Definitions:
    """What this module has assembled already, where it was for the same settings."""
    return defs if settings == _settings else build_defs(settings)
