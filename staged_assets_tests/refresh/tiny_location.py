"""A code location whose runs do what a test tells them; it imports next to nothing."""

import json
import os
import random
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

#: Changed by a test, in a copy of this file.
VERSION = 1


def waits_sign(folder: Path, run_id: str) -> Path:
    """The file that says that a run has begun to wait."""
    return folder / f"{run_id}.waits"


class Orders(dg.Config):
    """What the run is to do: wait for a file, end itself by a signal, or neither."""

    wait_for: str = ""
    signal: int = 0


@dg.asset(check_specs=[dg.AssetCheckSpec("looked_at", asset="made")])
def made(context: dg.AssetExecutionContext, config: Orders) -> dg.MaterializeResult:
    """Says what it found."""
    sys.stdout.write("this is written to standard output\n")
    context.log.info("this is logged")
    # From here on it writes nothing, so it may be stopped without that it holds a lock.
    waits_sign(Path(__file__).parent, context.run_id).touch()
    while config.wait_for and not Path(config.wait_for).exists():
        time.sleep(0.02)
    if config.signal:
        os.kill(os.getpid(), config.signal)
    metadata = {"version": VERSION, "parent": os.getppid(), "random": random.random()}
    return dg.MaterializeResult(
        metadata=metadata, check_results=[dg.AssetCheckResult(check_name="looked_at", passed=True)]
    )


refresh = dg.define_asset_job("refresh", selection=[made], executor_def=dg.in_process_executor)


@dg.sensor(job=refresh, minimum_interval_seconds=1, default_status=dg.DefaultSensorStatus.RUNNING)
def on_order() -> Iterator[dg.RunRequest]:
    """One run for each file `order_<name>.json` beside this one, which holds its orders."""
    for order in Path(__file__).parent.glob("order_*.json"):
        config = {"ops": {"made": {"config": json.loads(order.read_text())}}}
        yield dg.RunRequest(run_key=order.name, run_config=config)


defs = dg.Definitions(assets=[made], jobs=[refresh], sensors=[on_order])

if os.environ.get("TINY_THREAD"):
    threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
