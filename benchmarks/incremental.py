"""What a refresh costs when little or nothing has changed, by the size of the tables.

    python -m benchmarks.incremental --rows 1000000 --rows 10000000 --repeat 5 --markdown figures.md

For each size a process of its own makes a warehouse with so many sales (the other datasets in proportion), refreshes
it fully, and then goes on in the same, warm process: 1,000 new sales, 1,000 changed ones (all over the table), nothing
new; each landed from event files, audited, published and checked, with everything that is made from it. Then the same
by the command, cold. The first round of each kind is a warm-up.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from benchmarks.operation import Operation, peak_mb

CHANGED = 1_000
Figures = dict[str, Any]


class _Rounds:
    """Rounds of one home, each with new events."""

    def __init__(self, operation: Operation, rows: int) -> None:
        self._operation = operation
        self._rows = rows
        self._next = rows + 1
        self._moment = datetime.now(UTC)

    def new_sales(self) -> int:
        """So many sales that were not there before."""
        self._write(range(self._next, self._next + CHANGED))
        self._next += CHANGED
        return CHANGED

    def changed_sales(self) -> int:
        """So many changes of sales from all over the table."""
        self._write([1 + (self._next + number * 7919) % self._rows for number in range(CHANGED)])
        self._next += 1
        return CHANGED

    def nothing(self) -> int:
        """None."""
        return 0

    def _write(self, keys: range | list[int]) -> None:
        self._moment += timedelta(seconds=1)
        self._operation.write_sales(keys, self._moment.isoformat())


def measure(folder: Path, rows: int, repeat: int) -> Figures:
    """Everything that is measured in one warm process.

    Returns:
        seconds of the full refresh, and of each round: landing, refresh, both; memory in MB.
    """
    operation = Operation(folder, lambda step, detail: print(f"  {step}: {detail}", file=sys.stderr))
    raw_rows = operation.make(rows)
    full = _timed(lambda: operation.run(full=True))
    figures: Figures = {"rows": rows, "raw_rows": raw_rows, "full_refresh": full, "full_peak_mb": peak_mb()}
    operation = Operation(folder)
    rounds = _Rounds(operation, rows)
    for change in (rounds.new_sales, rounds.changed_sales, rounds.nothing):
        figures[change.__name__] = [_round(operation, change) for _ in range(repeat + 1)][1:]
        print(f"  {change.__name__}: {_median(figures[change.__name__]):.3f} s", file=sys.stderr)
    return figures | {"peak_mb": peak_mb()}


def _round(operation: Operation, change: Callable[[], int]) -> dict[str, float]:
    expected = change()
    started = time.perf_counter()
    landed = operation.land()
    between = time.perf_counter()
    operation.run()
    ended = time.perf_counter()
    if landed != expected:
        raise RuntimeError(f"{landed} rows were landed, not {expected}")
    return {"land": between - started, "refresh": ended - between, "total": ended - started}


def _timed(action: Callable[[], object]) -> float:
    started = time.perf_counter()
    action()
    return time.perf_counter() - started


def measure_cold(folder: Path, rows: int, repeat: int) -> Figures:
    """The command in processes of its own, of a home that `measure` left."""
    operation = Operation(folder)
    rounds = _Rounds(operation, rows * 10)
    figures: Figures = {}
    for change in (rounds.new_sales, rounds.nothing):
        times = []
        for _ in range(repeat):
            change()
            times.append({"total": _timed(lambda: operation.command("run", "--json"))})
        figures[f"{change.__name__}_cold"] = times
        print(f"  {change.__name__}, cold: {_median(times):.3f} s", file=sys.stderr)
    return figures


def compare(rows: int, repeat: int, home: Path) -> Figures:
    """All figures of one size."""
    folder = home / str(rows)
    folder.mkdir()
    command = [sys.executable, "-m", "benchmarks.incremental", "--measure", str(folder)]
    print(f"{rows:,} sales", file=sys.stderr)
    done = subprocess.run(
        [*command, "--rows", str(rows), "--repeat", str(repeat)], stdout=subprocess.PIPE, text=True, check=True
    )
    figures: Figures = json.loads(done.stdout)
    return figures | measure_cold(folder, rows, repeat)


def _median(times: list[dict[str, float]], part: str = "total") -> float:
    return statistics.median(one[part] for one in times)


_WHAT = {
    "new_sales": f"{CHANGED:,} new sales, warm",
    "changed_sales": f"{CHANGED:,} changed sales, warm",
    "nothing": "nothing new, warm",
    "new_sales_cold": f"{CHANGED:,} new sales, the command",
    "nothing_cold": "nothing new, the command",
}


def as_markdown(found: list[Figures]) -> str:
    """The figures as a table, for a person: seconds, medians with the least and the most."""
    heads = [f"{figures['rows']:,} sales" for figures in found]
    lines = [
        f"| what | {' | '.join(heads)} | last by first |",
        f"|---|{'---:|' * (len(heads) + 1)}",
        _line("full refresh, first in its process", [f"{one['full_refresh']:.1f} s" for one in found], None),
        _line("its peak memory", [f"{one['full_peak_mb']:.0f} MB" for one in found], None),
    ]
    for key, what in _WHAT.items():
        cells = [_cell(one[key]) for one in found]
        lines.append(_line(what, cells, _median(found[-1][key]) / _median(found[0][key])))
    return "\n".join(lines) + "\n"


def _cell(times: list[dict[str, float]]) -> str:
    totals = [one["total"] for one in times]
    parts = f", landing {_median(times, 'land'):.2f}" if "land" in times[0] else ""
    return f"{statistics.median(totals):.2f} s ({min(totals):.2f} to {max(totals):.2f}{parts})"


def _line(what: str, cells: list[str], ratio: float | None) -> str:
    return f"| {what} | {' | '.join(cells)} | {'' if ratio is None else f'{ratio:.2f}'} |"


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, action="append", help="sales; repeat for several sizes")
    parser.add_argument("--repeat", type=int, default=5, help="rounds of each kind, beside the warm-up")
    parser.add_argument("--folder", type=Path, help="where the warehouses are made; by default a temporary folder")
    parser.add_argument("--json", type=Path, help="write the figures to this file, too")
    parser.add_argument("--markdown", type=Path, help="write the table to this file, too")
    parser.add_argument("--measure", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    sizes = options.rows or [1_000_000]
    if options.measure:
        print(json.dumps(measure(options.measure, sizes[0], options.repeat)))
        return
    with tempfile.TemporaryDirectory(dir=options.folder) as home:
        figures = [compare(rows, options.repeat, Path(home)) for rows in sizes]
    print(as_markdown(figures))
    if options.markdown:
        options.markdown.write_text(as_markdown(figures), encoding="utf-8")
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
