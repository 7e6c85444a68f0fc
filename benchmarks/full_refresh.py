"""A full refresh from raw: this project, its peers, and the limit, hand-written SQL which does the least one could.

    python -m benchmarks.full_refresh --rows 1000000 --rows 10000000 --repeat 3 --markdown figures.md
    python -m benchmarks.full_refresh --rows 1000000 --competitor limit --competitor "this project"

All read the same raw rows; each is a whole process, its start and imports included, from nothing staged; they take
turns. This project gives all outputs: staged, quarantine, dispositions, companions, audit and checks; in one process of
its own, and by the command, which is a run of Dagster.
"""

from functools import partial

from benchmarks.command import Figures, finish, folder, parser, sizes
from benchmarks.competitors import Peer, ThisProject
from benchmarks.field import NAMES, Field, each_size
from benchmarks.figures import median, most, spread, table
from benchmarks.machine import header
from benchmarks.processes import in_turn


def compare(field: Field, repeat: int) -> Figures:
    """All, `repeat` times in turn, at one size.

    Returns:
        `rows`; `runs`: way → its costs; `limits`: way → the limit that it is compared with; `failed`: way → why;
        `disagreeing`: peer → dataset → rows that it and this project do not both have.
    """
    ways = {one.name: one.full_refresh for one in field.competitors}
    runs, failed = in_turn(ways, repeat)
    staged = [one for one in field.competitors if isinstance(one, ThisProject) and one.name in runs]
    peers = [one for one in field.competitors if isinstance(one, Peer) and one.name in runs]
    return {
        "rows": field.rows,
        "runs": runs,
        "limits": {one.name: one.limit for one in field.competitors},
        "failed": field.missing | failed,
        "disagreeing": {one.name: one.disagreeing(staged[0].warehouse) for one in peers} if staged else {},
    }


def as_markdown(found: list[Figures]) -> str:
    """Medians with the least and the most, for a person."""
    lines = []
    for figures in found:
        for way, runs in figures["runs"].items():
            limit = figures["runs"].get(figures["limits"][way])
            ratio = f"{median(runs) / median(limit):.1f}" if limit else ""
            lines.append([f"{figures['rows']:,}", way, spread(runs), ratio, f"{most(runs):.0f}", _rows(figures, way)])
        lines += [[f"{figures['rows']:,}", way, "failed", "", "", why] for way, why in figures["failed"].items()]
    return table(["sales", "way", "seconds", "by its limit", "peak MB", "rows"], lines, texts=2)


def _rows(figures: Figures, way: str) -> str:
    found = figures["disagreeing"].get(way)
    if found is None:
        return ""
    return f"other: {found}" if found else "the same"


def main() -> None:
    """The command."""
    given = parser(__doc__, rows=1_000_000, repeat=3)
    given.add_argument("--competitor", action="append", choices=NAMES, help="only this one; repeat for several")
    options = given.parse_args()
    with folder(options) as home:
        names = options.competitor or NAMES
        figures = each_size(sizes(options), names, home, partial(compare, repeat=options.repeat))
    finish(options, figures, header(figures[-1]["environments"]) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
