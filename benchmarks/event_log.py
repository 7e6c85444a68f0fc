"""What refreshes leave behind in Dagster's storage and in the home, and whether they slow down with it.

    python -m benchmarks.event_log --rows 10000 --refreshes 200
    python -m benchmarks.event_log --rows 10000 --refreshes 20 --before 10000

The main job, in one process that stays, as the command runs it: a refresh with nothing new and one with 1,000 new sales
in turn. Counted is, after SQLite's journals are folded in, by how many bytes the files grow: Dagster's home, and what
else is in the home (dbt's targets, logs, …) without the warehouse and its read copy. Retention, where there is one, is
part of it.

With `--before`: refreshes of a home that remembers so many runs more (see `history`) in turn with those of a new one,
before and after `staged-assets prune`. 10,000 runs take some 20 GB of disk.
"""

import contextlib
import json
import os
import sqlite3
import statistics
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from benchmarks.command import Figures, finish, folder, parser, say, sizes
from benchmarks.competitors import ThisProject
from benchmarks.figures import median, spread, table
from benchmarks.history import lengthen
from benchmarks.incremental import KINDS, Rounds
from benchmarks.machine import header, versions
from benchmarks.processes import PYTHON, Cost, Worker
from benchmarks.raw_data import RawData
from benchmarks.serve import serve

#: What is told apart by the name of the first folder or file in the home.
_DAGSTER, _NOT_COUNTED = "dagster", ("warehouse", "read")
#: Refreshes of a kind of which a median is taken.
_WINDOW = 5
#: Kinds of refreshes, in turn.
_KINDS = ("nothing", "new_sales")


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


def measure(rows: int, refreshes: int, home: Path, ours: ThisProject | None = None, before: int = 0) -> Figures:
    """So many refreshes, half of them with nothing new.

    Args:
        ours: has been fully refreshed; by default one is made.
        before: see `compare`, which is left out without it.

    Returns:
        `rows`; `runs`: kind → its refreshes: seconds, and by how much `kept` has grown; `kept`: at the end; `past`:
        what `compare` has found.
    """
    ours = ours or _made(rows, home / "ours")
    area = ours.operation.settings.home
    runs: dict[str, list[Cost]] = {kind: [] for kind in _KINDS}
    with _Refreshed(ours, Rounds(ours.operation, rows)) as refreshed:
        before_it = kept(area)
        for number in range(refreshes):
            kind = _KINDS[number % 2]
            cost = refreshed.refresh(kind)
            after = kept(area)
            runs[kind].append(cost | {name: after[name] - before_it[name] for name in after})
            before_it = after
            if (number + 1) % 10 == 0:
                say(f"  {number + 1} of {refreshes}: {cost['seconds']:.2f} s, {after['dagster'] / 1e6:.1f} MB")
    found = {"rows": rows, "runs": runs, "kept": before_it}
    return found | ({"past": compare(rows, refreshes, before, home)} if before else {})


def compare(rows: int, refreshes: int, before: int, home: Path) -> Figures:
    """Refreshes of a new home and of one that remembers many runs more, in turn; and again after retention.

    Args:
        refreshes: of each, each time; half of them with nothing new.
        before: so many runs more.

    Returns:
        `before`; `few` and `many`: kind → costs; `few_again` and `pruned`: the same, after retention; `bytes`: of
        Dagster's home then; `pruned_runs`, `prune_seconds`: of the retention.
    """
    new, old = (_made(rows, home / name) for name in ("new", "old"))
    homes = [(one, Rounds(one.operation, rows)) for one in (new, old)]
    with _Refreshed(*homes[1]) as refreshed:
        for kind in _KINDS:
            refreshed.refresh(kind)
    say(f"  {before:,} runs are added to what a home remembers")
    lengthen(old.operation.settings, before, say)
    found: Figures = {"before": before, "bytes": {"many": _index_bytes(old)}}
    found |= dict(zip(("few", "many"), _in_turn(homes, refreshes), strict=True))
    command, environment = old.operation.command("prune", "--json")
    started = time.perf_counter()
    pruned = subprocess.run(command, env=os.environ | environment, check=True, stdout=subprocess.PIPE)
    found["prune_seconds"], found["pruned_runs"] = time.perf_counter() - started, json.loads(pruned.stdout)["runs"]
    say(f"  retention deleted {found['pruned_runs']:,} runs in {found['prune_seconds']:.1f} s")
    found["bytes"]["pruned"] = _index_bytes(old)
    return found | dict(zip(("few_again", "pruned"), _in_turn(homes, refreshes), strict=True))


