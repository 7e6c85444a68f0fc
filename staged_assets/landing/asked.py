"""What is remembered outside the warehouse of what was asked and staged, so that a sensor need never open it.

It is kept in the key-value store of Dagster's instance: runs write it, sensors read it.
"""

import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from duckdb import DuckDBPyConnection

from staged_assets.landing.land import stored_cursor
from staged_assets.sources.config import Sources
from staged_assets.sources.connectors import marks
from staged_assets.sources.marks import Question, basis_of
from staged_assets.sources.models import Feed
from staged_assets.sources.refresh_plan import RefreshPlan

#: system, dataset and name of a feed
FeedKey = tuple[str, str, str]


def feed_key(system: str, feed: Feed) -> FeedKey:
    """What a feed is remembered under."""
    return system, feed.dataset, feed.name


class KeyValues(Protocol):
    """The store: no public interface of Dagster's (its daemons keep their cursors there); held by a contract test."""

    def get_cursor_values(self, keys: set[str]) -> Mapping[str, str]:
        """Those of the keys that there are."""

    def set_cursor_values(self, pairs: Mapping[str, str]) -> None:
        """Write."""


@dataclass(frozen=True)
class Asked:
    """A feed as it was asked before it was landed by a run that was good.

    Attributes:
        basis: what the question builds on; see `marks.basis_of`.
        mark: what the source said.
        at: when, in seconds since 1970: what changed before is landed.
    """

    basis: str | None
    mark: str | None
    at: float


class Memory:
    """Reads and writes what is remembered.

    Args:
        storage: `instance.daemon_cursor_storage`.
    """

    def __init__(self, storage: KeyValues) -> None:
        self._storage = storage

    def asked(self, feeds: Iterable[FeedKey]) -> dict[FeedKey, Asked]:
        """How feeds were asked when they were last landed; without those that never were."""
        return {key: Asked(**value) for key, value in self._read("asked", feeds).items()}

    def note_asked(self, found: Mapping[FeedKey, Asked]) -> None:
        """Remember how feeds were asked."""
        self._write("asked", {key: asdict(value) for key, value in found.items()})

    def confirmed(self, feeds: Iterable[FeedKey]) -> dict[FeedKey, float]:
        """When feeds were last asked and all that they have was landed, in seconds since 1970."""
        return self._read("confirmed", feeds)

    def note_confirmed(self, found: Mapping[FeedKey, float]) -> None:
        """Remember when feeds were asked."""
        self._write("confirmed", found)

    def staged(self, datasets: Iterable[str]) -> dict[str, bool]:
        """Whether all that was landed of datasets is published."""
        found = self._read("staged", ((name,) for name in datasets))
        return {name: value for (name,), value in found.items()}

    def note_staged(self, found: Mapping[str, bool]) -> None:
        """Remember how the refresh of datasets ended."""
        self._write("staged", {(name,): value for name, value in found.items()})

    def _read(self, kind: str, keys: Iterable[Any]) -> dict[Any, Any]:
        names = {_name(kind, key): key for key in keys}
        found = self._storage.get_cursor_values(set(names)) if names else {}
        return {names[name]: json.loads(text) for name, text in found.items()}

    def _write(self, kind: str, values: Mapping[Any, Any]) -> None:
        if values:
            self._storage.set_cursor_values({_name(kind, key): json.dumps(value) for key, value in values.items()})


def _name(kind: str, key: tuple[str, ...]) -> str:
    return "/".join(("staged_assets", kind, *key))


class Asking:
    """What one run asks and lands of feeds in real time; it is remembered when what was landed is published.

    A run that is killed, or a dataset whose refresh failed, leaves what was remembered before: a sensor then sees that
    something has still to be refreshed.
    """

    def __init__(self, sources: Sources, plan: RefreshPlan, memory: Memory) -> None:
        self._sources = sources
        self._feeds = {feed_key(found.system, found.feed) for found in plan.feeds if found.is_real_time}
        self._memory = memory
        self._asked: dict[FeedKey, Asked] = {}
        self._landed: list[FeedKey] = []
        self._staged: dict[str, str] = {}

    def ask(self, connection: DuckDBPyConnection, system: str, feed: Feed) -> None:
        """Ask for the mark of a feed that is about to be landed: what changes meanwhile is seen to differ from it."""
        key, at, basis, mark = feed_key(system, feed), time.time(), None, None
        if key in self._feeds:
            basis = basis_of(stored_cursor(connection, system, feed))
            resolved_system, resolved_feed = self._sources.resolve_feed(system, feed)
            (mark,) = marks(resolved_system, [Question(resolved_feed, basis)])
        self._asked[key] = Asked(basis, mark, at)

    def landed(self, system: str, feed: Feed) -> None:
        """All that the feed had is landed."""
        self._landed.append(feed_key(system, feed))

    def staged(self, dataset: str, *, status: str) -> None:
        """How the refresh of a dataset ended."""
        self._staged[dataset] = status

    def note(self) -> None:
        """Remember it."""
        good = [key for key in self._landed if self._staged.get(key[1], "failed") != "failed"]
        self._memory.note_asked({key: self._asked[key] for key in good})
        self._memory.note_confirmed({key: self._asked[key].at for key in good})
        self._memory.note_staged({name: status in ("published", "unchanged") for name, status in self._staged.items()})
