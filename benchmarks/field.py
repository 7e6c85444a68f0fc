"""Who takes part in a comparison of refreshes at one size."""

import shutil
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType

from benchmarks.command import Figures, say
from benchmarks.competitors import Command, Competitor, Limit, ThisProject
from benchmarks.machine import versions
from benchmarks.peers.sqlmesh.competitor import LimitOfSqlMesh, SqlMesh
from benchmarks.peers.stock.competitor import Stock
from benchmarks.processes import Failed
from benchmarks.raw_data import RawData

_ALL: tuple[Callable[[RawData, Path], Competitor], ...] = (Limit, ThisProject, Command, LimitOfSqlMesh, SqlMesh, Stock)
NAMES = [one.name for one in _ALL]  # type: ignore[attr-defined]


class Field:
    """The competitors of one size, with their files; these are gone after the block.

    Attributes:
        rows: sales.
        competitors: those that are to take part and can.
        missing: those that can't, and why.

    Args:
        names: of those that are to take part, out of `NAMES`.
    """

    def __init__(self, folder: Path, rows: int, names: Collection[str]) -> None:
        self.folder = folder
        self.rows = rows
        self.missing: dict[str, str] = {}
        self.competitors: list[Competitor] = []
        raw = RawData(folder / "raw", rows)
        for number, kind in enumerate(_ALL):
            if NAMES[number] in names:
                self._add(kind(raw, folder / str(number)))

    def _add(self, competitor: Competitor) -> None:
        self.competitors.append(competitor)
        try:
            competitor.python()
        except Failed as failure:
            self.leave_out(competitor, failure)

    def leave_out(self, competitor: Competitor, failure: Failed) -> None:
        """One that can't take part, and why."""
        say(f"{competitor.name}: {failure}")
        self.competitors.remove(competitor)
        self.missing[competitor.name] = str(failure)

    def __enter__(self) -> "Field":
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)

    def versions(self) -> dict[str, dict[str, str]]:
        """Environment → its packages' versions; this project's is `""`."""
        found = {"": versions()}
        for competitor in self.competitors:
            found |= competitor.versions()
        return found


def each_size(
    rows: Collection[int], names: Collection[str], home: Path, compare: Callable[[Field], Figures]
) -> list[Figures]:
    """Compare at several sizes, one after the other; what was made for one is gone before the next.

    Returns:
        what `compare` gave, with `environments`: environment → its packages' versions.
    """
    found = []
    for size in rows:
        with Field(home / str(size), size, names) as field:
            found.append(compare(field) | {"environments": field.versions()})
    return found
