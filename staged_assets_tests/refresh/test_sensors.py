"""A system's sensor, tick by tick, against an instance of Dagster and a source that answers what the test says."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest
from dagster import DagsterInstance, DagsterRunStatus
from dagster._core.test_utils import create_run_for_test, freeze_time

from staged_assets.errors import SourceError
from staged_assets.landing.asked import Asked, Memory, feed_key
from staged_assets.refresh.policy import plan_refresh
from staged_assets.refresh.runs import SYSTEM_TAG
from staged_assets.refresh.sensors import SystemSensor
from staged_assets.settings import DEMO_SOURCES, Settings
from staged_assets.sources.config import Sources, load_sources
from staged_assets.sources.marks import NOTHING, Mark
from staged_assets.sources.refresh_plan import FeedPlan
from staged_assets.staging.project import StagingProject
from staged_assets_tests.sources.described import described

NOON = 1_750_000_000.0
MINUTE, DAY = 60.0, 86_400.0


@dataclass
class Course:
    """A sensor to which things happen.

    Attributes:
        marks: feed → what the source says.
        down: why it can't be asked at all.
        broken: feed → why it can't be asked.
        taking: feed → seconds that a question about it takes.
        asked: the feeds of each question.
    """

    instance: DagsterInstance
    sources: Sources
    system: str
    project: StagingProject
    now: float = NOON
    cursor: str | None = None
    marks: dict[str, Mark] = field(default_factory=dict)
    down: str | None = None
    broken: dict[str, str] = field(default_factory=dict)
    taking: dict[str, float] = field(default_factory=dict)
    asked: list[list[str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.plan = plan_refresh(self.sources)
        self.sensor = SystemSensor(
            self.sources, self.system, self.plan, self.project, ask=self._ask, clock=lambda: self.now
        )
        self.memory = Memory(self.instance.daemon_cursor_storage)
        self.marks = {plan.feed.name: "before" for plan in self.sensor.feeds}

    def _ask(self, sources: Sources, system: str, asked: Sequence[tuple[FeedPlan, str | None]]) -> list[Mark]:
        self.asked.append([plan.feed.name for plan, _ in asked])
        for name in self.asked[-1]:
            self.now += self.taking.get(name, 0.0)
            if self.down is not None or name in self.broken:
                raise SourceError(self.down or self.broken[name])
        return [self.marks[plan.feed.name] for plan, _ in asked]

    def landed(self, *names: str, staged: bool = True) -> None:
        """A run has landed all that there is now, of some feeds or of all."""
        feeds = [
            plan
            for plan in self.plan.feeds
            if plan.system == self.system and plan.feed.name in (names or [plan.feed.name])
        ]
        keys = {feed_key(self.system, plan.feed): self.marks.get(plan.feed.name) for plan in feeds}
        self.memory.note_asked({key: Asked(None, mark, self.now) for key, mark in keys.items()})
        self.memory.note_confirmed(dict.fromkeys(keys, self.now))
        self.memory.note_staged({plan.feed.dataset: staged for plan in feeds})

    def tick(self, passing: float = MINUTE, *, keep_cursor: bool = True) -> dg.RunRequest | str:
        """One tick, some seconds later: the first run that it requests, or why there is none."""
        self.now += passing
        self.requests: list[dg.RunRequest] = []
        context = dg.build_sensor_context(instance=self.instance, cursor=self.cursor)
        result = self.sensor.tick(context)
        if keep_cursor:
            self.cursor = context.cursor
        if isinstance(result, dg.SkipReason):
            return str(result.skip_message)
        assert result.run_requests is not None
        self.requests = list(result.run_requests)
        return self.requests[0]

    def requested(self, passing: float = MINUTE) -> dg.RunRequest:
        """The run that the next tick requests."""
        run = self.tick(passing)
        assert isinstance(run, dg.RunRequest), run
        assert len(self.requests) == 1
        return run

    def pause(self, *names: str) -> float:
        """Seconds until some feeds, or all, are tried again: as long for each of them."""
        feeds = json.loads(str(self.cursor))["feeds"]
        (at,) = {state["retry_at"] for name, state in feeds.items() if name.partition("/")[2] in names or not names}
        return float(at - self.now)

    def questions(self, *names: str) -> int:
        """How often exactly these feeds were asked together."""
        return self.asked.count(list(names))

    def run(self, request: dg.RunRequest, status: DagsterRunStatus) -> str:
        """The requested run, as far as it has come."""
        tags = {**request.tags, "dagster/run_key": str(request.run_key)}
        return str(create_run_for_test(self.instance, status=status, tags=tags).run_id)

    def reachable(self) -> list[bool]:
        """What was reported of the system."""
        records = self.instance.event_log_storage.get_asset_check_execution_history(
            dg.AssetCheckKey(dg.AssetKey([self.system]), "reachable"), limit=100
        )
        return [record.status.value == "SUCCEEDED" for record in reversed(records)]


@pytest.fixture
def instance() -> Iterator[DagsterInstance]:
    with DagsterInstance.ephemeral() as made:
        yield made


@pytest.fixture(scope="module")
def project(shared_home: Path) -> StagingProject:
    return StagingProject(Settings(home=shared_home))


@pytest.fixture
def course(instance: DagsterInstance, project: StagingProject) -> Course:
    """The demo's ERP: inventory within a minute, items within 15, the others at night."""
    made = Course(instance, load_sources(DEMO_SOURCES), "erp", project)
    made.landed()
    return made


