"""Marks: what a source says of a feed, cheaply, that stays the same as long as nothing in it has changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from staged_assets.sources.batch import Cursor
from staged_assets.sources.files import File, find_files
from staged_assets.sources.models import Feed

#: the mark of a feed; None where it can't be told whether anything has changed, and has to be read to know
Mark = str | None
#: nothing waits, whatever the mark was before
NOTHING: Mark = ""

#: milliseconds after which a question that should be cheap is given up
LONGEST_QUESTION = 900


@dataclass(frozen=True)
class Question:
    """A feed that is asked about.

    Attributes:
        feed: resolved (no environment references left).
        basis: from where on changes are looked for, where the connector asks in that way; see `basis_of`.
    """

    feed: Any
    basis: str | None = None


def basis_of(cursor: Cursor | None) -> str | None:
    """What a later question builds on, of a cursor that was landed."""
    since = (cursor or {}).get("since")
    return since if isinstance(since, str) else None


def digest(parts: Iterable[Any]) -> str:
    """A short text that differs where any part does."""
    hashed = blake2b(digest_size=12)
    for part in parts:
        hashed.update(repr(part).encode("utf-8", "surrogatepass"))
        hashed.update(b"\x00")
    return hashed.hexdigest()


def mark_of_files(files: Iterable[File]) -> str:
    """Names, sizes and modification times."""
    return digest((file.name, file.size, file.modified) for file in files)


def mark_of_database_file(path: Path, log: str) -> str:
    """Of a database that is one file and, beside it, its write-ahead log.

    Args:
        log: the ending of the log's name.
    """
    return digest(_changed(place) for place in (path, path.with_name(path.name + log)))


def stream_files(folder: Path, feed: Feed, endings: Sequence[str]) -> list[File]:
    """The files of a feed; for a query, all of them."""
    return find_files(folder, feed.source or ".", endings)


def _changed(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_size, status.st_mtime_ns
