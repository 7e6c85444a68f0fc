"""Deliveries that the webhook receiver has written: event files, each line with the delivery and its body."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from staged_assets.sources.batch import Batch, Cursor
from staged_assets.sources.event_files import EventReading
from staged_assets.sources.marks import Mark, Question, mark_of_files, stream_files
from staged_assets.sources.models import WebhookFeed, WebhookSystem

#: of the files
ENDING = ".ndjson"


def read(system: WebhookSystem, feed: WebhookFeed, cursor: Cursor | None) -> Iterator[Batch]:
    """Read what was received since the cursor; see `event_files`. Before the first delivery there is nothing.

    Raises:
        SourceError: after everything else, that a file could not be read.
    """
    folder = Path(system.connection.path)
    (folder / str(feed.source)).mkdir(parents=True, exist_ok=True)
    done = dict((cursor or {}).get("files", {}))
    path = f"body.{feed.record}" if feed.record is not None else "body"
    reading = EventReading(system.name, feed, folder, done, record=path, dropped="$.delivery", may_be_empty=True)
    yield from reading.read_all((ENDING,))


def marks(system: WebhookSystem, asked: Sequence[Question]) -> list[Mark]:
    """Names, sizes and modification times of the files that the receiver has written."""
    return [mark_of_files(stream_files(Path(system.connection.path), question.feed, (ENDING,))) for question in asked]
