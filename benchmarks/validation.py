"""Whole-table validation of sales: plain SQL, this project, Pandera on pandas, Soda Core, Great Expectations.

    python -m benchmarks.validation --rows 10000000 --repeat 3 --markdown figures.md --json figures.json
    python -m benchmarks.validation --way "plain SQL" --way "this project"

Each way runs in a process of its own, on the same rows in a DuckDB file of its environment; they take turns. Times are
those of the validation, without the process's start and imports (given beside it): by the clock, and of the processor,
which others on the machine disturb less. Memory is that of the whole process, its start included. Ratios are of
processor times, against plain SQL for the same rules on the same DuckDB.
"""

import contextlib
from collections.abc import Collection, Iterator
from functools import partial
from pathlib import Path

import duckdb

from benchmarks.command import Figures, finish, folder, parser, say, sizes
from benchmarks.environments import environment
from benchmarks.figures import median, most, spread, table
from benchmarks.machine import header, versions, versions_of
from benchmarks.peers.limit import THREADS
from benchmarks.processes import PYTHON, Cost, Failed, Worker, in_turn, run
from benchmarks.validation_ways import BASELINES, TABLE, WAYS, make

#: peer → how its environment is called, and what is of interest in it
PEERS = {
    "soda": ("Soda's", ["soda-core", "duckdb"]),
    "great_expectations": ("Great Expectations'", ["great_expectations", "duckdb", "duckdb-engine", "sqlalchemy"]),
}
_MODULE = "benchmarks.validation_ways"


class Tables:
    """The same rows for every environment that one of the ways needs.

    Attributes:
        missing: peer → why its environment can't be had.
    """

    def __init__(self, folder: Path, rows: int, ways: Collection[str]) -> None:
        self._folder = folder
        self._pythons: dict[str | None, Path] = {None: PYTHON}
        self.missing: dict[str | None, str] = {}
        say(f"making {rows:,} rows")
        make(self.file(None), rows)
        peers = {WAYS[way].peer for way in ways} - {None}
        parquet = folder / "sales.parquet"
        if peers:
            with duckdb.connect(str(self.file(None)), read_only=True) as connection:
                connection.execute(f"copy {TABLE} to '{parquet}'")
        for peer in sorted(filter(None, peers)):
            try:
                self._pythons[peer] = environment(peer)
                run([self._pythons[peer], "-m", _MODULE, "load", parquet, self.file(peer)])
            except Failed as failure:
                say(f"{peer}: {failure}")
                self.missing[peer] = str(failure)

    def file(self, peer: str | None) -> Path:
        """The DuckDB file of an environment."""
        return self._folder / f"sales_{peer or 'own'}.duckdb"

    def validate(self, way: str) -> Cost:
        """Validate in one way, in a process of its own.

        Raises:
            Failed: it can't be done.
        """
        peer = WAYS[way].peer
        with contextlib.closing(Worker([self._pythons[peer], "-m", _MODULE, "serve", way, self.file(peer)])) as worker:
            return worker.ask("validate")

    def versions(self) -> dict[str, dict[str, str]]:
        """Environment → versions."""
        return {"": versions()} | {
            PEERS[peer][0]: versions_of(python, PEERS[peer][1]) for peer, python in self._pythons.items() if peer
        }


def compare(rows: int, repeat: int, ways: Collection[str], home: Path) -> Figures:
    """Each way `repeat` times, in turn, at one size.

    Returns:
        `rows`; `runs`: way → its costs; `failed`: way → why.
    """
    home.mkdir()
    tables = Tables(home, rows, ways)
    missing = {way: tables.missing[WAYS[way].peer] for way in ways if WAYS[way].peer in tables.missing}
    runs, failed = in_turn({way: partial(tables.validate, way) for way in ways if way not in missing}, repeat)
    return {"rows": rows, "runs": runs, "failed": missing | failed, "environments": tables.versions()}


def as_markdown(found: list[Figures]) -> str:
    """Medians with the least and the most, for a person."""
    heads = ["rows", "way", "rules", "seconds", "processor seconds", "by plain SQL", "imports, seconds", "peak MB"]
    text = f"{THREADS} threads\n\n" + table(heads, [line for one in found for line in _lines(one)], texts=3)
    for figures in found:
        text += "".join(f"\n{figures['rows']:,} rows, {way}: failed: {why}\n" for way, why in figures["failed"].items())
    return text


def _lines(figures: Figures) -> Iterator[list[str]]:
    for name, runs in figures["runs"].items():
        way = WAYS[name]
        baseline = figures["runs"].get(BASELINES[way.rules, way.peer])
        ratio = f"{median(runs, 'cpu_seconds') / median(baseline, 'cpu_seconds'):.2f}" if baseline else ""
        times = [spread(runs), spread(runs, "cpu_seconds"), ratio, f"{median(runs, 'imports'):.2f}"]
        yield [f"{figures['rows']:,}", name, way.rules, *times, f"{most(runs):.0f}"]
    for name in figures["failed"]:
        yield [f"{figures['rows']:,}", name, WAYS[name].rules, "failed, see below", "", "", "", ""]


def main() -> None:
    """The command."""
    given = parser(__doc__, rows=1_000_000, repeat=3)
    given.add_argument("--way", action="append", choices=list(WAYS), help="only this one; repeat for several")
    options = given.parse_args()
    ways = options.way or list(WAYS)
    with folder(options) as home:
        figures = [compare(rows, options.repeat, ways, home / str(rows)) for rows in sizes(options)]
    finish(options, figures, header(figures[-1]["environments"]) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
