"""Activity after the first generation, so that a second landing has something new."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path

from staged_assets.demo.dice import Dice
from staged_assets.demo.dirt import plantings
from staged_assets.demo.dirt_kinds import DIRT
from staged_assets.demo.feeds import feeds
from staged_assets.demo.generator import SEED, TRUTH_FILE, open_systems, write_record, write_truth
from staged_assets.demo.histories import Step
from staged_assets.demo.manifest import Manifest
from staged_assets.demo.plan import Treated
from staged_assets.demo.production import Production, Sent
from staged_assets.demo.truth import Chain, Row, chain, judge, key_text
from staged_assets.demo.world import DAY, DAYS, World

#: what happens → feed → share of the changes; at least one
ACTIVITY: dict[str, dict[str, float]] = {
    "added": {
        "ecommerce.sales": 0.4,
        "ecommerce.orders": 0.2,
        "ecommerce.messages": 0.05,
        "ecommerce.accounts": 0.02,
        "crm.cases": 0.05,
        "crm.loyalty_ledger": 0.1,
        "crm.contacts": 0.02,
        "erp.product": 0.01,
        "erp.site": 0.01,
    },
    "changed": {
        "ecommerce.sales": 0.05,
        "ecommerce.orders": 0.05,
        "ecommerce.offers": 0.01,
        "ecommerce.sellers": 0.01,
        "crm.contacts": 0.02,
        "crm.segments": 0.01,
        "erp.product": 0.02,
        "erp.stock_level": 0.05,
        "erp.branch": 0.01,
        "erp.site": 0.01,
    },
    "removed": {
        "ecommerce.sales": 0.01,
        "ecommerce.accounts": 0.01,
        "crm.contacts": 0.02,
        "erp.product": 0.01,
    },
    "repeated_later": {"ecommerce.sales": 0.01, "crm.contacts": 0.01, "erp.vendor": 0.01},
    # An application never appends to its tables with an older time: only events arrive late, or again.
    "arrived_late": {"ecommerce.sales": 0.02, "ecommerce.orders": 0.01, "ecommerce.accounts": 0.01},
    "delivered_again": {"ecommerce.sales": 0.02, "ecommerce.messages": 0.01},
}
#: every so many of the added records are dirty
_DIRTY = 8
_DELIVERIES = 1_000_000_000


def advance(path: Path, *, changes: int = 200, seed: int = SEED) -> Manifest:
    """Append a day of activity to a demo: new, changed, removed, late and repeated records.

    The truth file and the manifest then tell where every row must end, in whatever parts it is landed.

    Args:
        path: the demo's folder.
        changes: number of records, about.
        seed: what the choices depend on.
    """
    manifest = Manifest.read(path)
    manifest.rounds += 1
    world = World(manifest.scale, manifest.seed)
    new: list[Row] = []
    with open_systems(path, _DELIVERIES * manifest.rounds) as writer_of:
        for feed in feeds():
            day = _Day(Production.of(world, feed), manifest, seed, changes)
            sent = list(day.records())
            if not sent:
                continue
            writer = writer_of(day.production)
            for each in sent:
                write_record(writer, each)
            writer.close()
            new.extend(each.row for each in sent)
            manifest.sent(feed.name, (each.row for each in sent))
    _judge_again(path, new, manifest)
    manifest.write(path)
    return manifest


@dataclass(frozen=True)
class _Day:
    """What one feed sends in this round."""

    production: Production
    manifest: Manifest
    seed: int
    changes: int

    def records(self) -> Iterator[Sent]:
        """In order of arrival."""
        for action, shares in ACTIVITY.items():
            share = shares.get(self.production.feed.name)
            if share is None:
                continue
            count = max(1, round(share * self.changes))
            yield from self._added(count) if action == "added" else self._again(action, count)

    def _moment(self, dice: Dice) -> int:
        return (DAYS + self.manifest.rounds - 1) * DAY + 6 * 3600 + dice.below(11 * 3600)

    def _added(self, count: int) -> Iterator[Sent]:
        feed, world, added = self.production.feed, self.production.world, self.manifest.added
        planted = cycle(plantings(feed, DIRT))
        # Each round goes on where the one before ended.
        dirty = islice(planted, added.get(feed.dataset, 0) // _DIRTY, None)
        for place in range(count):
            added[feed.dataset] = added.get(feed.dataset, 0) + 1
            number = world.sizes[feed.dataset] + added[feed.dataset]
            dirt = Treated(next(dirty), place) if place % _DIRTY == _DIRTY - 1 else None
            moment = self._moment(Dice(self.seed, f"{feed.name} added", number))
            yield self.production.send(number, Step("A"), "added", dirt, since=moment)

    def _again(self, action: str, count: int) -> Iterator[Sent]:
        feed, round_ = self.production.feed, self.manifest.rounds
        numbers = self.production.numbers
        dice = Dice(self.seed, f"{feed.name} {action}", round_)
        chosen: set[int] = set()
        while len(chosen) < min(count, len(numbers) // 2):
            number = dice.pick(numbers)
            if number in chosen or self._is_dirty(number):
                continue
            chosen.add(number)
            yield self.production.send(number, self._step(action, number, dice), action)

    def _step(self, action: str, number: int, dice: Dice) -> Step:
        """Times are relative to when the entity came to be."""
        round_, created = self.manifest.rounds, self.production.created(number)
        moment = self._moment(dice) - created
        in_last_file = DAYS * DAY - 1 - created
        if action == "changed":
            return Step(f"R{round_}", moment, moment, version=2 + round_)
        if action == "removed":
            return Step(f"D{round_}", moment, moment, deletes=True)
        if action == "repeated_later":
            return Step("A", moment, moment)
        if action == "arrived_late":
            return Step(f"L{round_}", -DAY, in_last_file, version=1)
        return Step("A", 0, in_last_file)

    def _is_dirty(self, number: int) -> bool:
        """Whether its first record is not what a clean one would be: a repetition would be another record."""
        dirt, _ = self.production.treatment(number - self.production.numbers.start)
        return dirt is not None


def _judge_again(path: Path, new: list[Row], manifest: Manifest) -> None:
    """Judge the chains to which rows were added, and rewrite the truth file."""
    chains: dict[Chain, list[Row]] = defaultdict(list)
    affected = {chain(row) for row in new if row.key is not None}
    numbers = {str(key) for _, key, _ in affected}
    rewritten = path / f"{TRUTH_FILE}.new"
    with (path / TRUTH_FILE).open(encoding="utf-8") as before, rewritten.open("w", encoding="utf-8") as after:
        for line in before:
            row = Row.from_truth(line) if key_text(line) in numbers else None
            if row and chain(row) in affected:
                chains[chain(row)].append(row)
            else:
                after.write(line)
        for rows in chains.values():
            manifest.judged(rows, -1)
        for row in new:
            if row.key is None:
                chains[*chain(row)[:2], row.record_no].append(row)
            else:
                chains[chain(row)].append(row)
        keys = {feed.dataset: feed.key for feed in feeds()}
        for rows in chains.values():
            judge(rows, keys[rows[0].dataset])
            manifest.judged(rows)
            write_truth(after, rows)
    rewritten.replace(path / TRUTH_FILE)
