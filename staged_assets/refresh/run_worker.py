"""The one place that calls what Dagster keeps private: executing a run as `dagster api execute_run` does.

`test_warm_contract.py` holds these calls against the installed Dagster.
"""

from typing import Any

import dagster as dg

from staged_assets.refresh.processes import Process

#: Tag of a run: the process that executes it.
WORKER_TAG = "staged_assets/worker"


def worker(run: dg.DagsterRun | None) -> Process | None:
    """The process that executes a run, where it is a forked one."""
    tag = run.tags.get(WORKER_TAG) if run else None
    return Process.from_json(tag) if tag else None


def load_code_location(pointer: str) -> dg.RepositoryDefinition:
    """The repository of a code location, with its jobs resolved.

    Args:
        pointer: the `CodePointer` of a run's origin, serialized.
    """
    from dagster._core.definitions.reconstruct import ReconstructableRepository

    code_pointer: Any = dg.deserialize_value(pointer)
    repository = ReconstructableRepository(code_pointer).get_definition()
    repository.get_all_jobs()
    return repository


def open_instance(reference: str) -> dg.DagsterInstance:
    """The instance of a serialized reference; the caller disposes of it."""
    return dg.DagsterInstance.from_ref(dg.deserialize_value(reference))  # type: ignore[arg-type]


def load_environment(instance: dg.DagsterInstance, location: str) -> None:
    """Set the variables that the instance keeps for a code location (`.env`)."""
    instance.inject_env_vars(location)


def execute(instance: dg.DagsterInstance, run_id: str, *, resume: bool) -> bool:
    """Execute a run to its end, with all its events; an interrupt ends it as a cancellation.

    Returns:
        whether it succeeded.
    """
    from dagster._cli.api import _execute_run_command_body, _resume_run_command_body
    from dagster._utils.interrupts import capture_interrupts

    body: Any = _resume_run_command_body if resume else _execute_run_command_body
    with capture_interrupts():
        return bool(body(run_id, instance, lambda event: None, set_exit_code_on_failure=True) == 0)


def report_crash(instance: dg.DagsterInstance, run_id: str, process: Process, exit_code: int) -> None:
    """Mark a run as failed whose process has ended before it did.

    Args:
        process: that has ended; where it was not the one that executes the run, nothing is done.
        exit_code: of the process, negative where a signal ended it.
    """
    from dagster._utils import get_run_crash_explanation

    run = instance.get_run_by_id(run_id)
    if run is None or run.is_finished or worker(run) != process:
        return
    message = get_run_crash_explanation(prefix=f"Run execution process for {run_id}", exit_code=exit_code)
    instance.report_engine_event(message, run)
    instance.report_run_failed(run)
