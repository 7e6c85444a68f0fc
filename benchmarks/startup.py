"""Loading a code location: this project's and the stock stack's, beside only importing dagster and dagster_dbt.

    python -m benchmarks.startup --repeat 5

Each is a whole process; the dbt projects are parsed beforehand, as at a deployment, and the first round is a warm-up.
They take turns.
"""

from collections.abc import Collection
from functools import partial
from pathlib import Path

from benchmarks.command import Figures, finish, folder, parser
from benchmarks.competitors import ThisProject
from benchmarks.figures import median, most, spread, table
from benchmarks.machine import header, versions
from benchmarks.peers.stock.competitor import Stock
from benchmarks.processes import PYTHON, in_turn, run
from benchmarks.raw_data import RawData

IMPORTS = "importing dagster and dagster_dbt"
WAYS = {
    IMPORTS: "import dagster, dagster_dbt",
    ThisProject.name: "import staged_assets.definitions",
    Stock.name: "import benchmarks.peers.stock.definitions",
}


def measure(repeat: int, home: Path, ways: Collection[str] = tuple(WAYS)) -> Figures:
    """Each `repeat` times, in turn.

    Returns:
        `runs`: way → its costs; `failed`: way → why.
    """
    raw = RawData(home / "raw", 1)
    ours, stock = ThisProject(raw, home / "ours"), Stock(raw, home / "stock")
    environments: dict[str, dict[str, str]] = {
        IMPORTS: {},
        ours.name: ours.operation.environment,
        stock.name: stock.environment,
    }
    for competitor in (ours, stock):
        if competitor.name in ways:
            competitor.reset()
    loading = {way: partial(run, [PYTHON, "-c", WAYS[way]], environments[way]) for way in ways}
    runs, failed = in_turn(loading, repeat + 1)
    return {"runs": {way: costs[1:] for way, costs in runs.items()}, "failed": failed}


def as_markdown(figures: Figures) -> str:
    """The table, for a person."""
    base = figures["runs"].get(IMPORTS)
    lines = [
        [way, spread(runs), f"{median(runs) / median(base):.2f}" if base else "", f"{most(runs):.0f}"]
        for way, runs in figures["runs"].items()
    ]
    lines += [[way, "failed", "", why] for way, why in figures["failed"].items()]
    return table(["what", "seconds", "by importing", "peak MB"], lines)


def main() -> None:
    """The command."""
    given = parser(__doc__, repeat=5)
    options = given.parse_args()
    with folder(options) as home:
        figures = measure(options.repeat, home)
    finish(options, figures, header({"": versions()}) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
