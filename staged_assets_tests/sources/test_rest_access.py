"""REST: ways of paging, and of saying who asks, against a real server."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from staged_assets.sources import rest_pages
from staged_assets.sources.config import Sources
from staged_assets_tests.sources.described import batches, described, records, until_error
from staged_assets_tests.sources.misbehaving_api import Answer, serving

_ALL = [{"id": number} for number in range(7)]
Script = Callable[[str, dict[str, str]], Answer]


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that were made, without making them."""
    made: list[float] = []
    monkeypatch.setattr(rest_pages.time, "sleep", made.append)
    return made


def _sources(folder: Path, url: str, connection: dict[str, Any] | None = None, **feed: Any) -> Sources:
    settings = {"url": url, "page_size": 3, "attempts": 3, **(connection or {})}
    environ = {"SECRET": "hunter2"}
    return described(folder, "rest", settings, {"from": "visits", **feed}, environ=environ)


def _json(content: Any, **headers: str) -> Answer:
    return Answer(json.dumps(content).encode(), headers=headers)


def _by_number(path: str, query: dict[str, str]) -> Answer:
    start = int(query["p"]) * int(query["per_page"])
    return _json({"items": _ALL[start : start + int(query["per_page"])]})


def _by_offset(path: str, query: dict[str, str]) -> Answer:
    start = int(query["offset"])
    return _json(_ALL[start : start + int(query["limit"])])


def _by_cursor(path: str, query: dict[str, str]) -> Answer:
    start = int(query.get("after", "c0")[1:])
    following = f"c{start + 3}" if start + 3 < len(_ALL) else None
    return _json({"items": _ALL[start : start + 3], "meta": {"next_cursor": following}})


def _by_link(path: str, query: dict[str, str]) -> Answer:
    start = int(query.get("start", "0"))
    link = {"Link": f'<?start={start + 3}>; rel="next"'} if start + 3 < len(_ALL) else {}
    return _json(_ALL[start : start + 3], **link)


PAGING: dict[str, tuple[Script, dict[str, Any]]] = {
    "page": (_by_number, {"style": "page", "param": "p", "size_param": "per_page", "first": 0}),
    "offset": (_by_offset, {"style": "offset", "size_param": "limit"}),
    "cursor": (_by_cursor, {"style": "cursor", "param": "after", "next": "meta.next_cursor"}),
    "link": (_by_link, {"style": "link", "size_param": None}),
}


@pytest.mark.parametrize(("script", "paging"), PAGING.values(), ids=PAGING.keys())
def test_every_record_of_every_page_is_read_once(tmp_path: Path, script: Script, paging: dict[str, Any]) -> None:
    with serving(script) as api:
        found = records(batches(_sources(tmp_path, api.url, {"paging": paging})))
    assert [record["id"] for record in found] == [str(number) for number in range(7)]


def test_a_page_that_repeats_for_ever_is_an_error_and_what_was_read_is_kept(tmp_path: Path) -> None:
    with serving(lambda path, query: _json(_ALL[:3])) as api:
        found, message = until_error(_sources(tmp_path, api.url, {"paging": {"style": "page"}}))
    assert "gives a page again and again" in message
    assert len(api.asked) == 3
    assert len(records(found)) == 3


def test_a_page_that_repeats_once_is_no_double(tmp_path: Path) -> None:
    pages = [_ALL[:3], _ALL[:3], _ALL[3:], []]
    with serving(lambda path, query: _json(pages[int(query["page"]) - 1])) as api:
        found = records(batches(_sources(tmp_path, api.url, {"paging": {"style": "page"}})))
    assert [record["id"] for record in found] == [str(number) for number in range(7)]


def test_records_that_shift_while_pages_are_read_are_not_missed(tmp_path: Path) -> None:
    there = [{"id": number, "at": f"2024-05-01T10:00:0{number}Z"} for number in range(7)]
    asked: list[str] = []

    def script(path: str, query: dict[str, str]) -> Answer:
        if len(asked) == 1:
            # The first record is deleted: each one moves to the place before it.
            there.pop(0)
        asked.append(query["offset"])
        start = int(query["offset"])
        return _json(there[start : start + 3])

    connection = {"paging": {"style": "offset", "size_param": None}}
    with serving(script) as api:
        found = records(batches(_sources(tmp_path, api.url, connection, updated_at="at")))
    assert {record["id"] for record in found} == {str(number) for number in range(7)}