def test_what_was_never_landed_is_requested(instance: DagsterInstance, project: StagingProject) -> None:
    course = Course(instance, load_sources(DEMO_SOURCES), "crm", project)
    run = course.requested()
    assert run.job_name == "refresh_crm"
    assert len(run.run_config["ops"]["staged_area"]["config"]["feeds"]) == 6


def test_nothing_new_requests_nothing(course: Course) -> None:
    for _ in range(5):
        assert "nothing new" in str(course.tick())


def test_one_run_is_requested_for_all_that_has_changed_and_for_nothing_else(course: Course) -> None:
    course.marks |= {"product": "now", "stock_level": "now"}
    run = course.requested(20 * MINUTE)
    config = run.run_config["ops"]["staged_area"]["config"]
    assert (config["systems"], config["feeds"]) == (["erp"], ["product", "stock_level"])
    assert run.asset_selection is not None
    selected = {key.to_user_string() for key in run.asset_selection}
    assert {"raw/items", "stg_items", "quarantine_items", "raw/inventory", "stg_inventory"} <= selected
    assert not any("shops" in name for name in selected)
    assert run.tags[SYSTEM_TAG] == "erp"
    assert int(run.tags["dagster/priority"]) > 0


def test_each_feed_is_asked_as_often_as_it_has_to_be(course: Course) -> None:
    for _ in range(40):
        course.tick(15)
    asked = [name for names in course.asked for name in names]
    assert asked.count("stock_level") == 40, "every 5 s, where ticks come every 15 s"
    assert asked.count("product") == 8
    assert "site" not in asked, "what is read in batch is never asked"


def test_a_tick_that_is_repeated_requests_the_same_run(course: Course) -> None:
    """The daemon died after it had requested the run, before the cursor was kept; and the source went on changing."""
    course.cursor = '{"id": "x", "requests": 4}'
    course.marks["stock_level"] = "now"
    first = course.tick(keep_cursor=False)
    course.marks["stock_level"] = "later"
    again = course.tick()
    assert isinstance(first, dg.RunRequest)
    assert isinstance(again, dg.RunRequest)
    assert first.run_key == again.run_key == "erp:x:5"
    course.marks["stock_level"] = "later still"
    assert course.requested().run_key == "erp:x:6"


