"""A Dagster home whose launcher is the warm one, with a code location of its own; no code server, no daemon."""

import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.code_pointer import FileCodePointer
from dagster._core.origin import JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteJobOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin

from staged_assets.refresh.run_worker import worker
from staged_assets_tests.refresh import tiny_location

#: Seconds that something may take on a machine that is busy with other things.
PATIENCE = 60.0


@dataclass(frozen=True)
class WarmArea:
    """A home below a folder, and what is done with it."""

    folder: Path

    @property
    def home(self) -> Path:
        """The Dagster home."""
        return self.folder / "home"

    @property
    def code(self) -> Path:
        """The code location's file."""
        return self.folder / "tiny_location.py"

    def set_up(self, **config: Any) -> None:
        """Write the home's `dagster.yaml` and the code location."""
        self.home.mkdir(parents=True)
        shutil.copyfile(str(tiny_location.__file__), self.code)
        launcher = {
            "module": "staged_assets.refresh.warm_launcher",
            "class": "WarmRunLauncher",
            "config": {"target": str(self.code), **config},
        }
        storage = {
            "module": "staged_assets.instance_storage", "class": "SqliteStorage",
            "config": {"base_dir": str(self.home)},
        }  # fmt: skip
        content = {
            "run_launcher": launcher,
            "storage": {"custom": storage},
            "telemetry": {"enabled": False},
            "run_monitoring": {"enabled": True, "poll_interval_seconds": 1},
        }
        (self.home / "dagster.yaml").write_text(yaml.safe_dump(content))

    @cached_property
    def instance(self) -> dg.DagsterInstance:
        """The instance, as a daemon has it."""
        return dg.DagsterInstance.from_config(str(self.home))

    def create(
        self, *, location: CodeLocationOrigin | None = None, executable: str = sys.executable, **orders: Any
    ) -> str:
        """A run that is not started yet."""
        pointer = FileCodePointer(str(self.code), "defs", str(self.folder))
        origin = location or ManagedGrpcPythonEnvCodeLocationOrigin(
            LoadableTargetOrigin(python_file=str(self.code), executable_path=executable), "tiny"
        )
        run = self.instance.create_run_for_job(
            tiny_location.defs.resolve_job_def("refresh"),
            run_config={"ops": {"made": {"config": orders}}},
            job_code_origin=JobPythonOrigin("refresh", RepositoryPythonOrigin(executable, pointer)),
            remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(origin, "__repository__"), "refresh"),
        )
        return run.run_id

    def launch(self, **orders: Any) -> str:
        """A run that is started."""
        run_id = self.create(**orders)
        self.instance.launch_run(run_id, workspace=None)  # type: ignore[arg-type]
        return run_id

    def finished(self, run_id: str) -> dg.DagsterRun:
        """The run, once it has ended."""
        wait_for(f"the end of run {run_id}", lambda: self.run(run_id).is_finished)
        return self.run(run_id)

    def run(self, run_id: str) -> dg.DagsterRun:
        """The run as it is now."""
        run = self.instance.get_run_by_id(run_id)
        assert run is not None
        return run

    def started(self, run_id: str) -> int:
        """The process of a run, once that waits in its step."""
        wait_for("the run's step", tiny_location.waits_sign(self.folder, run_id).exists)
        return self.process_of(run_id)

    def process_of(self, run_id: str) -> int:
        """The pid of a run's process."""
        process = worker(self.run(run_id))
        assert process is not None
        return process.pid

    def messages(self, run_id: str) -> list[str]:
        """What the run's events say."""
        return [entry.user_message or (entry.dagster_event.message if entry.dagster_event else "") or ""
                for entry in self.instance.all_logs(run_id)]  # fmt: skip

    def metadata(self, run_id: str, name: str) -> Any:
        """What the run has found."""
        (entry,) = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.ASSET_MATERIALIZATION)
        assert entry.asset_materialization is not None
        return entry.asset_materialization.metadata[name].value

    def end(self) -> None:
        """End what was started: a warm process whose home is gone ends by itself."""
        for run in self.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])):
            process = worker(run)
            if process is not None:
                process.send(signal.SIGKILL)
        self.instance.dispose()
        # Until it has seen that, it may record the end of what was killed.
        wait_for("the home's removal", self._is_removed)

    def _is_removed(self) -> bool:
        shutil.rmtree(self.home, ignore_errors=True)
        return not self.home.exists()


def wait_for(what: str, is_so: Callable[[], Any], patience: float = PATIENCE) -> None:
    """Wait until something is so."""
    until = time.monotonic() + patience
    while not is_so():
        assert time.monotonic() < until, f"{what} did not come"
        time.sleep(0.02)