AUTH: dict[str, tuple[dict[str, Any], str]] = {
    "bearer": ({"type": "bearer", "token": "${SECRET}"}, "Bearer hunter2"),
    "api key": ({"type": "api_key", "key": "${SECRET}"}, "hunter2"),
    "basic": (
        {"type": "basic", "username": "me", "password": "${SECRET}"},
        f"Basic {base64.b64encode(b'me:hunter2').decode()}",
    ),
}


@pytest.mark.parametrize(("auth", "expected"), AUTH.values(), ids=AUTH.keys())
def test_each_request_says_who_asks(tmp_path: Path, auth: dict[str, Any], expected: str) -> None:
    with serving(lambda path, query: _json([])) as api:
        batches(_sources(tmp_path, api.url, {"auth": auth}))
    assert [asked["token"] for asked in api.asked] == [expected]


def _oauth(url: str, **auth: Any) -> dict[str, Any]:
    said = {"type": "oauth2", "token_url": f"{url}/token", "client_id": "me", "client_secret": "${SECRET}", **auth}
    return {"auth": said, "paging": {"style": "offset", "size_param": "limit"}}


class _Tokens:
    """An API whose tokens are good for so many requests."""

    def __init__(self, good_for: int, answers: list[int] | None = None) -> None:
        self.issued, self._left, self._good_for = 0, 0, good_for
        self._answers = answers or []

    def __call__(self, path: str, query: dict[str, str]) -> Answer:
        if path == "/token":
            if self._answers and (status := self._answers.pop(0)) != 200:
                return Answer(b"{}", status)
            assert query["grant_type"] == "client_credentials"
            assert query["token"] == f"Basic {base64.b64encode(b'me:hunter2').decode()}"
            self.issued, self._left = self.issued + 1, self._good_for
            return _json({"access_token": f"t{self.issued}", "expires_in": 3600})
        if query["token"] != f"Bearer t{self.issued}" or self._left == 0:
            return Answer(b"{}", 401)
        self._left -= 1
        return _by_offset(path, query)


def test_a_token_that_expires_half_way_is_renewed(tmp_path: Path) -> None:
    tokens = _Tokens(good_for=2)
    with serving(tokens, with_token=True) as api:
        found = records(batches(_sources(tmp_path, api.url, _oauth(api.url, scope="read"))))
    assert [record["id"] for record in found] == [str(number) for number in range(7)]
    assert tokens.issued == 2


def test_a_token_is_used_until_it_expires(tmp_path: Path) -> None:
    tokens = _Tokens(good_for=100)
    with serving(tokens, with_token=True) as api:
        batches(_sources(tmp_path, api.url, _oauth(api.url)))
    assert tokens.issued == 1


def test_a_busy_token_server_is_asked_again(tmp_path: Path, pauses: list[float]) -> None:
    tokens = _Tokens(good_for=100, answers=[503, 429, 200])
    with serving(tokens, with_token=True) as api:
        assert len(records(batches(_sources(tmp_path, api.url, _oauth(api.url))))) == 7
    assert len(pauses) == 2


def test_a_token_that_is_refused_is_one_sentence_without_the_secret(tmp_path: Path) -> None:
    with serving(lambda path, query: Answer(b'{"error": "invalid_client"}', 401), with_token=True) as api:
        _, message = until_error(_sources(tmp_path, api.url, _oauth(api.url)))
    assert "/token gave no token (401 Unauthorized): see client_id, client_secret and scope" in message
    assert "hunter2" not in message


def test_the_parameter_of_changes_has_a_name(tmp_path: Path) -> None:
    with serving(lambda path, query: _json([{"id": 1, "at": "2024-05-01T10:00:00Z"}])) as api:
        connection = {"since_param": "modified_after", "paging": {"style": "link", "size_param": None}}
        sources = _sources(tmp_path, api.url, connection, updated_at="at")
        found = batches(sources)
        batches(sources, found[-1].cursor)
    assert api.asked[-1]["modified_after"] == "2024-05-01T10:00:00Z"
