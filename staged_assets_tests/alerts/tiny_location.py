"""A code location of one checked asset and the alert sensor, for a daemon of its own."""

import os
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from staged_assets.alerts.sensor import build_alert_sensor
from staged_assets.settings import load_settings

#: The folder by which a test says what is to happen: `run_<n>` asks for a run, `mended` lets the check pass.
SIGNALS = Path(os.environ["TINY_SIGNALS"])


@dg.asset(check_specs=[dg.AssetCheckSpec("dates_parse", asset="stg_sales", blocking=True)])
def stg_sales() -> dg.MaterializeResult:
    """Fails its check until it is mended."""
    mended = (SIGNALS / "mended").exists()
    return dg.MaterializeResult(
        check_results=[dg.AssetCheckResult(check_name="dates_parse", passed=mended, metadata={"failing": 7, "rows": 7})]
    )


refresh = dg.define_asset_job("refresh", selection=[stg_sales], executor_def=dg.in_process_executor)


@dg.sensor(job=refresh, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def on_signal() -> Iterator[dg.RunRequest]:
    for signal in SIGNALS.glob("run_*"):
        yield dg.RunRequest(run_key=signal.name)


defs = dg.Definitions(
    assets=[stg_sales],
    jobs=[refresh],
    sensors=[on_signal, build_alert_sensor(load_settings())],
)
