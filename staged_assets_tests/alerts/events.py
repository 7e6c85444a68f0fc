"""What happens in an instance: checks evaluated in runs and outside of them, runs that fail, data that become stale."""

from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.definitions.freshness import FreshnessState, FreshnessStateChange
from dagster._core.test_utils import create_run_for_test

ERROR = dg.AssetCheckSeverity.ERROR
WARN = dg.AssetCheckSeverity.WARN


def report_check(
    instance: DagsterInstance, name: str, passed: bool, severity: dg.AssetCheckSeverity = ERROR,
    asset: str = "stg_sales", metadata: Mapping[str, Any] | None = None, description: str | None = None,
    partition: str | None = None,
) -> None:  # fmt: skip
    """A check evaluated outside of any run."""
    instance.report_runless_asset_event(
        dg.AssetCheckEvaluation(
            asset_key=dg.AssetKey(asset), check_name=name, passed=passed, severity=severity, metadata=metadata or {},
            description=description, partition=partition,
        )
    )  # fmt: skip


def report_freshness(instance: DagsterInstance, asset: str, state: str) -> None:
    """What the freshness daemon reports."""
    change = FreshnessStateChange(
        key=dg.AssetKey(asset),
        new_state=FreshnessState(state),
        previous_state=FreshnessState.UNKNOWN,
        state_change_timestamp=0.0,
    )
    instance.report_runless_asset_event(change)


def run_checks(instance: DagsterInstance, results: Mapping[str, bool], asset: str = "stg_sales", **result: Any) -> str:
    """One run that materializes an asset and evaluates its checks by name; the run's id."""

    @dg.asset(name=asset, check_specs=[dg.AssetCheckSpec(name, asset=asset) for name in results])
    def checked() -> dg.MaterializeResult:
        return dg.MaterializeResult(
            check_results=[
                dg.AssetCheckResult(check_name=name, passed=passed, **result) for name, passed in results.items()
            ]
        )

    return dg.materialize([checked], instance=instance).run_id


def run_that(instance: DagsterInstance, fails: bool, job: str = "refresh") -> str:
    """A run of a job of one op; its id."""

    @dg.op
    def work() -> None:
        if fails:
            raise ValueError("Zanzibar Quux")

    @dg.job(name=job)
    def refresh() -> None:
        work()

    return refresh.execute_in_process(instance=instance, raise_on_error=False).run_id


def run_given_up_by_the_monitor(instance: DagsterInstance, job: str = "refresh") -> str:
    """A run whose process is gone; its id."""
    run = create_run_for_test(instance, job_name=job, status=DagsterRunStatus.STARTED)
    instance.report_run_failed(run, "Detected run worker status UNKNOWN")
    return run.run_id
