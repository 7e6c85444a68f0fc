"""The choice meets what is required, or says what would meet it: every combination of what a source can do."""

import itertools
import re
from dataclasses import replace
from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staged_assets.refresh.policy import SHORTEST_INTERVAL, Need, UnmetError, choose
from staged_assets.sources.needs import CHANGES, read_duration

MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)

seconds = st.one_of(
    st.integers(1, 3_700), st.sampled_from([29, 30, 60, 3_600, 3_601, 86_400, 93_600]), st.integers(1, 10 * 86_400)
)
durations = seconds.map(lambda count: timedelta(seconds=count))
needs = st.builds(
    Need,
    changes=st.sampled_from(CHANGES),
    shows_deletes=st.booleans(),
    max_staleness=st.none() | durations,
    needs_deletes=st.booleans(),
    keys_compared_every=st.none() | durations,
    window=st.none() | st.times(),
    time_zone=st.sampled_from(["UTC", "Europe/Berlin", "America/New_York"]),
)


def refusal(need: Need) -> str | None:
    """What is said where nothing can be chosen."""
    try:
        choose(need)
    except UnmetError as error:
        return str(error)
    return None


@given(needs)
def test_what_is_chosen_meets_what_is_required(need: Need) -> None:
    try:
        choice = choose(need)
    except UnmetError:
        return
    if need.max_staleness is not None:
        assert choice.worst <= need.max_staleness
        assert choice.freshness <= need.max_staleness
    assert choice.worst <= choice.freshness
    assert choice.every >= SHORTEST_INTERVAL
    assert need.shows_deletes or not need.needs_deletes


@given(needs)
def test_deletes_told_by_their_keys_meet_it_too(need: Need) -> None:
    try:
        choice = choose(need)
    except UnmetError:
        return
    if need.needs_deletes and need.keys_compared_every is not None and need.max_staleness is not None:
        asked_anew = choice.every if need.keys_compared_every <= choice.every / 2 else need.keys_compared_every
        late = choice.worst if choice.mode == "batch" else choice.worst + need.keys_compared_every
        assert late <= need.max_staleness
        assert choice.mode == "real time" or asked_anew <= choice.every


@given(needs)
def test_a_system_with_a_window_is_read_in_bulk_in_it_alone(need: Need) -> None:
    try:
        choice = choose(need)
    except UnmetError:
        return
    if choice.mode == "batch" and need.window is not None:
        assert choice.cron == f"{need.window.minute} {need.window.hour} * * *"
        assert choice.time_zone == need.time_zone


@given(needs)
def test_what_is_refused_says_what_to_do(need: Need) -> None:
    advice = r"raise it to|raise max_staleness|give the feed|set compare_keys"
    said = refusal(need)
    assert said is None or re.search(advice, said)


@given(needs)
def test_following_the_advice_on_staleness_leads_somewhere(need: Need) -> None:
    """It may have to be raised once more for the deletes; but then it can be met, or the deletes' own advice stands."""
    for _ in range(3):
        advised = re.search(r"raise (?:it|max_staleness) to (\d+[smhd])", refusal(need) or "")
        if advised is None:
            return
        need = replace(need, max_staleness=read_duration(advised[1]))
    pytest.fail(f"{need} is refused again and again")


@pytest.mark.parametrize(
    ("need", "expected"),
    [
        (Need("change_feed"), ("real time", "change feed", MINUTE)),
        (Need("change_cursor", max_staleness=MINUTE), ("real time", "change poll", timedelta(seconds=5))),
        (Need("events", max_staleness=30 * timedelta(seconds=1)), ("real time", "event arrival", timedelta(seconds=5))),
        (Need("events", max_staleness=HOUR), ("real time", "event arrival", 5 * MINUTE)),
        (Need("change_cursor", max_staleness=4 * HOUR), ("batch", "schedule", 3 * HOUR)),
        (Need("change_cursor", max_staleness=4 * HOUR, window=time(22)), ("real time", "change poll", 10 * MINUTE)),
        (Need("change_cursor", max_staleness=2 * DAY), ("batch", "schedule", DAY)),
        (Need("snapshot", max_staleness=HOUR), ("batch", "schedule", 30 * MINUTE)),
        (Need("snapshot"), ("batch", "schedule", DAY)),
    ],
)
def test_the_choice(need: Need, expected: tuple[str, str, timedelta]) -> None:
    choice = choose(need)
    assert (choice.mode, choice.trigger, choice.every) == expected


def test_real_time_is_chosen_whenever_nothing_else_meets_it() -> None:
    """Nor is it chosen where a batch does, but for a log that must be read."""
    for changes, staleness in itertools.product(("change_cursor", "events"), (30, 60, 3_600, 4_000, 86_400, 93_600)):
        required = timedelta(seconds=staleness)
        assert (choose(Need(changes, max_staleness=required)).mode == "real time") == (required <= HOUR)


@pytest.mark.parametrize(
    ("need", "says"),
    [
        (Need("events", max_staleness=timedelta(seconds=10)), "raise it to 30s"),
        (Need("snapshot", max_staleness=MINUTE), "give the feed updated_at"),
        (Need("snapshot", max_staleness=DAY, window=time(1)), "take the batch_window away"),
        (Need("events", shows_deletes=False, needs_deletes=True), "give the feed a delete_marker"),
        (
            Need("change_cursor", max_staleness=HOUR, needs_deletes=True, keys_compared_every=DAY),
            "set compare_keys_every to 3280s or less",
        ),
    ],
)
def test_what_can_not_be_met_is_refused(need: Need, says: str) -> None:
    with pytest.raises(UnmetError, match=says):
        choose(need)
