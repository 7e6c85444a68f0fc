"""What was generated: the demo's own account."""

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from staged_assets.demo.truth import Row

#: Changes with every change of what is generated.
VERSION = 1

MANIFEST_FILE = Path("manifest.json")


@dataclass
class Manifest:
    """What was generated.

    Attributes:
        scale: number of sales.
        seed: what the choices depend on.
        version: of the generator.
        rounds: how often activity was appended since.
        records: source records sent, by `<system>.<table, endpoint or stream>`.
        dispositions: raw rows by dataset and expected disposition, without records that were already landed.
        added: entities added since, by dataset.
        kinds: source records by kind of dirt, history or later change.
    """

    scale: int
    seed: int
    version: int = VERSION
    rounds: int = 0
    records: dict[str, int] = field(default_factory=dict)
    dispositions: dict[str, dict[str, int]] = field(default_factory=dict)
    added: dict[str, int] = field(default_factory=dict)
    kinds: dict[str, int] = field(default_factory=dict)

    def sent(self, feed: str, rows: Iterable[Row]) -> None:
        """Count records that a feed sent."""
        for row in rows:
            self.records[feed] = self.records.get(feed, 0) + 1
            for kind in row.kinds:
                self.kinds[kind] = self.kinds.get(kind, 0) + 1

    def judged(self, rows: Iterable[Row], change: int = 1) -> None:
        """Count what becomes of rows; with `change` -1, take it back."""
        for row in rows:
            if not row.already_landed:
                ends = self.dispositions.setdefault(row.dataset, {})
                ends[row.disposition] = ends.get(row.disposition, 0) + change

    def write(self, path: Path) -> None:
        """Write it into the demo's folder."""
        text = json.dumps(asdict(self), indent=1, sort_keys=True)
        (path / MANIFEST_FILE).write_text(text + "\n", encoding="utf-8")

    @classmethod
    def read(cls, path: Path) -> "Manifest":
        """The manifest of the demo in a folder."""
        return cls(**json.loads((path / MANIFEST_FILE).read_text(encoding="utf-8")))
