"""The figures that this project is to reach, beside what a run has reached."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.command import Figures
from benchmarks.competitors import Command, Limit, ThisProject
from benchmarks.event_log import tenth_and_last
from benchmarks.figures import median, most, table
from benchmarks.incremental import KINDS
from benchmarks.peers.sqlmesh.competitor import SqlMesh
from benchmarks.startup import IMPORTS

#: Sales for which there is a target of a full refresh: from the one on, and a stricter one from the other on.
_SMALL, _LARGE = 1_000_000, 10_000_000
#: Fewer refreshes of a kind don't show whether they slow down.
_REFRESHES = 20
OURS, COMMAND = ThisProject.name, Command.name


@dataclass(frozen=True)
class Target:
    """One figure.

    Attributes:
        what: is measured.
        reached: the figure.
        at_most: what it is to be.
        unit: of both; `times` for a ratio.
    """

    what: str
    reached: float
    at_most: float
    unit: str

    @property
    def is_met(self) -> bool:
        """Whether it is reached."""
        return self.reached <= self.at_most

    def line(self) -> list[str]:
        """For the table."""
        figures = [f"≤ {self.at_most:.3g} {self.unit}", f"{self.reached:.3g} {self.unit}"]
        return [self.what, *figures, "yes" if self.is_met else "no"]


def _full_refresh(found: Sequence[Figures]) -> Iterator[Target]:
    for figures in found:
        runs, is_large = figures["runs"], figures["rows"] >= _LARGE
        if figures["rows"] < _SMALL:
            continue
        for way in (OURS, COMMAND):
            if way in runs and Limit.name in runs:
                what = f"full refresh, {figures['rows']:,} sales, {way}"
                ratio = median(runs[way]) / median(runs[Limit.name])
                yield Target(f"{what}, by the limit", ratio, 2.5 if is_large else 5, "times")
                if is_large:
                    yield Target(f"{what}, memory", most(runs[way]) / 1000, 2.5, "GB")


def _incremental(found: Sequence[Figures]) -> Iterator[Target]:
    warm = [one["runs"].get("new_sales_warm", {}).get(OURS) for one in found]
    for figures, costs in zip(found, warm, strict=True):
        sales = f"{figures['rows']:,} sales"
        if costs:
            yield Target(f"1,000 new sales, warm, of {sales}", median(costs), 1.0, "s")
        cold = figures["runs"].get("new_sales_cold", {})
        if OURS in cold and SqlMesh.name in cold:
            theirs = median(cold[SqlMesh.name])
            yield Target(f"1,000 new sales, cold, of {sales}; at most SQLMesh's", median(cold[OURS]), theirs, "s")
        for how, limit in (("cold", 4.0), ("warm", 0.2)):
            nothing = figures["runs"].get(f"nothing_{how}", {}).get(OURS)
            if nothing:
                yield Target(f"nothing new, {how}, of {sales}", median(nothing), limit, "s")
    if len(found) > 1 and warm[0] and warm[-1]:
        sizes = f"{found[0]['rows']:,} to {found[-1]['rows']:,} sales"
        yield Target(f"1,000 new sales, warm, growth from {sizes}", median(warm[-1]) / median(warm[0]), 1.3, "times")


def _validation(found: Sequence[Figures]) -> Iterator[Target]:
    for figures in found:
        runs = figures["runs"]
        if OURS in runs and "plain SQL" in runs:
            what = f"five rules, {figures['rows']:,} rows"
            yield Target(f"{what}, by plain SQL", median(runs[OURS]) / median(runs["plain SQL"]), 2, "times")
            yield Target(f"{what}, memory", most(runs[OURS]) / 1000, 0.8, "GB")


def _growth(found: Figures) -> Iterator[Target]:
    if found["growth"].get(OURS):
        sizes = [f"{one['rows']:,}" for one in found["sizes"][1:]]
        what = f"growth of a full refresh, {sizes[0]} to {sizes[-1]} sales, time for each row"
        yield Target(what, found["growth"][OURS], 1.2, "times")


def _startup(found: Figures) -> Iterator[Target]:
    runs = found["runs"]
    if OURS in runs and IMPORTS in runs:
        ratio = median(runs[OURS]) / median(runs[IMPORTS])
        yield Target("loading the code location, by importing dagster and dagster_dbt", ratio, 1.3, "times")


def _latency(found: Figures) -> Iterator[Target]:
    yield Target("change in a source → visible, 95 %", found["p95_seconds"], 8, "s")


def _event_log(found: Figures) -> Iterator[Target]:
    for kind, runs in found["runs"].items():
        if len(runs) >= _REFRESHES:
            tenth, last = tenth_and_last(runs)
            yield Target(f"{KINDS[kind]}, refresh {len(runs)} by refresh 10", last / tenth, 1.2, "times")


_PARTS: Mapping[str, Callable[[Any], Iterator[Target]]] = {
    "full-refresh": _full_refresh, "incremental": _incremental, "validation": _validation, "growth": _growth,
    "startup": _startup, "event-log": _event_log, "latency": _latency,
}  # fmt: skip


def targets(parts: Mapping[str, Any]) -> list[Target]:
    """Those that were measured.

    Args:
        parts: name of a benchmark → its figures.
    """
    return [target for name, of in _PARTS.items() if name in parts for target in of(parts[name])]


def as_markdown(found: Sequence[Target]) -> str:
    """The table, for a person."""
    return table(["figure", "target", "reached", "met"], [target.line() for target in found])
