"""A full refresh from raw, beside the limit: hand-written SQL which does the least that one could (see `peers.limit`).

    python -m benchmarks.full_refresh --rows 1000000 --rows 10000000 --repeat 3 --markdown figures.md

Both read the same raw rows; each is a whole process, its start and imports included, and they take turns. The refresh
gives all outputs: staged, quarantine, dispositions, companions, audit and checks.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.operation import Operation, peak_mb
from benchmarks.peers.limit import SELECTS, disagreeing

Figures = dict[str, Any]

#: Columns that the staged area maps to a vocabulary, which the limit does not.
_MAPPED = ("interaction_type", "resolution_status", "activity_type", "order_status", "payment_method")


def measure(folder: Path) -> Figures:
    """A full refresh in this process.

    Returns:
        peak memory in MB.
    """
    operation = Operation(folder, lambda step, detail: print(f"  {step}: {detail}", file=sys.stderr))
    operation.run(full=True)
    return {"peak_mb": peak_mb()}


def _process(*arguments: str) -> dict[str, float]:
    started = time.perf_counter()
    done = subprocess.run([sys.executable, "-m", *arguments], stdout=subprocess.PIPE, text=True, check=True)
    found = json.loads(done.stdout)
    return {"seconds": time.perf_counter() - started, "peak_mb": found["peak_mb"]}


def compare(rows: int, repeat: int, home: Path) -> Figures:
    """Both, `repeat` times in turn, at one size."""
    folder, out = home / str(rows), home / f"{rows}.limit.duckdb"
    folder.mkdir()
    print(f"{rows:,} sales: making the raw rows", file=sys.stderr)
    operation = Operation(folder)
    raw_rows = operation.make(rows)
    warehouse = str(operation.settings.warehouse_path)
    runs: dict[str, list[dict[str, float]]] = {"limit": [], "this project": []}
    for number in range(repeat):
        print(f"{number + 1} of {repeat}", file=sys.stderr)
        out.unlink(missing_ok=True)
        runs["limit"].append(_process("benchmarks.peers.limit", warehouse, str(out)))
        runs["this project"].append(_process("benchmarks.full_refresh", "--measure", str(folder)))
    return {"rows": rows, "raw_rows": raw_rows, "runs": runs, "disagreeing": disagreements(warehouse, out)}


def disagreements(warehouse: str, out: Path) -> dict[str, int]:
    """Dataset → clean rows that the two give different values; empty where they agree."""
    found = {dataset: disagreeing(warehouse, str(out), dataset, without=_MAPPED) for dataset in SELECTS}
    return {dataset: rows for dataset, rows in found.items() if rows}


def as_markdown(found: list[Figures]) -> str:
    """Medians with the least and the most, for a person."""
    lines = ["| sales | way | seconds | by the limit | peak MB |", "|---:|---|---:|---:|---:|"]
    for figures in found:
        limit = statistics.median(run["seconds"] for run in figures["runs"]["limit"])
        for way, runs in figures["runs"].items():
            seconds = [run["seconds"] for run in runs]
            median = statistics.median(seconds)
            times = f"{median:.1f} ({min(seconds):.1f} to {max(seconds):.1f}) | {median / limit:.1f}"
            lines.append(f"| {figures['rows']:,} | {way} | {times} | {max(run['peak_mb'] for run in runs):.0f} |")
    return "\n".join(lines) + "\n"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="sales; repeat for several sizes")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where the warehouses are made; by default a temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, too")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.measure:
        print(json.dumps(measure(options.measure)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as home:
        figures = [compare(rows, options.repeat, Path(home)) for rows in options.rows or [1_000_000]]
    print(as_markdown(figures))
    if options.markdown:
        options.markdown.write_text(as_markdown(figures), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