@pytest.mark.parametrize("system", ["erp", "all"])
@pytest.mark.parametrize("status", [DagsterRunStatus.NOT_STARTED, DagsterRunStatus.STARTED])
def test_while_a_run_waits_or_is_under_way_changes_wait_and_are_taken_together(
    course: Course, status: DagsterRunStatus, system: str
) -> None:
    run = create_run_for_test(course.instance, status=status, tags={SYSTEM_TAG: system})
    course.marks["stock_level"] = "now"
    for _ in range(3):
        assert "under way" in str(course.tick())
    assert not course.asked
    course.marks["product"] = "now"
    course.instance.delete_run(run.run_id)
    request = course.requested(20 * MINUTE)
    assert request.run_config["ops"]["staged_area"]["config"]["feeds"] == ["product", "stock_level"]


def test_a_run_for_another_system_is_none_of_its_business(course: Course) -> None:
    create_run_for_test(course.instance, status=DagsterRunStatus.STARTED, tags={SYSTEM_TAG: "crm"})
    course.marks["stock_level"] = "now"
    course.requested()


def test_a_source_that_is_down_is_asked_less_and_less_often_and_reported_once(course: Course) -> None:
    course.tick()
    course.down = "erp can't be reached: start it."
    waited = []
    for _ in range(8):
        assert "can't be reached" in str(course.tick())
        pause = course.pause()
        waited.append(pause)
        count = len(course.asked)
        assert "Asked again in" in str(course.tick(pause / 2))
        assert len(course.asked) == count
        course.now += pause / 2
    assert waited[:4] == [10, 20, 40, 80]
    assert max(waited) <= 600
    assert course.reachable() == [True, False]
    course.down = None
    assert "nothing new" in str(course.tick())
    course.tick()
    assert course.reachable() == [True, False, True]


def test_what_changed_while_it_was_down_is_requested_when_it_is_back(course: Course) -> None:
    course.down = "erp can't be reached: start it."
    course.tick()
    course.down, course.marks["stock_level"] = None, "now"
    course.requested()


def test_a_run_that_failed_is_tried_again_with_back_off(course: Course) -> None:
    course.marks["stock_level"] = "now"
    keys, pauses = set(), []
    for _ in range(4):
        request = course.requested()
        keys.add(request.run_key)
        course.run(request, DagsterRunStatus.FAILURE)
        assert "has failed. Asked again" in str(course.tick())
        pauses.append(course.pause("stock_level"))
        count = sum("stock_level" in names for names in course.asked)
        assert "Asked again in" in str(course.tick(pauses[-1] / 2))
        assert sum("stock_level" in names for names in course.asked) == count
        course.now += pauses[-1]
    assert len(keys) == 4
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 4 * pauses[0]
    course.run(course.requested(), DagsterRunStatus.SUCCESS)
    course.landed()
    assert "nothing new" in str(course.tick())


def test_a_system_that_stays_down_is_asked_one_question_at_a_time(course: Course) -> None:
    """And each time about another feed: it may be one alone that still can't be asked."""
    course.tick()
    course.down = "erp can't be reached: start it."
    course.tick(2 * MINUTE)
    course.asked.clear()
    for _ in range(4):
        course.tick(course.pause())
    assert [len(names) for names in course.asked] == [1] * 4
    assert course.questions("stock_level") == course.questions("product") == 2
    course.down, course.broken = None, {"product": "erp: there is no table product."}
    course.tick(20 * MINUTE)
    course.tick(20 * MINUTE)
    assert course.reachable() == [True, False, True]
    assert course.pause("product") > 0
    assert course.pause("stock_level") < 0


def test_that_a_system_is_down_is_found_out_at_once_though_one_feed_alone_is_due(course: Course) -> None:
    course.tick()
    course.down = "erp can't be reached: start it."
    course.tick(15)
    assert course.reachable() == [True, False]
    assert course.pause() == 10


