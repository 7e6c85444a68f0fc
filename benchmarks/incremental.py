"""What a refresh costs when little or nothing has changed, by the size of the tables: this project and its peers.

    python -m benchmarks.incremental --rows 1000000 --rows 10000000 --repeat 5 --markdown figures.md

After a full refresh, in turn: 1,000 new sales, 1,000 changed ones (all over the table), nothing new. First by the
command of each, cold; then in a process of each that stays, warm. This project lands them from event files,
audits, publishes and checks them, with everything that is made from them; the peers find what it has landed among their
raw rows, so their landing costs nothing. The first round of each kind is a warm-up. At the end all must have the same
rows.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial

from benchmarks.command import Figures, finish, folder, parser, say, sizes
from benchmarks.competitors import Incremental, IncrementalPeer, ThisProject
from benchmarks.field import Field, each_size
from benchmarks.figures import median, spread, table
from benchmarks.machine import header
from benchmarks.operation import Operation
from benchmarks.peers.sqlmesh.competitor import SqlMesh
from benchmarks.peers.stock.competitor import Stock
from benchmarks.processes import Cost, Failed
from benchmarks.raw_data import Batch

CHANGED = 1_000
COMPETITORS = [ThisProject.name, SqlMesh.name, Stock.name]
KINDS = {"new_sales": f"{CHANGED:,} new sales", "changed_sales": f"{CHANGED:,} changed sales", "nothing": "nothing new"}


class Rounds:
    """Changes in the shop of one home."""

    def __init__(self, operation: Operation, rows: int) -> None:
        self._operation = operation
        self._rows = rows
        self._next = rows + 1
        self._moment = datetime.now(UTC)

    def make(self, kind: str) -> int:
        """Make changes of a kind; how many."""
        if kind == "nothing":
            return 0
        if kind == "new_sales":
            keys = list(range(self._next, self._next + CHANGED))
            self._next += CHANGED
        else:
            keys = [1 + (self._next + number * 7919) % self._rows for number in range(CHANGED)]
            self._next += 1
        self._moment += timedelta(seconds=1)
        self._operation.write_sales(keys, self._moment.isoformat())
        return CHANGED


class Comparison:
    """This project and its peers at one size, all fully refreshed; one that fails is left out from then on.

    Attributes:
        runs: what was measured → way → its costs.
        failed: way → why.

    Raises:
        Failed: this project has failed.
    """

    def __init__(self, field: Field) -> None:
        self._ours = next(one for one in field.competitors if isinstance(one, ThisProject))
        self._peers = [one for one in field.competitors if isinstance(one, IncrementalPeer)]
        self._rounds = Rounds(self._ours.operation, field.rows)
        self._folder = field.folder
        self._batches = 0
        self._last = Batch(self._ours.warehouse, field.folder, 0, 0).last
        self.runs: dict[str, dict[str, list[Cost]]] = {}
        self.failed = dict(field.missing)

    def cold(self, kind: str, number: int) -> None:
        """One round of all of them by their commands; the round 0 is a warm-up."""
        self._round(f"{kind}_cold", kind, number, lambda one: one.run())

    def warm(self, repeat: int) -> None:
        """All rounds, in processes that stay."""
        started = {one.name: one.worker() for one in (self._ours, *self._peers)}
        workers = {name: worker for name, worker in started.items() if worker is not None}
        self._peers = [peer for peer in self._peers if peer.name in workers]
        for kind in KINDS:
            for number in range(repeat + 1):
                self._round(f"{kind}_warm", kind, number, lambda one: workers[one.name].ask("refresh"))
        for worker in workers.values():
            worker.close()

    def _round(self, what: str, kind: str, number: int, refresh: Callable[[Incremental], Cost]) -> None:
        expected = self._rounds.make(kind)
        self._note(what, self._ours.name, number, refresh(self._ours))
        self._batches += 1
        batch = Batch(self._ours.warehouse, self._folder, self._batches, self._last)
        self._last = batch.last
        if batch.rows != expected:
            raise Failed(f"{batch.rows} rows were landed, not {expected}")
        for peer in list(self._peers):
            if batch.rows:
                peer.deliver(batch)
            try:
                self._note(what, peer.name, number, refresh(peer))
            except Failed as failure:
                self.failed[peer.name] = str(failure)
                self._peers.remove(peer)
                say(f"  {what}: {peer.name}: failed: {failure}")

    def _note(self, what: str, way: str, number: int, cost: Cost) -> None:
        say(f"  {what} {number}: {way}: {cost['seconds']:.2f} s")
        if number:
            self.runs.setdefault(what, {}).setdefault(way, []).append(cost)

    def disagreeing(self) -> dict[str, dict[str, int]]:
        """Peer that is still there → dataset → rows that it and this project do not both have."""
        return {peer.name: peer.disagreeing(self._ours.warehouse) for peer in self._peers}


def compare(field: Field, repeat: int) -> Figures:
    """All figures of one size.

    Returns:
        `rows`; `runs`: what was measured → way → its costs; `failed`: way → why; `disagreeing`: peer → dataset →
        rows that it and this project do not both have, after all that was measured of it.
    """
    for competitor in [one for one in field.competitors if not one.is_staged]:
        say(f"  full refresh: {competitor.name}")
        try:
            competitor.full_refresh()
        except Failed as failure:
            if isinstance(competitor, ThisProject):
                raise
            field.leave_out(competitor, failure)
    comparison = Comparison(field)
    for kind in ("new_sales", "nothing"):
        for number in range(repeat + 1):
            comparison.cold(kind, number)
    found = comparison.disagreeing()
    comparison.warm(repeat)
    found |= comparison.disagreeing()
    return {"rows": field.rows, "runs": comparison.runs, "failed": comparison.failed, "disagreeing": found}


def as_markdown(found: list[Figures]) -> str:
    """Seconds, medians with the least and the most, and how they grow from the first size to the last."""
    heads = ["what", "way", *(f"{one['rows']:,} sales" for one in found), "last by first"]
    lines = []
    for kind, what in KINDS.items():
        for how in ("warm", "cold"):
            for way in found[0]["runs"].get(f"{kind}_{how}", {}):
                costs = [one["runs"][f"{kind}_{how}"].get(way) for one in found]
                cells = ["failed" if each is None else _cell(each) for each in costs]
                growth = f"{median(costs[-1]) / median(costs[0]):.2f}" if costs[-1] and costs[0] else ""
                lines.append([f"{what}, {how}", way, *cells, growth])
    text = table(heads, lines, texts=2)
    for one in found:
        rows = {way: datasets for way, datasets in one["disagreeing"].items() if datasets}
        text += f"\n{one['rows']:,} sales: {f'other rows: {rows}' if rows else 'all gave the same rows'}.\n"
        text += "".join(f"{way}: failed: {why}\n" for way, why in one["failed"].items())
    return text


def _cell(costs: list[Cost]) -> str:
    return spread(costs) + (f", landing {median(costs, 'land'):.2f}" if "land" in costs[0] else "")


def main() -> None:
    """The command."""
    given = parser(__doc__, rows=1_000_000, repeat=5)
    given.add_argument("--competitor", action="append", choices=COMPETITORS, help="beside this project only this one")
    options = given.parse_args()
    with folder(options) as home:
        names = {ThisProject.name, *options.competitor} if options.competitor else COMPETITORS
        figures = each_size(sizes(options), names, home, partial(compare, repeat=options.repeat))
    finish(options, figures, header(figures[-1]["environments"]) + "\n" + as_markdown(figures))


if __name__ == "__main__":
    main()
