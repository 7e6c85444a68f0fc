"""Medians, spreads, tables."""

import statistics
from collections.abc import Sequence

from benchmarks.processes import Cost


def median(costs: Sequence[Cost], part: str = "seconds") -> float:
    """Of one part of several runs."""
    return statistics.median(cost[part] for cost in costs)


def most(costs: Sequence[Cost], part: str = "peak_mb") -> float:
    """The most of one part of several runs."""
    return max(cost[part] for cost in costs)


def spread(costs: Sequence[Cost], part: str = "seconds") -> str:
    """The median with the least and the most, for a person."""
    found = [cost[part] for cost in costs]
    digits = 1 if median(costs, part) >= 10 else 2
    return f"{statistics.median(found):.{digits}f} ({min(found):.{digits}f} to {max(found):.{digits}f})"


def table(heads: Sequence[str], lines: Sequence[Sequence[str]], texts: int = 1) -> str:
    """A Markdown table.

    Args:
        texts: so many of the first columns are text, the others figures.
    """
    marks = ["---" if number < texts else "---:" for number in range(len(heads))]
    rows = [heads, *lines]
    written = ["| " + " | ".join(row) + " |" for row in rows]
    return "\n".join([written[0], "|" + "|".join(marks) + "|", *written[1:]]) + "\n"