def test_a_feed_that_can_not_be_asked_is_backed_off_alone(course: Course) -> None:
    course.tick()
    course.broken["product"] = "erp: there is no table product."
    pauses = []
    for _ in range(4):
        course.marks["stock_level"] = f"at {course.now}"
        assert course.requested(20 * MINUTE).run_config["ops"]["staged_area"]["config"]["feeds"] == ["stock_level"]
        course.landed("stock_level")
        pauses.append(course.pause("product"))
        said = str(course.tick(5))
        assert "has nothing new" in said
        assert "items/product: erp: there is no table product. Asked again in" in said
    assert pauses == [10, 20, 40, 80]
    assert course.reachable() == [True], "the system answers"
    course.broken.clear()
    course.marks["product"] = "now"
    assert course.requested(20 * MINUTE).run_config["ops"]["staged_area"]["config"]["feeds"] == ["product"]
    assert course.reachable() == [True]


def test_a_feed_that_was_broken_is_asked_alone_until_it_answers(course: Course) -> None:
    course.broken["product"] = "erp: there is no table product."
    course.tick()
    course.asked.clear()
    course.tick()
    assert course.asked == [["stock_level"], ["product"]]
    course.broken.clear()
    course.tick(20 * MINUTE)
    course.tick(20 * MINUTE)
    assert course.asked[-1] == ["product", "stock_level"]


def test_the_last_feed_that_can_not_be_asked_makes_the_system_down(course: Course) -> None:
    course.broken["product"] = "erp: there is no table product."
    course.tick()
    course.tick()
    assert course.reachable() == [True]
    course.broken["stock_level"] = "erp: there is no table stock_level."
    course.tick()
    course.tick()
    assert course.reachable() == [True, False]
    course.broken.clear()
    course.tick(20 * MINUTE)
    course.tick(20 * MINUTE)
    assert course.reachable() == [True, False, True]


def test_a_question_that_hangs_does_not_hold_up_a_tick_for_long(
    instance: DagsterInstance, project: StagingProject
) -> None:
    """It takes 29 s, of the 60 s that Dagster gives to a tick; the six other feeds are asked soon after."""
    course = Course(instance, load_sources(DEMO_SOURCES), "crm", project)
    course.landed()
    course.tick()
    course.broken, course.taking = {"segments": "crm: segments timed out."}, {"segments": 29.0}
    answered: set[str] = set()
    for _ in range(8):
        began = course.now
        count = len(course.asked)
        course.tick(10)
        assert course.now - began <= 10 + 2 * 29
        answered.update(name for names in course.asked[count:] if "segments" not in names for name in names)
    assert answered == set(course.marks) - {"segments"}
    assert course.pause("segments") > 0
    assert course.pause(*answered) < 0
    assert course.reachable() == [True]


def test_a_feed_that_was_broken_is_asked_again_also_where_its_siblings_take_all_the_time(
    instance: DagsterInstance, project: StagingProject
) -> None:
    course = Course(instance, load_sources(DEMO_SOURCES), "crm", project)
    course.landed()
    course.broken = {"segments": "crm: there is no endpoint segments."}
    course.tick()
    course.taking = dict.fromkeys(course.marks, 5.0)
    course.broken.clear()
    for _ in range(2):
        course.tick()
    assert course.pause(*course.marks) < 0
    course.tick()
    assert set(course.asked[-1]) == set(course.marks)


