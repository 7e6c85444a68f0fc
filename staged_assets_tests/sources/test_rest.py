"""The REST connector against a real server with every misbehaviour that pages can have."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from staged_assets.sources import rest_pages
from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import batches, described, last_cursor, problems, records, until_error
from staged_assets_tests.sources.misbehaving_api import Answer, serving


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr(rest_pages.time, "sleep", made.append)
    return made


def _sources(folder: Path, url: str, connection: dict[str, Any] | None = None, **feed: Any) -> Sources:
    settings = {"url": url, "page_size": 2, "attempts": 3, **(connection or {})}
    return described(folder, "rest", settings, {"from": "visits", **feed}, time_zone="Europe/Berlin")


def _page(items: list[Any], following: int | None = None) -> Answer:
    return Answer(json.dumps({"items": items, "next_page": following}).encode())


def _listing(items: Callable[[], list[dict[str, Any]]]) -> Callable[[str, dict[str, str]], Answer]:
    """Pages of what there is at the time of each request."""

    def answer(path: str, query: dict[str, str]) -> Answer:
        since = query.get("updated_since", "")
        there = [item for item in items() if str(item.get("at", "")) >= since]
        page, size = int(query["page"]), int(query["page_size"])
        part = there[(page - 1) * size : page * size]
        return _page(part, page + 1 if page * size < len(there) else None)

    return answer


def test_all_pages_are_read_with_exact_values(tmp_path: Path) -> None:
    pages = {
        "1": b'{"items": [{"id": 1.10, "name": "x", "text": {"a": [2.50]}}, {"id": 12345678901234567890}],'
        b' "next_page": 2}',
        "2": b'{"items": [{"id": null, "name": true, "other": ""}], "next_page": null}',
    }
    with serving(lambda path, query: Answer(pages[query["page"]])) as api:
        found = batches(_sources(tmp_path, api.url, params={"kind": "all"}))
    assert records(found) == [
        {"id": "1.10", "name": "x", "text": '{"a": [2.50]}'},
        {"id": "12345678901234567890"},
        {"name": "true", "other": ""},
    ]
    assert [(asked["page"], asked["page_size"], asked["kind"]) for asked in api.asked] == [
        ("1", "2", "all"),
        ("2", "2", "all"),
    ]


def test_pages_can_be_linked(tmp_path: Path) -> None:
    def answer(path: str, query: dict[str, str]) -> Answer:
        if path == "/visits":
            return Answer(b'{"data": {"list": [{"id": 1}]}, "next": "/more?token=abc"}')
        if query.get("token") == "abc":
            return Answer(b'{"data": {"list": [{"id": 2}]}}', headers={"Link": '</last>; rel="next"'})
        return Answer(b'[{"id": 3}]')

    with serving(answer) as api:
        assert records(batches(_sources(tmp_path, api.url, items="data.list"))) == [
            {"id": "1"},
            {"id": "2"},
            {"id": "3"},
        ]


def test_headers_are_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("API_TOKEN", "s3cret")
    with serving(lambda path, query: _page([])) as api:
        batches(_sources(tmp_path, api.url, {"headers": {"Authorization": "Bearer ${API_TOKEN}"}}))
    assert api.asked[0]["token"] == "Bearer s3cret"


def test_what_is_no_object_is_kept_as_text(tmp_path: Path) -> None:
    body = b'{"items": [[1.10], "text", null, {"id": "\\ud800"}, {"id": 2}], "next_page": null}'
    with serving(lambda path, query: Answer(body)) as api:
        assert records(batches(_sources(tmp_path, api.url))) == [
            "[1.10]",
            '"text"',
            "null",
            '{"id": "\\ud800"}',
            {"id": "2"},
        ]


def test_a_busy_server_is_asked_again_after_the_pause_it_asks_for(tmp_path: Path, pauses: list[float]) -> None:
    in_half_a_minute = (datetime.now(UTC) + timedelta(seconds=30)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    answers = iter(
        [
            Answer(b"", 429, {"Retry-After": "7"}),
            Answer(b"", 503, {"Retry-After": in_half_a_minute}),
            _page([{"id": 1}]),
        ]
    )
    with serving(lambda path, query: next(answers)) as api:
        assert records(batches(_sources(tmp_path, api.url))) == [{"id": "1"}]
    assert pauses[0] == 7
    assert 25 < pauses[1] <= 30


def test_a_failing_server_is_given_up_after_growing_pauses(tmp_path: Path, pauses: list[float]) -> None:
    answers = iter([_page([{"id": 1}, {"id": 2}], 2), *[Answer(b"", 500)] * 3])
    with serving(lambda path, query: next(answers)) as api:
        found, message = until_error(_sources(tmp_path, api.url))
    assert records(found) == [{"id": "1"}, {"id": "2"}]
    assert last_cursor(found) is None
    assert message.startswith(f"shop: {api.url}/visits answered 500 Internal Server Error")
    assert len(pauses) == 2
    assert pauses[1] == 2 * pauses[0]


def test_a_pause_has_a_bound(tmp_path: Path, pauses: list[float]) -> None:
    answers = iter([Answer(b"", 429, {"Retry-After": "86400"}), _page([])])
    with serving(lambda path, query: next(answers)) as api:
        batches(_sources(tmp_path, api.url))
    assert pauses == [60.0]


@pytest.mark.parametrize(
    ("status", "advice"),
    [(401, "see the credentials in connection.auth"), (404, "see connection.url and the feed's `from`")],
)
def test_a_refusal_is_not_tried_again(tmp_path: Path, status: int, advice: str) -> None:
    with serving(lambda path, query: Answer(b"", status)) as api:
        _, message = until_error(_sources(tmp_path, api.url))
    assert advice in message
    assert len(api.asked) == 1


def test_a_server_that_is_not_there_is_an_error(tmp_path: Path, pauses: list[float]) -> None:
    with serving(lambda path, query: _page([])) as api:
        pass
    _, message = until_error(_sources(tmp_path, api.url))
    assert message.startswith(f"shop: {api.url}/visits can't be reached (")
    assert len(pauses) == 2


@pytest.mark.parametrize(
    "body",
    [
        b"<html>Maintenance</html>",
        b'{"items": {"id": 1}}',
        b'{"items": [',
        b"",
        b'{"items": [], "next_page": "x"}',
        b"\xff\xfe",
    ],
)
def test_an_answer_that_is_no_page_is_kept_and_the_reading_fails(tmp_path: Path, body: bytes) -> None:
    def answer(path: str, query: dict[str, str]) -> Answer:
        return _page([{"id": 1}], 2) if query["page"] == "1" else Answer(body)

    with serving(answer) as api:
        found, message = until_error(_sources(tmp_path, api.url))
    assert records(found) == [{"id": "1"}, body if b"\xff" in body else body.decode()]
    assert f"something that is not a page of visits ({len(body)} bytes" in message
    assert len(api.asked) == 4


def test_pages_in_a_circle_are_an_error(tmp_path: Path) -> None:
    with serving(lambda path, query: _page([{"id": query["page"]}], 3 - int(query["page"]))) as api:
        found, message = until_error(_sources(tmp_path, api.url))
    assert records(found) == [{"id": "1"}, {"id": "2"}]
    assert "names one as its next that was read before" in message


def test_only_what_changed_is_asked_for_again(tmp_path: Path) -> None:
    there = [{"id": number, "at": f"2024-05-0{number}T10:00:00Z"} for number in (1, 2, 3)]
    with serving(_listing(lambda: there)) as api:
        sources = _sources(tmp_path, api.url, updated_at="at")
        cursor = last_cursor(batches(sources))
        assert cursor == {"since": "2024-05-03T10:00:00Z"}
        there.append({"id": 4, "at": "2024-05-04T10:00:00Z"})
        found = batches(sources, cursor)
    assert [record["id"] for record in records(found)] == ["3", "4"]
    assert last_cursor(found) == {"since": "2024-05-04T10:00:00Z"}


@pytest.mark.parametrize(
    ("newest", "expected"),
    [("2999-01-01T00:00:00+02:00", UTC), ("2999-01-01 00:00:00", None)],
)
def test_a_change_dated_in_the_future_hides_no_other(tmp_path: Path, newest: str, expected: Any) -> None:
    with serving(lambda path, query: _page([{"id": 1, "at": newest}])) as api:
        cursor = last_cursor(batches(_sources(tmp_path, api.url, updated_at="at")))
    assert cursor is not None
    since = datetime.fromisoformat(cursor["since"])
    assert (since.tzinfo is None) == (expected is None)
    assert since.replace(tzinfo=None) < datetime.now() + timedelta(days=1)


def test_a_number_can_be_the_change_cursor(tmp_path: Path) -> None:
    with serving(lambda path, query: _page([{"id": 1, "at": 9}, {"id": 2, "at": 10.5}])) as api:
        assert last_cursor(batches(_sources(tmp_path, api.url, updated_at="at"))) == {"since": "10.5"}


def test_a_record_that_moves_to_a_page_already_read_is_not_missed(tmp_path: Path) -> None:
    there = [{"id": number, "at": f"2024-05-0{number}"} for number in range(1, 7)]
    requests = 0

    def listed() -> list[dict[str, Any]]:
        nonlocal requests
        requests += 1
        if requests == 2:
            # Between the first page and the second the first record changes and goes to the end: 3 moves to page 1.
            there.append({"id": 1, "at": "2024-05-07"})
            del there[0]
        return there

    with serving(_listing(listed)) as api:
        found = batches(_sources(tmp_path, api.url, updated_at="at"))
    assert {record["id"] for record in records(found)} == {"1", "2", "3", "4", "5", "6"}
    assert last_cursor(found) == {"since": "2024-05-07"}
    assert problems(found) == []


def test_a_listing_that_never_rests_leaves_the_cursor(tmp_path: Path) -> None:
    count = 0

    def answer(path: str, query: dict[str, str]) -> Answer:
        nonlocal count
        count += 1
        return _page([{"id": count, "at": "2024-05-01"}], 2 if query["page"] == "1" else None)

    with serving(answer) as api:
        found = batches(_sources(tmp_path, api.url, updated_at="at"))
    assert len(records(found)) == 8
    assert last_cursor(found) is None
    assert "the pages of visits changed each time they were read" in problems(found)[0]
