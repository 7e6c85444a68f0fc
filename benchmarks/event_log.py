"""What refreshes leave behind in Dagster's storage and in the home, and whether they slow down with it.

    python -m benchmarks.event_log --rows 10000 --refreshes 200

The main job, in one process that stays, as the command runs it: a refresh with nothing new and one with 1,000 new sales
in turn. Counted is, after SQLite's journals are folded in, by how many bytes the files grow: Dagster's home, and what
else is in the home (dbt's targets, logs, …) without the warehouse and its read copy. Retention, where there is one, is
part of it.
"""

import contextlib
import sqlite3
import statistics
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.command import Figures, finish, folder, parser, say, sizes
from benchmarks.competitors import ThisProject
from benchmarks.figures import table
from benchmarks.incremental import KINDS, Rounds
from benchmarks.machine import header, versions
from benchmarks.processes import PYTHON, Cost, Worker
from benchmarks.raw_data import RawData
from benchmarks.serve import serve

#: What is told apart by the name of the first folder or file in the home.
_DAGSTER, _NOT_COUNTED = "dagster", ("warehouse", "read")
#: Refreshes of a kind of which a median is taken.
_WINDOW = 5


def kept(home: Path) -> dict[str, int]:
    """Bytes in Dagster's home, and in the rest of the home without the warehouse and the read copy; files in both."""
    found = {"dagster": 0, "home": 0, "files": 0}
    for path in home.rglob("*"):
        first = path.relative_to(home).parts[0]
        if first.startswith(_NOT_COUNTED):
            continue
        # Files come and go.
        with contextlib.suppress(FileNotFoundError):
            if path.is_file():
                found[_DAGSTER if first == _DAGSTER else "home"] += path.stat().st_size
                found["files"] += 1
    return found


def fold_journals(home: Path) -> None:
    """Move what SQLite has in journals into its files: a process that stays does so some runs later."""
    for journal in home.rglob("*.db-wal"):
        with contextlib.closing(sqlite3.connect(journal.with_name(journal.name.removesuffix("-wal")))) as connection:
            connection.execute("pragma wal_checkpoint(truncate)")


def measure(rows: int, refreshes: int, home: Path, ours: ThisProject | None = None) -> Figures:
    """So many refreshes, half of them with nothing new.

    Args:
        ours: has been fully refreshed; by default one is made.

    Returns:
        `rows`; `runs`: kind → its refreshes: seconds, and by how much `kept` has grown; `kept`: at the end.
    """
    if ours is None:
        ours = ThisProject(RawData(home / "raw", rows), home / "ours")
        ours.full_refresh()
    rounds, area = Rounds(ours.operation, rows), ours.operation.settings.home
    command: list[str | Path] = [PYTHON, "-c", "from benchmarks.event_log import keep_running; keep_running()"]
    runs: dict[str, list[Cost]] = {"nothing": [], "new_sales": []}
    with contextlib.closing(Worker(command, ours.operation.environment)) as worker:
        worker.ask("refresh")
        fold_journals(area)
        before = kept(area)
        for number in range(refreshes):
            kind = list(runs)[number % 2]
            rounds.make(kind)
            cost = worker.ask("refresh")
            fold_journals(area)
            after = kept(area)
            runs[kind].append(cost | {name: after[name] - before[name] for name in after})
            before = after
            if (number + 1) % 10 == 0:
                say(f"  {number + 1} of {refreshes}: {cost['seconds']:.2f} s, {after['dagster'] / 1e6:.1f} MB")
    return {"rows": rows, "runs": runs, "kept": before}


def keep_running() -> None:
    """Run the main job whenever asked to; the environment says of which home."""
    from staged_assets.job import run_job
    from staged_assets.landing.layout import DATASETS
    from staged_assets.settings import load_settings

    def refresh() -> None:
        result = run_job(load_settings(), systems=[], datasets=list(DATASETS), console=Console(stderr=True))
        if not result.good:
            raise RuntimeError(f"the run was not good: {result.failures}")

    serve({"refresh": refresh})


def tenth_and_last(runs: Sequence[Cost]) -> tuple[float, float]:
    """Seconds about the tenth refresh of a kind, and of the last ones: medians of some that follow each other."""
    first = max(0, min(9 - _WINDOW // 2, len(runs) - _WINDOW))
    return tuple(  # type: ignore[return-value]
        statistics.median(run["seconds"] for run in part) for part in (runs[first : first + _WINDOW], runs[-_WINDOW:])
    )


def as_markdown(figures: Figures) -> str:
    """The table, for a person."""
    lines = []
    for kind, runs in figures["runs"].items():
        tenth, last = tenth_and_last(runs)
        grown = [f"{statistics.mean(run[name] for run in runs) / 1024:,.0f}" for name in ("dagster", "home")]
        lines.append([KINDS[kind], f"{len(runs)}", *grown, f"{tenth:.2f}", f"{last:.2f}", f"{last / tenth:.2f}"])
    heads = ["refresh", "how many", "KB in Dagster's home", "KB in the rest", "tenth, s", "last, s", "last by tenth"]
    end = figures["kept"]
    return table(heads, lines) + (
        f"\n{figures['rows']:,} sales; means of one refresh. At the end {end['dagster'] / 1e6:.1f} MB in Dagster's"
        f" home, {end['home'] / 1e6:.1f} MB in the rest, {end['files']:,} files.\n"
    )


def main() -> None:
    """The command."""
    given = parser(__doc__, rows=10_000)
    given.add_argument("--refreshes", type=int, default=200)
    options = given.parse_args()
    with folder(options) as home:
        figures = measure(sizes(options)[0], options.refreshes, home)
    finish(options, figures, header({"": versions()}) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
