"""A REST API that lists records page by page.

How pages are asked for is the connection's `paging`; unless it says otherwise, a page is `{"items": [...], "next_page":
n | null}` (asked for by `page` and `page_size`), or has a link to the next one: `next` in it, or a `Link` header. With
`updated_at`, later readings ask for `updated_since` (that moment included).

While pages are read, records move from page to page: one that is changed moves another one back to a page that has been
read. So a listing of several pages is read again until no older record turns up, and only then does the cursor move.

No dlt here: it would read numbers as floating point, and its cursor is not stored in one transaction with the records.
"""

import ssl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from functools import cache
from hashlib import blake2b
from typing import Any
from zoneinfo import ZoneInfo

import httpx

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Batch, Cursor, Gathering, without_columns
from staged_assets.sources.json_records import as_text, encode, is_unicode, text_table, unwrap
from staged_assets.sources.marks import Mark, Question, digest
from staged_assets.sources.models import RestFeed, RestSystem
from staged_assets.sources.rest_auth import authentication
from staged_assets.sources.rest_pages import BadBodyError, pages

_MOST_PASSES = 4


def read(system: RestSystem, feed: RestFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read an endpoint, from the cursor on where the feed has `updated_at`.

    Yields:
        batches; the last one's cursor is `{"since": newest change seen}`.

    Raises:
        SourceError: the API can't be reached, or refuses, or answers something else; what was read before is yielded.
    """
    reading = _Reading(system, feed, (cursor or {}).get("since"))
    try:
        with _client(system) as client:
            yield from reading.read(client)
    except BadBodyError as error:
        reading.add_body(error.body)
        yield reading.batch()
        raise
    except SourceError:
        if reading.gathering.records:
            yield reading.batch()
        raise
    if reading.gathering.records or reading.problems or reading.cursor != cursor:
        yield reading.batch(reading.cursor)


def marks(system: RestSystem, asked: Sequence[Question]) -> list[Mark]:
    """What the first page since the basis holds; None where that is not all of it, or there is no basis.

    Each is asked for once: a server that is down, or busy, is asked again at the next time.
    """
    once = system.connection.model_copy(update={"attempts": 1})
    hurried = system.model_copy(update={"connection": once})
    hurried._name = system.name
    with _client(hurried) as client:
        return [_mark(client, hurried, question) for question in asked]


def _mark(client: httpx.Client, system: RestSystem, question: Question) -> Mark:
    found = pages(client, system, question.feed, question.basis)
    first = next(found, [])
    if question.basis is None or (first and next(found, [])):
        return None
    return digest(map(encode, first))


@cache
def _trust() -> ssl.SSLContext:
    """The authorities that are trusted: reading them takes longer than a question."""
    return httpx.create_ssl_context()


def _client(system: RestSystem) -> httpx.Client:
    connection = system.connection
    auth = authentication(system.name, connection.auth)
    return httpx.Client(
        headers=connection.headers, timeout=connection.timeout, auth=auth, follow_redirects=True, verify=_trust()
    )


@dataclass
class _Reading:
    """One reading of an endpoint: all its pages, as often as needed."""

    system: RestSystem
    feed: RestFeed
    since: str | None
    gathering: Gathering = field(default_factory=Gathering)
    problems: list[str] = field(default_factory=list)
    cursor: Cursor | None = None
    _seen: set[bytes] = field(default_factory=set)

    def read(self, client: httpx.Client) -> Iterator[Batch]:
        """Read until a pass shows nothing that the ones before have missed."""
        newest: _Moment | None = None
        missed = False
        for number in range(_MOST_PASSES):
            count, missed, latest = 0, False, None
            for items in pages(client, self.system, self.feed, self.since):
                count += 1
                fresh = [item for item in items if self._is_new(item)]
                moments = [self._moment(item) for item in fresh]
                latest = max((m for m in (latest, *moments) if m is not None), default=None)
                missed = missed or (number > 0 and any(_is_older(moment, newest) for moment in moments))
                self._add(fresh)
                if self.gathering.is_full:
                    yield self.batch()
            if number == 0:
                newest = latest
                missed = count > 1 and (self.feed.updated_at is not None or self.feed.lands_absence)
            if not missed:
                break
        if missed:
            self.problems.append(
                f"{self.system.name}: the pages of {self.feed.name} changed each time they were read: the next run"
                " reads them again, from the same moment on."
            )
        since = self.since if missed or newest is None else newest.text_until(datetime.now(UTC))
        self.cursor = {"since": since} if since is not None else None

    def batch(self, cursor: Cursor | None = None) -> Batch:
        """What was gathered so far."""
        batch = self.gathering.take(cursor, self.problems)
        self.gathering, self.problems = Gathering(), []
        return batch

    def add_body(self, body: bytes) -> None:
        """A whole answer as one malformed record."""
        try:
            text = body.decode()
        except UnicodeDecodeError:
            self.gathering.add(without_columns(1), undecodable={0: body})
        else:
            self.gathering.add(without_columns(1), malformed={0: text})

    def _is_new(self, item: Any) -> bool:
        """Whether an item has not been in this reading before; by fingerprint, for there can be many."""
        mark = blake2b(repr(item).encode("utf-8", "surrogatepass"), digest_size=12).digest()
        known = mark in self._seen
        self._seen.add(mark)
        return not known

    def _add(self, items: Sequence[Any]) -> None:
        records, malformed = [], {}
        for index, item in enumerate(items):
            record = unwrap(item, self.feed.record)
            if record is None or not is_unicode(encode(record)):
                record, malformed[index] = {}, encode(item).encode("utf-8", "backslashreplace").decode()
            records.append(record)
        self.gathering.add(text_table(records), malformed=malformed)

    def _moment(self, item: Any) -> "_Moment | None":
        record = unwrap(item, self.feed.record)
        if record is None or self.feed.updated_at is None:
            return None
        return _Moment.read(as_text(record.get(self.feed.updated_at)), self.system.time_zone)


@dataclass(frozen=True, order=True)
class _Moment:
    """A change time, or a number that grows with changes; and how the source writes it."""

    order: tuple[int, Any]
    text: str = field(compare=False)
    time_zone: str = field(compare=False)

    @staticmethod
    def read(text: str | None, time_zone: str) -> "_Moment | None":
        if text is None:
            return None
        try:
            return _Moment((0, Decimal(text)), text, time_zone)
        except InvalidOperation:
            pass
        try:
            moment = datetime.fromisoformat(text.strip())
        except ValueError:
            return None
        return _Moment((1, moment if moment.tzinfo else moment.replace(tzinfo=ZoneInfo(time_zone))), text, time_zone)

    def text_until(self, now: datetime) -> str:
        """As the source writes it, but no later than now: a change dated in the future must not hide others."""
        kind, moment = self.order
        if kind == 0 or moment <= now:
            return self.text
        if datetime.fromisoformat(self.text.strip()).tzinfo is None:
            return now.astimezone(ZoneInfo(self.time_zone)).replace(tzinfo=None).isoformat(timespec="seconds")
        return now.isoformat(timespec="seconds").replace("+00:00", "Z")


def _is_older(moment: _Moment | None, newest: _Moment | None) -> bool:
    """Whether a record that turned up late would not be asked for next time."""
    return moment is None or newest is None or moment <= newest
