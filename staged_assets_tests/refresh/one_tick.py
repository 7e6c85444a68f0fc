"""Ticks of each system's sensor, as the code server evaluates them: prints what each said, and what was loaded for it.

    python one_tick.py MODULE…

Prints one JSON object: `said`: sensor → for each of its ticks the number of runs, or why there is none; `loaded`: which
of the modules there are in the end; `connected`: what DuckDB was told to open.
"""

import json
import sys
import time
from typing import Any

import dagster as dg
import duckdb

from staged_assets.landing.asked import Asked, Memory, feed_key
from staged_assets.refresh.policy import plan_refresh
from staged_assets.refresh.sensors import ask_source
from staged_assets.settings import load_settings
from staged_assets.sources.config import load_sources

#: a moment that a run has landed everything up to
SINCE = "2026-01-01T00:00:00Z"

if __name__ == "__main__":
    connected: list[str] = []

    def connect(database: Any = ":memory:", *_: Any, **__: Any) -> None:
        connected.append(str(database))
        raise duckdb.IOException("a sensor opens no database")

    duckdb.connect = connect
    from staged_assets.definitions import defs

    sources = load_sources(load_settings().sources_path)
    plan = plan_refresh(sources)
    said: dict[str, list[Any]] = {}
    with dg.DagsterInstance.ephemeral() as instance:
        memory = Memory(instance.daemon_cursor_storage)
        for system, feeds in plan.real_time().items():
            sensor = defs.get_sensor_def(f"{system}_changes")
            for _ in range(2):
                tick = sensor.evaluate_tick(dg.build_sensor_context(instance=instance))
                runs = tick.run_requests or []
                said.setdefault(system, []).append(len(runs) or tick.skip_message)
                # A run has landed everything.
                found = ask_source(sources, system, [(feed, SINCE) for feed in feeds])
                keys = [feed_key(system, feed.feed) for feed in feeds]
                memory.note_asked({key: Asked(SINCE, mark, time.time()) for key, mark in zip(keys, found, strict=True)})
    print(json.dumps({"said": said, "loaded": [n for n in sys.argv[1:] if n in sys.modules], "connected": connected}))
