"""The pages of a REST listing: asked for, asked for again where that can help, and taken apart."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import NoneType
from typing import Any
from urllib.parse import urljoin

import httpx

from staged_assets.errors import SourceError
from staged_assets.sources.json_records import at_path, decode
from staged_assets.sources.models import RestFeed, RestSystem
from staged_assets.sources.rest_settings import Paging

#: seconds; the pause doubles with each try, and a server's `Retry-After` counts up to the longest
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 60.0
#: so many pages in a row that are alike are a page that repeats; two can come of records that move
_MOST_ALIKE = 3
_TRY_AGAIN = (408, 425, 429)


class BadBodyError(SourceError):
    """An answer that is not a page.

    Attributes:
        body: what was answered instead.
    """

    def __init__(self, message: str, body: bytes) -> None:
        super().__init__(message)
        self.body = body


def pages(client: httpx.Client, system: RestSystem, feed: RestFeed, since: str | None) -> Iterator[list[Any]]:
    """The items of each page.

    Raises:
        BadBodyError: an answer is not a page.
        SourceError: the API can't be reached, or refuses.
    """
    paging, connection = system.connection.paging, system.connection
    url = f"{connection.url.rstrip('/')}/{str(feed.source).lstrip('/')}"
    params: dict[str, Any] = {**feed.params}
    if paging.style in ("auto", "page", "offset"):
        params[paging.parameter] = 0 if paging.style == "offset" else paging.first
    if paging.size_param is not None:
        params[paging.size_param] = connection.page_size
    if since is not None:
        params[connection.since_param] = since
    asked = set()
    before: list[list[Any]] = []
    while (url, str(params)) not in asked:
        asked.add((url, str(params)))
        page = _page(client, system, feed, url, params)
        yield page.items
        before = [*before[1 - _MOST_ALIKE :], page.items]
        if not _goes_on(paging, page):
            return
        if page.items and len(before) == _MOST_ALIKE and all(items == page.items for items in before):
            break
        if isinstance(page.following, str) and paging.style in ("auto", "link"):
            url, params = urljoin(url, page.following), {}
        else:
            params = {**params, paging.parameter: _next_place(paging, params, page)}
    raise SourceError(
        f"{system.name}: {url} gives a page again and again, or names one as its next that was read before: see"
        " connection.paging, or have the API mended; what was read is landed."
    )


def _goes_on(paging: Paging, page: "_Page") -> bool:
    """Whether there may be another page."""
    return bool(page.items) if paging.style in ("page", "offset") else page.following is not None


def _next_place(paging: Paging, params: Mapping[str, Any], page: "_Page") -> Any:
    """The number, offset or cursor of the next page."""
    if paging.style == "page":
        return params[paging.parameter] + 1
    return params[paging.parameter] + len(page.items) if paging.style == "offset" else page.following


def _page(client: httpx.Client, system: RestSystem, feed: RestFeed, url: str, params: dict[str, Any]) -> "_Page":
    """One page, asked for up to `attempts` times."""
    pause = _FIRST_PAUSE
    for attempt in range(1, system.connection.attempts + 1):
        answer = _ask(client, system, feed, url, params)
        if isinstance(answer, _Page):
            return answer
        if answer.is_final or attempt == system.connection.attempts:
            raise answer.error
        time.sleep(max(pause, answer.asked_pause))
        pause = min(pause * 2, _LONGEST_PAUSE)
    raise AssertionError("attempts is at least 1")


@dataclass(frozen=True)
class _Page:
    """An answer with items; `following` is the next page's number or address."""

    items: list[Any]
    following: str | int | None


@dataclass(frozen=True)
class _Failure:
    """An answer without items; `is_final` where asking again can't help, `asked_pause` in seconds."""

    error: SourceError
    is_final: bool = False
    asked_pause: float = 0.0


def _ask(
    client: httpx.Client, system: RestSystem, feed: RestFeed, url: str, params: dict[str, Any]
) -> _Page | _Failure:
    try:
        response = client.get(url, params=params or None)
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        reason = str(error) or type(error).__name__
        return _Failure(
            SourceError(
                f"{system.name}: {url} can't be reached ({reason}): see that the API is up and connection.url right;"
                " the next run goes on from here."
            ),
            is_final=isinstance(error, httpx.InvalidURL | httpx.UnsupportedProtocol),
        )
    if not response.is_success:
        is_final = response.status_code < 500 and response.status_code not in _TRY_AGAIN
        return _Failure(_refusal(system, url, response), is_final, _asked_pause(response))
    page = _taken_apart(response, feed, system.connection.paging)
    if page is not None:
        return page
    return _Failure(
        BadBodyError(
            f"{system.name}: {url} answered with something that is not a page of {feed.name}"
            f" ({len(response.content)} bytes, landed as a malformed record): see what stands between here and the"
            " API; the next run asks again.",
            response.content,
        )
    )


def _taken_apart(response: httpx.Response, feed: RestFeed, paging: Paging) -> _Page | None:
    """The items of an answer; None where it has none."""
    try:
        body = decode(response.content.decode("utf-8-sig"))
        items = body if isinstance(body, list) else at_path(body, feed.items)
        number = at_path(body, "next_page") if paging.style == "auto" else None
        following = at_path(body, paging.next) if number is None else int(number)
    except (ValueError, TypeError, RecursionError):
        return None
    if not isinstance(items, list) or not isinstance(following, str | int | NoneType):
        return None
    link = response.links.get("next", {}).get("url") if paging.style in ("auto", "link") else None
    return _Page(items, (following or link) if paging.style == "auto" else link or following or None)


def _refusal(system: RestSystem, url: str, response: httpx.Response) -> SourceError:
    advice = "the next run goes on from here"
    if response.status_code in (401, 403):
        advice = "see the credentials in connection.auth or connection.headers"
    elif response.status_code == 404:
        advice = "see connection.url and the feed's `from`"
    return SourceError(
        f"{system.name}: {url} answered {response.status_code} {response.reason_phrase}"
        f" (after {system.connection.attempts} tries where that can help): {advice}."
    )


def _asked_pause(response: httpx.Response) -> float:
    """Seconds that the server asks to wait, in bounds."""
    written = response.headers.get("Retry-After", "")
    if written.isdecimal():
        return min(float(written), _LONGEST_PAUSE)
    try:
        moment = parsedate_to_datetime(written)
    except ValueError:
        return 0.0
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return min(max((moment - datetime.now(UTC)).total_seconds(), 0.0), _LONGEST_PAUSE)