def _in_turn(homes: Sequence[tuple[ThisProject, Rounds]], refreshes: int) -> tuple[dict[str, list[Cost]], ...]:
    """Of each: kind → its refreshes."""
    found: tuple[dict[str, list[Cost]], ...] = ({kind: [] for kind in _KINDS}, {kind: [] for kind in _KINDS})
    with _Refreshed(*homes[0]) as one, _Refreshed(*homes[1]) as other:
        for number in range(refreshes):
            kind = _KINDS[number % 2]
            for costs, refreshed in zip(found, (one, other), strict=True):
                costs[kind].append(refreshed.refresh(kind))
            say(
                f"  {number + 1} of {refreshes}: " + ", ".join(f"{costs[kind][-1]['seconds']:.2f} s" for costs in found)
            )
    return found


def _index_bytes(ours: ThisProject) -> int:
    """Of all events of assets and checks: a run's own log is not copied, see `history`."""
    return (ours.operation.settings.home / "dagster" / "history" / "runs" / "index.db").stat().st_size


def _made(rows: int, folder: Path) -> ThisProject:
    made = ThisProject(RawData(folder.with_name(f"{folder.name}-raw"), rows), folder)
    made.full_refresh()
    return made


class _Refreshed:
    """A home with a process that refreshes it, after one refresh that is not counted."""

    def __init__(self, ours: ThisProject, rounds: Rounds) -> None:
        command: list[str | Path] = [PYTHON, "-c", "from benchmarks.event_log import keep_running; keep_running()"]
        self._home = ours.operation.settings.home
        self._rounds = rounds
        self._worker = Worker(command, ours.operation.environment)

    def __enter__(self) -> "_Refreshed":
        self.refresh("nothing")
        return self

    def __exit__(self, *error: object) -> None:
        self._worker.close()

    def refresh(self, kind: str) -> Cost:
        """One refresh of a kind."""
        self._rounds.make(kind)
        cost = self._worker.ask("refresh")
        fold_journals(self._home)
        return cost


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
    return (
        table(heads, lines)
        + (
            f"\n{figures['rows']:,} sales; means of one refresh. At the end {end['dagster'] / 1e6:.1f} MB in Dagster's"
            f" home, {end['home'] / 1e6:.1f} MB in the rest, {end['files']:,} files.\n"
        )
        + (_past(figures["past"]) if "past" in figures else "")
    )


def _past(figures: Figures) -> str:
    """Refreshes with many runs before them beside those with few."""
    before, sizes = figures["before"], figures["bytes"]
    states = {f"{before:,} more": ("few", "many"), "after retention": ("few_again", "pruned")}
    lines = [
        [when, KINDS[kind], spread(figures[few][kind]), spread(figures[many][kind]),
         f"{median(figures[many][kind]) / median(figures[few][kind]):.2f}"]
        for when, (few, many) in states.items()
        for kind in _KINDS
    ]  # fmt: skip
    heads = ["runs before", "refresh", "a new home, s", "this one, s", "by the new one"]
    return f"\n{table(heads, lines, texts=2)}" + (
        f"\nIn turn. Retention deleted {figures['pruned_runs']:,} runs in {figures['prune_seconds']:.0f} s; Dagster's"
        f" index had {sizes['many'] / 1e6:,.0f} MB before it and {sizes['pruned'] / 1e6:,.0f} MB after.\n"
    )


def main() -> None:
    """The command."""
    given = parser(__doc__, rows=10_000)
    given.add_argument("--refreshes", type=int, default=200)
    given.add_argument("--before", type=int, default=0, help="runs that are added before the same is measured again")
    options = given.parse_args()
    with folder(options) as home:
        figures = measure(sizes(options)[0], options.refreshes, home, before=options.before)
    finish(options, figures, header({"": versions()}) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