def test_a_dataset_that_always_fails_does_not_slow_its_siblings(course: Course) -> None:
    """For an hour, stock changes at every tick; items, which have changed once, fail in every run."""
    course.marks["product"] = "now"
    requested: dict[str, list[float]] = {"stock_level": [], "product": []}
    keys = set()
    ticks = 240
    for number in range(ticks):
        course.marks["stock_level"] = f"change {number}"
        course.tick(15)
        for request in course.requests:
            keys.add(request.run_key)
            feeds = request.run_config["ops"]["staged_area"]["config"]["feeds"]
            for name in feeds:
                requested[name].append(course.now)
            course.run(request, DagsterRunStatus.FAILURE if "product" in feeds else DagsterRunStatus.SUCCESS)
            if "stock_level" in feeds:
                course.landed("stock_level")
    assert len(requested["stock_level"]) == ticks
    pauses = [later - earlier for earlier, later in itertools.pairwise(requested["product"])]
    assert 6 <= len(pauses) <= 12, "it is tried again, less and less often"
    assert pauses == sorted(pauses)
    assert len(keys) == ticks + len(pauses), "a run of its own each time, but for the first"


def test_what_failed_and_was_then_landed_by_hand_waits_no_longer(course: Course) -> None:
    course.marks["stock_level"] = "now"
    for _ in range(5):
        course.run(course.requested(), DagsterRunStatus.FAILURE)
        course.tick()
        course.now += course.pause("stock_level")
    course.run(course.requested(), DagsterRunStatus.FAILURE)
    course.tick()
    assert course.pause("stock_level") > 5 * MINUTE
    course.now += 5
    course.landed("stock_level")
    assert course.tick(5) == "erp has nothing new."


def test_a_system_may_be_down_for_weeks(course: Course) -> None:
    course.down = "erp can't be reached: start it."
    for _ in range(1_100):
        course.tick(10 * MINUTE)
    assert course.pause() == 10 * MINUTE
    assert course.reachable() == [False]


def test_what_keeps_killing_runs_does_not_keep_its_siblings_from_being_landed(course: Course) -> None:
    """A run that is killed has landed nothing for sure: all that it was for is tried again, each by itself."""
    course.marks |= {"product": "now", "stock_level": "now"}
    course.run(course.requested(20 * MINUTE), DagsterRunStatus.FAILURE)
    course.tick(20 * MINUTE)
    course.tick(20)
    feeds = [request.run_config["ops"]["staged_area"]["config"]["feeds"] for request in course.requests]
    assert feeds == [["product"], ["stock_level"]]
    assert len({request.run_key for request in course.requests}) == 2


@pytest.mark.parametrize("failures", [0, 3])
def test_a_cursor_that_had_all_feeds_in_common_still_loads(course: Course, failures: int) -> None:
    """Of an earlier version."""
    earlier = {"id": "x", "requests": 4, "asked": {"inventory/stock_level": NOON}, "failures": failures, "retries": 0}
    retry_at = NOON + 600 if failures else 0.0
    course.cursor = json.dumps({**earlier, "retry_at": retry_at, "run_key": "erp:x:4", "judged": None})
    course.marks["stock_level"] = "now"
    if failures:
        assert "Asked again in 540 s" in str(course.tick())
        assert not course.asked
    assert course.requested(20 * MINUTE).run_key == "erp:x:5"
    assert course.reachable() == ([True] if failures else [])


def test_a_run_that_was_lost_without_a_trace_is_requested_again(course: Course) -> None:
    course.marks["stock_level"] = "now"
    assert course.requested().run_key != course.requested().run_key


def test_a_change_feed_with_nothing_in_its_slot_has_not_changed(course: Course) -> None:
    course.marks["stock_level"] = NOTHING
    assert "nothing new" in str(course.tick())


def test_a_feed_that_can_not_be_told_is_requested(course: Course) -> None:
    course.marks["stock_level"] = None
    course.requested()


def test_keys_are_compared_in_time_though_nothing_has_changed(
    tmp_path: Path, instance: DagsterInstance, project: StagingProject
) -> None:
    feed = {"from": "visit", "updated_at": "at", "deletes": "by_key_comparison", "compare_keys_every": "6h"}
    sources = described(tmp_path, "sqlite", {"path": "x"}, feed, requirements={"max_staleness": "1h"})
    course = Course(instance, sources, "shop", project)
    course.landed()
    assert "nothing new" in str(course.tick(5 * 3600))
    course.requested(3600)


