"""Runs of one small asset, forked from a warm process: how long each takes, and whether that process grows.

    .venv/bin/python -m benchmarks.warm_runs [runs]

Prints one JSON object: seconds from the launch to the end of a run, and the warm process's own memory.
"""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.command import finish, parser, say
from staged_assets_tests.refresh.warm_area import WarmArea


def _kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))


def _seconds(area: WarmArea) -> float:
    run_id = area.create()
    started = time.perf_counter()
    area.instance.launch_run(run_id, workspace=None)  # type: ignore[arg-type]
    area.finished(run_id)
    return time.perf_counter() - started


def measure(runs: int, progress: Callable[[str], None]) -> dict[str, Any]:
    """Start the warm process, then do the runs one after another."""
    with tempfile.TemporaryDirectory() as folder:
        area = WarmArea(Path(folder))
        area.set_up()
        first = _seconds(area)
        pid = int(area.metadata(area.instance.get_runs(limit=1)[0].run_id, "parent"))
        memory, handles = _kilobytes(pid), len(list(Path(f"/proc/{pid}/fd").iterdir()))
        times = []
        for number in range(1, runs + 1):
            times.append(_seconds(area))
            if number % 50 == 0:
                progress(f"  {number} of {runs}: {times[-1]:.2f} s, {_kilobytes(pid):,} KB")
        times.sort()
        figures = {
            "runs": runs,
            "first_seconds": round(first, 2),
            "median_seconds": round(statistics.median(times), 2),
            "p95_seconds": round(times[int(0.95 * len(times))], 2),
            "memory_before_kb": memory,
            "memory_after_kb": _kilobytes(pid),
            "handles_before": handles,
            "handles_after": len(list(Path(f"/proc/{pid}/fd").iterdir())),
        }
        area.end()
    return figures


def main() -> None:
    """Measure and print."""
    given = parser(__doc__)
    given.add_argument("runs", type=int, nargs="?", default=1000)
    options = given.parse_args()
    finish(options, measure(options.runs, say))


if __name__ == "__main__":
    main()
