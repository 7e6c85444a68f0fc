"""What a run remembers of what it asked, landed and staged: never more than what is published."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

import duckdb
import pytest

from staged_assets.landing import asked
from staged_assets.landing.asked import Asking, Memory, feed_key
from staged_assets.landing.raw_area import prepare
from staged_assets.sources.models import Feed
from staged_assets.sources.refresh_plan import Choice, FeedPlan, RefreshPlan
from staged_assets_tests.staged_area import SOURCES

HOUR = timedelta(hours=1)
REAL_TIME = Choice("real time", "change poll", HOUR, HOUR, HOUR, "")
BATCH = Choice("batch", "schedule", HOUR, HOUR, HOUR, "")


class Kept:
    """A key-value store."""

    def __init__(self) -> None:
        self.values: dict[str, str] = {}

    def get_cursor_values(self, keys: set[str]) -> Mapping[str, str]:
        return {key: value for key, value in self.values.items() if key in keys}

    def set_cursor_values(self, pairs: Mapping[str, str]) -> None:
        self.values |= pairs


class Run:
    """One run that refreshes sales, in real time, and offers, in batch."""

    def __init__(self) -> None:
        feeds = {name: SOURCES.feeds_of(name)[0] for name in ("sales", "offers")}
        choices = {"sales": REAL_TIME, "offers": BATCH}
        plan = RefreshPlan([FeedPlan(*feeds[name], choices[name]) for name in feeds])
        self.memory = Memory(Kept())
        self.asking = Asking(SOURCES, plan, self.memory)
        self.feeds: dict[str, tuple[str, Feed]] = feeds
        self.keys = {name: feed_key(*feed) for name, feed in feeds.items()}
        self.connection = duckdb.connect()
        prepare(self.connection)

    def ask(self, name: str) -> None:
        self.asking.ask(self.connection, *self.feeds[name])

    def land(self, name: str) -> None:
        self.ask(name)
        self.asking.landed(*self.feeds[name])


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch) -> Iterator[Run]:
    monkeypatch.setattr(asked, "marks", lambda system, questions: ["as it is"] * len(questions))
    monkeypatch.setattr(SOURCES, "resolve_feed", lambda system, feed: (system, feed))
    run = Run()
    yield run
    run.connection.close()


def test_what_was_landed_and_published_is_remembered(run: Run) -> None:
    run.land("sales")
    run.land("offers")
    run.asking.staged("sales", status="published")
    run.asking.staged("offers", status="unchanged")
    assert run.memory.asked(run.keys.values()) == {}, "not before the run is over"
    run.asking.note()
    found = run.memory.asked(run.keys.values())
    assert (found[run.keys["sales"]].mark, found[run.keys["offers"]].mark) == ("as it is", None)
    assert run.memory.confirmed(run.keys.values()).keys() == set(run.keys.values())
    assert run.memory.staged(["sales", "offers"]) == {"sales": True, "offers": True}


@pytest.mark.parametrize("status", ["failed", None])
def test_what_was_landed_and_not_refreshed_is_asked_again(run: Run, status: str | None) -> None:
    run.land("sales")
    if status is not None:
        run.asking.staged("sales", status=status)
    run.asking.note()
    assert run.memory.asked([run.keys["sales"]]) == {}
    assert run.memory.confirmed([run.keys["sales"]]) == {}
    assert run.memory.staged(["sales"]) == ({"sales": False} if status else {})


def test_what_is_held_is_not_asked_again_and_not_staged(run: Run) -> None:
    run.land("sales")
    run.asking.staged("sales", status="held")
    run.asking.note()
    assert run.memory.asked([run.keys["sales"]])[run.keys["sales"]].mark == "as it is"
    assert run.memory.staged(["sales"]) == {"sales": False}


def test_a_source_that_was_asked_and_could_not_be_landed_is_asked_again(run: Run) -> None:
    run.ask("sales")
    run.asking.staged("sales", status="unchanged")
    run.asking.note()
    assert run.memory.asked([run.keys["sales"]]) == {}
    assert run.memory.confirmed([run.keys["sales"]]) == {}
