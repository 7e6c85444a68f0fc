"""A run launcher that has runs forked from a warm process, for `dagster.yaml`."""

import signal
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Self

from dagster import DagsterRun, Field, Float, Noneable, StringSource, serialize_value
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, ResumeRunContext, WorkerStatus
from dagster._core.launcher.default_run_launcher import DefaultRunLauncher
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
)
from dagster._serdes import ConfigurableClassData

from staged_assets.errors import ConfigurationError, WarmProcessError
from staged_assets.refresh.processes import supported
from staged_assets.refresh.run_worker import WORKER_TAG
from staged_assets.refresh.run_worker import worker as worker_of
from staged_assets.refresh.warm_client import WarmClient, WarmSettings
from staged_assets.settings import load_settings

_LOOPBACK = ("localhost", "127.0.0.1", "::1")


class WarmRunLauncher(DefaultRunLauncher):
    """Has runs of one code location forked from a warm process; whatever it can't, Dagster's own launcher does.

    Args:
        target: the code location's module, or the path of its Python file.
        warm_up: module whose `warm_up()` prepares what is not loaded by the code location itself.
        idle_seconds: without a run, after which the warm process ends.
        start_seconds: that the warm process may take to load everything.
    """

    def __init__(
        self,
        target: str,
        warm_up: str | None,
        idle_seconds: float,
        start_seconds: float,
        inst_data: ConfigurableClassData | None = None,
    ) -> None:
        super().__init__(inst_data)
        self._target = target
        self._warm_up = warm_up
        self._idle_seconds = idle_seconds
        self._start_seconds = start_seconds
        self._client: WarmClient | None = None

    @classmethod
    def config_type(cls) -> Any:
        """What may be set in `dagster.yaml`."""
        return {
            "target": Field(StringSource, is_required=False, default_value="staged_assets.definitions"),
            "warm_up": Field(Noneable(StringSource), is_required=False, default_value=None),
            "idle_seconds": Field(Float, is_required=False, default_value=3600.0),
            "start_seconds": Field(Float, is_required=False, default_value=90.0),
        }

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData, config_value: Mapping[str, Any]) -> Self:
        """As Dagster makes it from its configuration."""
        return cls(**config_value, inst_data=inst_data)

    def launch_run(self, context: LaunchRunContext) -> None:
        """Start a run, warm where that is possible; where it is not, the run says why."""
        if not load_settings().warm_runs:
            super().launch_run(context)
            return
        try:
            self._launch(context.dagster_run, resume=False)
        except (WarmProcessError, ConfigurationError) as reason:
            message = f"Not started from the warm process but in the usual way: {str(reason).removesuffix('.')}."
            self._instance.report_engine_event(message, context.dagster_run, cls=type(self))
            super().launch_run(context)

    @property
    def supports_resume_run(self) -> bool:
        """A run whose process is gone can go on in another one (`run_monitoring: max_resume_run_attempts`)."""
        return True

    def resume_run(self, context: ResumeRunContext) -> None:
        """Go on with a run whose process is gone.

        Raises:
            WarmProcessError: there is no warm process; Dagster's own launcher can't resume.
        """
        self._launch(context.dagster_run, resume=True)

    def terminate(self, run_id: str) -> bool:
        """Interrupt a run: it ends as canceled."""
        run = self._instance.get_run_by_id(run_id)
        worker = worker_of(run)
        if run is None or worker is None:
            return super().terminate(run_id)
        if run.is_finished:
            return False
        self._instance.report_run_canceling(run)
        if worker.is_here and worker.send(signal.SIGTERM):
            return True
        where = "is gone" if worker.is_here else f"is on {worker.host}, where it has to be terminated"
        self._instance.report_engine_event(f"The run's process (pid {worker.pid}) {where}.", run, cls=type(self))
        return False

    @property
    def supports_check_run_worker_health(self) -> bool:
        """Run monitoring finds runs whose process has crashed."""
        return True

    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Whether the process that executes a run is there."""
        worker = worker_of(run)
        if worker is None:
            return CheckRunHealthResult(WorkerStatus.RUNNING, "The code server watches it.")
        if not worker.is_here:
            return CheckRunHealthResult(WorkerStatus.RUNNING, f"It is on {worker.host} and can't be seen from here.")
        if worker.is_alive:
            return CheckRunHealthResult(WorkerStatus.RUNNING, run_worker_id=str(worker.pid))
        return CheckRunHealthResult(
            WorkerStatus.FAILED, f"The run's process (pid {worker.pid}) is gone.", run_worker_id=str(worker.pid)
        )

    def _launch(self, run: DagsterRun, *, resume: bool) -> None:
        pointer, location = self._origin(run)
        settings = WarmSettings(
            pointer, serialize_value(self._instance.get_ref()), location, self._warm_up, self._idle_seconds
        )
        self._warm().launch(
            run.run_id,
            settings,
            lambda process: self._instance.add_run_tags(run.run_id, {WORKER_TAG: process.as_json()}),
            resume=resume,
        )

    def _warm(self) -> WarmClient:
        if self._client is None:
            self._client = WarmClient(Path(self._instance.root_directory), self._target, self._start_seconds)
        return self._client

    def _origin(self, run: DagsterRun) -> tuple[str, str]:
        """The pointer to a run's code, serialized, and its location's name.

        Raises:
            WarmProcessError: the code is another's, or elsewhere.
        """
        if not supported():
            raise WarmProcessError(f"the platform is {sys.platform}, it needs Linux")
        if run.job_code_origin is None or run.remote_job_origin is None:
            raise WarmProcessError("the run does not say where its code is")
        origin = run.job_code_origin.repository_origin
        location = run.remote_job_origin.repository_origin.code_location_origin
        if not _is_local(location):
            raise WarmProcessError(f"the code location {location.location_name} is served from elsewhere")
        if origin.executable_path != sys.executable or origin.container_image:
            raise WarmProcessError(f"the code location runs in {origin.container_image or origin.executable_path}")
        pointer = origin.code_pointer
        found = getattr(pointer, "python_file", None) or getattr(pointer, "module", None)
        if found is None or not self._is_target(found):
            raise WarmProcessError(f"the code is {pointer.describe()}, the warm process has {self._target}")
        return serialize_value(pointer), location.location_name  # type: ignore[arg-type]

    def _is_target(self, found: str) -> bool:
        if found.endswith(".py") and self._target.endswith(".py"):
            return Path(found).absolute() == Path(self._target).absolute()
        return found == self._target


def _is_local(location: Any) -> bool:
    """A code server that Dagster started itself, or one on a socket or a loopback address of this machine."""
    return isinstance(location, ManagedGrpcPythonEnvCodeLocationOrigin) or (
        isinstance(location, GrpcServerCodeLocationOrigin)
        and (location.socket is not None or location.host in _LOOPBACK)
    )
