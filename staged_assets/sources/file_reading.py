"""One reading of a feed from files: what the connectors of files have in common."""

from abc import ABC, abstractmethod
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb

from staged_assets.errors import SourceError
from staged_assets.sources.batch import Batch, Cursor, Gathering
from staged_assets.sources.files import UNREADABLE, File, find_files, reason
from staged_assets.sources.models import Feed


class IncompleteError(Exception):
    """A file is still being written: what was read of it is good."""


@dataclass
class FileReading(ABC):
    """Reads the files of a feed one after the other into batches.

    Attributes:
        system: its name.
        folder: where the files are.
        done: file → how far it is read, as the cursor keeps it under `files`; each connector's own shape.
        gathering: what the next batch has so far.
        warnings: what a person should know of, with the next batch.
        may_be_empty: whether it is nothing to be warned of that there are no files.
    """

    system: str
    feed: Feed
    folder: Path
    done: dict[str, dict[str, Any]]
    gathering: Gathering = field(default_factory=Gathering)
    warnings: list[str] = field(default_factory=list)
    may_be_empty: bool = False
    _unreadable: list[str] = field(default_factory=list)
    _changed: bool = False

    @abstractmethod
    def read(self, file: File) -> Iterator[Batch]:
        """Read what is new in a file, to its end; batches when they are full.

        Raises:
            IncompleteError: the file goes on, later.
        """

    @abstractmethod
    def is_done(self, file: File) -> bool:
        """Whether a file has not changed since it was read to its end."""

    def read_all(self, endings: tuple[str, ...]) -> Iterator[Batch]:
        """Read the feed's files.

        Args:
            endings: of the connector's files.

        Raises:
            SourceError: after everything else, that a file could not be read.
        """
        files = find_files(self.folder, str(self.feed.source), endings)
        if not files and not self.may_be_empty:
            self.warnings.append(f"{self.system}: no file matches {self.feed.source!r} in {self.folder}.")
        for file in files:
            if not self.is_done(file):
                yield from self._read_readable(file)
        if self.gathering.records or self._changed or self.warnings:
            yield self.batch()
        if self._unreadable:
            raise self._error(len(files))

    def batch(self) -> Batch:
        """What was gathered."""
        cursor: Cursor | None = None if self.feed.is_snapshot else {"files": dict(self.done)}
        batch = self.gathering.take(cursor, self.warnings)
        self.gathering, self.warnings, self._changed = Gathering(), [], False
        return batch

    def _read_readable(self, file: File) -> Iterator[Batch]:
        try:
            yield from self.read(file)
            self._changed = True
        except IncompleteError as error:
            # Of a snapshot a part is not enough.
            (self._unreadable if self.feed.is_snapshot else self.warnings).append(f"{file.path} {error}")
        except (*UNREADABLE, UnicodeError, duckdb.Error) as error:
            self._unreadable.append(f"{file.path}: {reason(error)}")

    def _error(self, count: int) -> SourceError:
        more = f" (and {len(self._unreadable) - 1} more)" if len(self._unreadable) > 1 else ""
        return SourceError(
            f"{self.system}: {len(self._unreadable)} of {count} files of {self.feed.name} could not be read, the others"
            f" are landed: {self._unreadable[0]}{more}; mend or remove it and run again."
        )
