import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from staged_assets.demo.crm_server import serve
from staged_assets.errors import SourceError


@pytest.fixture(scope="module")
def url(demo: Path) -> Iterator[str]:
    with serve(demo) as address:
        yield address


@pytest.fixture(scope="module")
def stored(demo: Path) -> list[tuple[str | None, Any]]:
    """(update time, item) of every revision of a case."""
    with closing(sqlite3.connect(demo / "crm" / "crm.sqlite")) as store:
        rows = store.execute("select updated_at, body from cases order by seq").fetchall()
    return [(updated_at, json.loads(body)) for updated_at, body in rows]


def _pages(url: str, **query: Any) -> Iterator[list[Any]]:
    page = 1
    while page is not None:
        answer = httpx.get(f"{url}/cases", params={"page": page, **query}).json()
        yield answer["items"]
        page = answer["next_page"]


@pytest.mark.parametrize("size", [1, 97, 10_000])
def test_the_pages_hold_every_revision_once(size: int, url: str, stored: list[tuple[str, Any]]) -> None:
    pages = list(_pages(url, page_size=size)) if size > 1 else list(_pages(url, page_size=len(stored) - 1))
    assert [item for page in pages for item in page] == [item for _, item in stored]


def test_a_last_page_that_is_full_has_no_next(url: str, stored: list[tuple[str, Any]]) -> None:
    assert len(list(_pages(url, page_size=len(stored)))) == 1


def test_updated_since_includes_its_moment_and_leaves_out_what_is_older(
    url: str, stored: list[tuple[str | None, Any]]
) -> None:
    since = sorted(updated for updated, _ in stored if updated)[len(stored) // 2]
    found = [item for page in _pages(url, page_size=50, updated_since=since) for item in page]

    assert sorted(item["record_no"] for item in found) == sorted(
        item["record_no"] for updated, item in stored if updated and updated >= since
    )
    assert [item["updated_at"] for item in found] == sorted(item["updated_at"] for item in found)
    assert found[0]["updated_at"] == since


def test_updated_since_may_have_an_offset(url: str) -> None:
    def found(since: str) -> list[Any]:
        return httpx.get(f"{url}/cases", params={"updated_since": since}).json()["items"]

    assert found("2026-05-01T14:00:00+02:00") == found("2026-05-01T12:00:00Z") != []


def test_a_deleted_record_is_marked(url: str, stored: list[tuple[str, Any]]) -> None:
    markers = [item for _, item in stored if isinstance(item, dict) and item.get("is_deleted")]
    assert markers
    assert all(set(item) <= {"record_no", "is_deleted", "updated_at", "case_id"} for item in markers)


def test_it_says_that_it_is_well(url: str) -> None:
    assert httpx.get(f"{url}/health").json() == {"status": "ok"}


@pytest.mark.parametrize(
    ("address", "status", "message"),
    [
        ("nothing", 404, "no endpoint 'nothing'"),
        ("cases?page=0", 400, "page is '0'"),
        ("cases?page_size=many", 400, "page_size is 'many'"),
        ("cases?updated_since=yesterday", 400, "updated_since is 'yesterday'"),
    ],
)
def test_what_it_cannot_answer_it_refuses(address: str, status: int, message: str, url: str) -> None:
    answer = httpx.get(f"{url}/{address}")
    assert (answer.status_code, message in answer.json()["error"]) == (status, True)


def test_with_a_token_it_answers_only_who_has_it(demo: Path) -> None:
    with serve(demo, token="secret") as url:
        given = {"none": {}, "wrong": {"Authorization": "Bearer other"}, "right": {"Authorization": "Bearer secret"}}
        statuses = {name: httpx.get(f"{url}/health", headers=headers).status_code for name, headers in given.items()}
    assert statuses == {"none": 401, "wrong": 401, "right": 200}


def test_it_stops_at_the_end(demo: Path) -> None:
    with serve(demo) as url:
        httpx.get(f"{url}/health")
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{url}/health")


def test_a_port_that_is_taken_is_named(demo: Path, url: str) -> None:
    port = httpx.URL(url).port
    assert port
    with pytest.raises(SourceError, match=f"port {port}"), serve(demo, port=port):
        pass


def test_without_a_store_it_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="generate the demo"), serve(tmp_path):
        pass


def test_a_revision_that_is_posted_is_listed_with_its_time(demo: Path, tmp_path: Path) -> None:
    shutil.copytree(demo / "crm", tmp_path / "crm")
    with serve(tmp_path) as url:
        posted = httpx.post(f"{url}/contacts", json={"contact_id": "7000001", "full_name": "Zoë"})
        found = httpx.get(f"{url}/contacts", params={"updated_since": posted.json()["updated_at"]}).json()["items"]
        refused = [httpx.post(f"{url}/contacts", content=body).status_code for body in (b"[]", b"{")]
        assert (posted.status_code, refused) == (201, [400, 400])
        assert httpx.post(f"{url}/nothing", json={}).status_code == 404
    assert {"contact_id": "7000001", "full_name": "Zoë", **posted.json()} in found
