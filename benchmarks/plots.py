"""Plots of a run: time and memory against rows, a line for each competitor."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl

from benchmarks.command import Figures
from benchmarks.figures import median, most
from benchmarks.processes import Cost

# Without a display.
mpl.use("Agg")
from matplotlib import pyplot

#: way → size → its costs
Lines = Mapping[str, Mapping[int, Sequence[Cost]]]


def draw(parts: Mapping[str, Any], folder: Path) -> list[Path]:
    """Draw what was measured.

    Args:
        parts: name of a benchmark → its figures.
        folder: for the files.

    Returns:
        the files, PNG.
    """
    folder.mkdir(parents=True, exist_ok=True)
    found = []
    if "full-refresh" in parts:
        lines = _lines(parts["full-refresh"], "runs")
        found.append(_draw(lines, "Full refresh", "sales", folder / "full-refresh.png"))
    if "incremental" in parts:
        for how in ("warm", "cold"):
            for kind, title in (("new_sales", "1,000 new sales"), ("nothing", "Nothing new")):
                lines = _lines([one["runs"] | {"rows": one["rows"]} for one in parts["incremental"]], f"{kind}_{how}")
                path = folder / f"{kind.replace('_', '-')}-{how}.png"
                found.append(_draw(lines, f"{title}, {how}", "sales in the table", path))
    if "validation" in parts:
        found.append(_draw(_lines(parts["validation"], "runs"), "Validation", "rows", folder / "validation.png"))
    if "event-log" in parts:
        found.append(_refreshes(parts["event-log"], folder / "event-log.png"))
    return found


def _lines(found: Sequence[Figures], key: str) -> Lines:
    lines: dict[str, dict[int, Sequence[Cost]]] = {}
    for figures in found:
        for way, costs in figures.get(key, {}).items():
            lines.setdefault(way, {})[figures["rows"]] = costs
    return lines


def _draw(lines: Lines, title: str, sizes: str, path: Path) -> Path:
    figure, (times, memory) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for axes in (times, memory):
        axes.set_prop_cycle(color=mpl.colormaps["tab20"](range(20)))
    for way, costs in lines.items():
        rows = sorted(costs)
        middle = [median(costs[size]) for size in rows]
        least = [min(cost["seconds"] for cost in costs[size]) for size in rows]
        greatest = [max(cost["seconds"] for cost in costs[size]) for size in rows]
        spread = [
            [m - low for m, low in zip(middle, least, strict=True)],
            [high - m for m, high in zip(middle, greatest, strict=True)],
        ]
        times.errorbar(rows, middle, yerr=spread, marker="o", capsize=3, label=way)
        memory.plot(rows, [most(costs[size]) for size in rows], marker="o", label=way)
    for axes, what in ((times, "seconds, median with least and most"), (memory, "peak memory of all processes, MB")):
        axes.set(xscale="log", yscale="log", xlabel=sizes, ylabel=what)
        axes.grid(visible=True, which="both", alpha=0.3)
    figure.suptitle(title)
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower center", ncols=3, fontsize="small")
    return _saved(figure, path)


def _refreshes(figures: Figures, path: Path) -> Path:
    figure, (times, kept) = pyplot.subplots(1, 2, figsize=(12, 5), layout="constrained")
    for kind, runs in figures["runs"].items():
        numbers = range(1, len(runs) + 1)
        times.plot(numbers, [run["seconds"] for run in runs], marker=".", label=kind.replace("_", " "))
        kept.plot(numbers, [(run["dagster"] + run["home"]) / 1024 for run in runs], marker=".")
    times.set(xlabel="refresh", ylabel="seconds", ylim=0)
    kept.set(xlabel="refresh", ylabel="growth of Dagster's home and the rest, KB")
    figure.suptitle("What refreshes leave behind")
    figure.legend(*times.get_legend_handles_labels(), loc="outside lower center", ncols=2, fontsize="small")
    return _saved(figure, path)


def _saved(figure: Any, path: Path) -> Path:
    figure.savefig(path, dpi=110)
    pyplot.close(figure)
    return path
