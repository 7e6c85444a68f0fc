"""What a sensor remembers from tick to tick, of its system and of each feed."""

import json
import uuid
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

#: seconds; after each failure twice as long
_FIRST_PAUSE, _LONGEST_PAUSE = 10.0, 600.0
#: of an older version, where all feeds of a system had them in common
_COMMON = ("failures", "retries", "retry_at")


@dataclass
class FeedState:
    """What a sensor remembers of a feed; times in seconds since 1970.

    Attributes:
        asked: when it answered last; 0 where it is to be asked as soon as may be.
        tried: when it was asked last by itself.
        apart: whether it is asked by itself: it may be why feeds could not be asked together.
        failures: how often in a row it could not be asked.
        retries: how often in a row a run for what changed in it has failed.
        retry_at: it is not asked before.
        problem: why it waits.
        run_key, requested_at: of the last run that was requested for it; no key once that run was found to have failed.
    """

    asked: float = 0.0
    tried: float = 0.0
    apart: bool = False
    failures: int = 0
    retries: int = 0
    retry_at: float = 0.0
    problem: str = ""
    run_key: str | None = None
    requested_at: float = 0.0

    def note_answer(self, now: float) -> None:
        """It could be asked."""
        self.asked = now
        self.apart, self.failures, self.retry_at, self.problem = False, 0, 0.0, ""

    def note_no_answer(self, now: float, problem: str) -> None:
        """It could not be asked: it is again, after a while."""
        self.apart = True
        self.failures += 1
        self.problem = problem
        self.retry_at = max(self.retry_at, now + _pause(self.failures - 1))

    def note_failed_run(self, now: float) -> None:
        """What changed in it is not here: it stays due, and is tried again after a while."""
        self.retries += 1
        self.problem = "The run for its changes has failed."
        self.retry_at = now + _pause(self.retries)
        self.asked, self.run_key = 0.0, None

    def note_landed(self, at: float) -> None:
        """A run has landed what it had at that time: where that is what was to be tried again, it waits no longer."""
        if self.retries and not self.failures and self.run_key is None and at >= self.requested_at:
            self.retries, self.retry_at, self.problem = 0, 0.0, ""


def _pause(doubled: int) -> float:
    return float(min(_FIRST_PAUSE * 2 ** min(doubled, 10), _LONGEST_PAUSE))


@dataclass
class Cursor:
    """What a sensor remembers.

    Attributes:
        id, requests: make the keys of runs: a tick that is repeated has the same, and requests nothing twice.
        down: whether it was reported that no feed can be asked; None where nothing was reported yet.
        feeds: by dataset and name.
    """

    id: str = field(default_factory=lambda: uuid.uuid4().hex[:8])
    requests: int = 0
    down: bool | None = None
    feeds: dict[str, FeedState] = field(default_factory=dict)

    @staticmethod
    def read(text: str | None, feeds: Collection[str]) -> "Cursor":
        """From the sensor's cursor, also of an older version; a new one where it can't be read.

        Args:
            feeds: those that there are now; others are forgotten.
        """
        try:
            return _read(json.loads(text), feeds) if text else _read({}, feeds)
        except (AttributeError, TypeError, ValueError):
            return _read({}, feeds)

    def write(self) -> str:
        """As the sensor's cursor."""
        return json.dumps(asdict(self))


def _read(found: Mapping[str, Any], names: Collection[str]) -> Cursor:
    known = {key: found[key] for key in ("id", "requests", "down") if key in found}
    feeds = found.get("feeds", {})
    common = {key: found[key] for key in _COMMON if key in found}
    if "asked" in found:
        asked = found["asked"]
        feeds = {
            name: {**common, "asked": asked.get(name, 0.0), "apart": bool(found.get("failures"))} for name in names
        }
        if asked or found.get("failures"):
            known["down"] = bool(found.get("failures"))
    return Cursor(**known, feeds={name: FeedState(**feeds.get(name, {})) for name in names})
