"""The main job, run in this process with progress on a console; its events are kept where the web UI reads them."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich.console import Console

from staged_assets import errors
from staged_assets.errors import ConfigurationError, StagedAssetsError
from staged_assets.landing.raw_area import problems_since
from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings
from staged_assets.sources.config import load_sources
from staged_assets.status import read_status


@dataclass
class JobResult:
    """What a run did, and how things stand after it.

    Attributes:
        run_id: Dagster's.
        seconds: of the main job, without setting up the demo.
        failures: one sentence for each thing that could not be done.
        warnings: one sentence for each thing that landing wants known, though nothing is lost by it.
        status: see `read_status`.
        selected: the datasets that the run was about.
    """

    run_id: str
    seconds: float
    status: dict[str, Any]
    selected: Sequence[str]
    failures: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def good(self) -> bool:
        """Nothing failed, nothing was held back, no check failed, no row is unexplained."""
        return not self.failures and all(
            entry["outcome"] in ("published", "unchanged")
            and entry["unexplained"] == 0
            and "failed" not in entry["checks"].values()
            for name, entry in self.status["datasets"].items()
            if name in self.selected
        )

    def as_dict(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "run_id": self.run_id,
            "success": self.good,
            "seconds": round(self.seconds, 3),
            "failures": self.failures,
            "warnings": self.warnings,
            **self.status,
        }


def run_job(
    settings: Settings,
    *,
    systems: Sequence[str],
    datasets: Sequence[str],
    console: Console,
    full_refresh: bool = False,
    scale: int = 20_000,
    land: bool = True,
    replay: tuple[str, str] | None = None,
) -> JobResult:
    """Run the refresh of these datasets (and of the companions made from them) as a Dagster run in this process.

    Args:
        systems: land from these only; all where empty.
        land: whether to ask the sources at all.
        replay: judge again what has landed in a period instead: its first and last day, or landing id; "" is no end.
        scale: of the demo systems, when they have to be made.

    Raises:
        StagedAssetsError: the configuration is wrong, or the warehouse is out of reach.
    """
    from staged_assets.instance import prepare_home

    known = load_sources(settings.sources_path).systems
    for name in systems:
        if name not in known:
            raise ConfigurationError(f"There is no source system {name!r}: there are {', '.join(known)}.")
    prepare_home(settings)
    with _progress(console) as show:
        if settings.is_demo and land:
            from staged_assets.demo.systems import ensure

            ensure(settings.demo_path, scale, on_progress=lambda step, detail: show(step, detail))
        show("dagster", "loading")
        import dagster as dg

        from staged_assets.definitions import defs_for
        from staged_assets.refresh.runs import job_name, run_config
        from staged_assets.retention import prune_if_due

        definitions = defs_for(settings)
        instance = dg.DagsterInstance.get()
        started, started_at = time.perf_counter(), datetime.now(UTC).replace(tzinfo=None)
        # The run that a sensor or a schedule requests of the same system.
        job = definitions.resolve_job_def(job_name(systems[0] if len(systems) == 1 else None))
        selection = [key for key in job.asset_layer.executable_asset_keys if _wanted(key.path, datasets, land)]
        result = job.execute_in_process(
            instance=instance,
            asset_selection=selection if set(selection) != set(job.asset_layer.executable_asset_keys) else None,
            run_config={
                **run_config(systems, full_refresh=full_refresh, **_replayed(replay)),
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            raise_on_error=False,
        )
        seconds = time.perf_counter() - started
        prune_if_due(instance, settings)
        failures = [reason for event in result.get_step_failure_events() for reason in _reasons(event)]
        show("status", "counting")
        status = read_status(settings)
        with connect(settings, read_only=True) as connection:
            warnings = problems_since(connection, started_at)
        selected = [name for name in datasets if dg.AssetKey(f"stg_{name}") in selection]
        return JobResult(result.run_id, seconds, status, selected, failures, warnings)


def _replayed(replay: tuple[str, str] | None) -> dict[str, str]:
    return dict(zip(("replay_from", "replay_to"), replay, strict=True)) if replay is not None else {}


def _wanted(path: Sequence[str], datasets: Sequence[str], land: bool) -> bool:
    if path[0] == "raw":
        return land and path[1] in datasets
    name = path[-1].removeprefix("stg_").removeprefix("quarantine_")
    return name.split("__")[0] in datasets


def _reasons(event: Any) -> list[str]:
    """The sentences that a failed step ends with: the project's own where there are, else the root cause's."""
    from staged_assets.staging.assets import FAILURES

    failure = event.step_failure_data.user_failure_data
    if failure:
        return list(failure.metadata[FAILURES].value)
    own = {error.__name__ for error in (StagedAssetsError, *StagedAssetsError.__subclasses__())}
    error = event.step_failure_data.error
    while error.cls_name not in own and error.cause is not None:
        error = error.cause
    return [str(error.message).strip().splitlines()[0].removeprefix(f"{errors.__name__}.{error.cls_name}: ")]


@contextmanager
def _progress(console: Console) -> Iterator[Any]:
    """Show what is being done, from the package's own log; plain lines where the console is no terminal."""
    logger = logging.getLogger("staged_assets")
    started = time.perf_counter()
    with console.status("starting") as status:

        def show(step: str, detail: str) -> None:
            if console.is_terminal:
                status.update(f"{time.perf_counter() - started:.0f} s  {step}: {detail}")
            else:
                console.print(f"{time.perf_counter() - started:6.1f} s  {step}: {detail}", highlight=False)

        class Handler(logging.Handler):
            def emit(self, record: logging.LogRecord) -> None:
                show(getattr(record, "step", "working"), getattr(record, "detail", record.getMessage()))

        handler = Handler(logging.INFO)
        logger.addHandler(handler)
        before = logger.level
        logger.setLevel(logging.INFO)
        try:
            yield show
        finally:
            logger.removeHandler(handler)
            logger.setLevel(before)