def _materializations(course: Course, asset: str) -> int:
    return len(course.instance.fetch_materializations(dg.AssetKey(asset.split("/")), limit=100).records)


def _materialize(course: Course, *assets: str, rows: int = 7) -> None:
    for asset in assets:
        event = dg.AssetMaterialization(asset.split("/"), metadata={"dagster/row_count": rows})
        course.instance.report_runless_asset_event(event)


@pytest.fixture
def real_time(course: Course) -> Course:
    """What was materialized by a run stands at the clock of the instance: the course goes on from there."""
    import time

    course.now = time.time()
    course.landed()
    _materialize(course, "erp/stock_level", "stg_inventory")
    return course


def test_without_changes_it_is_confirmed_that_all_is_here_no_more_often_than_needed(real_time: Course) -> None:
    course = real_time
    course.tick(15)
    assert _materializations(course, "stg_inventory") == 1
    assert "confirmed" in str(course.tick(15))
    assert _materializations(course, "stg_inventory") == _materializations(course, "erp/stock_level") == 2
    last = course.instance.get_latest_materialization_event(dg.AssetKey("stg_inventory"))
    assert last is not None
    assert last.asset_materialization is not None
    assert last.asset_materialization.metadata["dagster/row_count"].value == 7, "what a run has said of it stays"


def test_what_is_held_back_is_not_confirmed(real_time: Course) -> None:
    real_time.landed(staged=False)
    real_time.tick(50)
    assert _materializations(real_time, "stg_inventory") == 1


def test_a_dataset_is_not_confirmed_while_another_of_its_systems_is_not_asked(
    instance: DagsterInstance, project: StagingProject
) -> None:
    import time

    course = Course(instance, load_sources(DEMO_SOURCES), "crm", project, now=time.time())
    course.landed()
    _materialize(course, "stg_consumers", "crm/contacts")
    course.tick(50)
    assert _materializations(course, "crm/contacts") == 2
    assert _materializations(course, "stg_consumers") == 1, "the web shop feeds it, too, and was not asked"
    (shop,) = [plan for plan in course.plan.of_dataset("consumers") if plan.system == "ecommerce"]
    course.memory.note_confirmed({feed_key("ecommerce", shop.feed): course.now})
    course.tick(45)
    assert _materializations(course, "stg_consumers") == 2


def test_a_cursor_of_another_version_begins_anew(course: Course) -> None:
    course.cursor = "something else"
    assert "nothing new" in str(course.tick())


def test_a_quiet_feed_of_a_busy_system_is_confirmed_in_time(course: Course) -> None:
    """For an hour, one feed changes at every tick: the other, asked in between, has nothing new."""
    quiet, busy = ["erp/product", "stg_items"], ["erp/stock_level", "stg_inventory"]
    windows = {**dict.fromkeys(quiet, 15 * MINUTE), **dict.fromkeys(busy, MINUTE)}
    seen: dict[str, list[float]] = {name: [] for name in windows}
    with freeze_time(datetime.fromtimestamp(course.now, UTC)):
        _materialize(course, *windows)
    for number in range(240):
        course.marks["stock_level"] = f"change {number}"
        with freeze_time(datetime.fromtimestamp(course.now + 15, UTC)):
            request = course.requested(15)
        assert request.run_config["ops"]["staged_area"]["config"]["feeds"] == ["stock_level"]
        course.landed("stock_level", staged=number % 2 == 0)
        for name in windows:
            event = course.instance.get_latest_materialization_event(dg.AssetKey(name.split("/")))
            assert event is not None
            seen[name].append(event.timestamp)
            if name in quiet:
                assert course.now - event.timestamp < windows[name]
    for name in quiet:
        assert 4 <= len(set(seen[name])) - 1 <= 12
    for name in busy:
        assert set(seen[name]) == {NOON}, "what has changed is told by its run"
