"""How a full refresh grows: its time for each row beyond the start-up, by size.

    python -m benchmarks.growth --rows 1000000 --rows 3000000 --rows 10000000 --repeat 3
    STAGED_ASSETS_MEMORY_LIMIT=1GB python -m benchmarks.growth --rows 10000000 --rows 30000000 --repeat 1

Whole processes of this project and of the limit. The start-up is what a refresh of 1,000 sales takes.
"""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from benchmarks import full_refresh
from benchmarks.command import Figures, finish, folder, parser, sizes
from benchmarks.competitors import Limit, ThisProject
from benchmarks.field import each_size
from benchmarks.figures import median, most, table
from benchmarks.machine import header

START_UP = 1_000
WAYS = (Limit.name, ThisProject.name)


def measure(rows: Sequence[int], repeat: int, home: Path, known: Sequence[Figures] = ()) -> Figures:
    """Refresh fully at each size.

    Args:
        known: figures of `full_refresh`, whose sizes need not be measured again.

    Returns:
        `sizes`: of the start-up, then the others, each as `full_refresh.compare` has it; `growth`: way → time for each
        row beyond the start-up at the largest size, by that at the smallest.
    """
    there = {one["rows"]: one for one in known}
    wanted = sorted({START_UP, *rows})
    to_do = [size for size in wanted if size not in there]
    there |= {one["rows"]: one for one in each_size(to_do, WAYS, home, partial(full_refresh.compare, repeat=repeat))}
    found = [there[size] for size in wanted]
    return {"sizes": found, "growth": {way: _growth(found, way) for way in WAYS}}


def microseconds(figures: Figures, start: Figures, way: str) -> float:
    """For each sale, beyond the start-up."""
    beyond = median(figures["runs"][way]) - median(start["runs"][way])
    return beyond * 1e6 / (figures["rows"] - start["rows"])


def _growth(found: list[Figures], way: str) -> float | None:
    start, *others = found
    if any(way not in one["runs"] for one in found) or len(others) < 2:
        return None
    least = microseconds(others[0], start, way)
    # At sizes that take no longer than the start-up there is nothing to compare.
    return microseconds(others[-1], start, way) / least if least > 0 else None


def as_markdown(figures: Figures) -> str:
    """The table, for a person."""
    start, *others = figures["sizes"]
    heads = ["way", "start-up, seconds", *(f"{one['rows']:,} sales" for one in others), "last by first", "peak MB"]
    lines = []
    for way in WAYS:
        if any(way not in one["runs"] for one in figures["sizes"]):
            continue
        cells = [f"{microseconds(one, start, way):.2f} µs a sale" for one in others]
        growth = figures["growth"][way]
        peak = most(others[-1]["runs"][way]) if others else most(start["runs"][way])
        lines.append(
            [way, f"{median(start['runs'][way]):.1f}", *cells, f"{growth:.2f}" if growth else "", f"{peak:.0f}"]
        )
    return table(heads, lines)


def main() -> None:
    """The command."""
    options = parser(__doc__, rows=1_000_000, repeat=3).parse_args()
    with folder(options) as home:
        figures = measure(sizes(options), options.repeat, home)
    finish(options, figures, header(figures["sizes"][-1]["environments"]) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
