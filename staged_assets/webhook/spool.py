"""Deliveries on disk: appended to a file for each stream, synced before they count, known by their ids.

A line is `{"delivery": {"id": …, "received_at": …}, "body": <the body as it came>}`. Each process writes files of its
own, so a line that a killed process left half-written is never continued; it was never answered, and is cut off when
the next process starts.
"""

import asyncio
import json
import os
import re
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from filelock import FileLock, Timeout

from staged_assets.errors import ConfigurationError
from staged_assets.sources.webhook import ENDING

_ID = re.compile(rb'^\{"delivery": \{"id": ("(?:[^"\\]|\\.)*")')
#: seconds after which a new file is begun
_FILE_SECONDS = 3600.0


@dataclass
class _Pending:
    stream: str
    line: bytes
    done: "asyncio.Future[None]"


class Spool:
    """The folder of one system's deliveries.

    Args:
        folder: one folder below it for each stream.
        remember: seconds for which the id of a delivery is known.

    Raises:
        ConfigurationError: another process writes to the folder.
    """

    def __init__(self, folder: Path, streams: Iterable[str], remember: float) -> None:
        self._folder, self._streams, self._remember = folder, tuple(streams), remember
        self._known: OrderedDict[tuple[str, str], float] = OrderedDict()
        self._waiting: dict[tuple[str, str], asyncio.Future[None]] = {}
        self._pending: list[_Pending] = []
        self._wake = asyncio.Event()
        self._files: dict[str, tuple[BinaryIO, float]] = {}
        self.received = self.repeated = 0
        self.problem: str | None = None
        self._lock = self._locked()
        self._recover()

    async def take(self, stream: str, identifier: str | None, body: bytes) -> bool:
        """Write a delivery; returns when it is on disk.

        Returns:
            whether it is new; False where its id is known.

        Raises:
            OSError: it could not be written.
        """
        key = (stream, identifier) if identifier is not None else None
        if key is not None and (key in self._known or key in self._waiting):
            self.repeated += 1
            if key in self._waiting:
                await asyncio.shield(self._waiting[key])
            return False
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        if key is not None:
            self._waiting[key] = done
        self._pending.append(_Pending(stream, _line(identifier, body), done))
        self._wake.set()
        try:
            # A sender that hangs up does not undo what others wait for.
            await asyncio.shield(done)
        finally:
            if key is not None and done.done():
                self._waiting.pop(key, None)
        if key is not None:
            self._remember_id(key, time.time())
        self.received += 1
        return True

    async def write(self) -> None:
        """Write what comes, for ever: all that is waiting with one sync."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            pending, self._pending = self._pending, []
            try:
                await asyncio.to_thread(self._write, pending)
            except OSError as error:
                self.problem = f"{self._folder}: {error.strerror}"
                for delivery in pending:
                    if not delivery.done.done():
                        delivery.done.set_exception(error)
                        # A sender that hung up looks at it no more.
                        delivery.done.exception()
            else:
                self.problem = None
                for delivery in pending:
                    if not delivery.done.done():
                        delivery.done.set_result(None)

    def close(self) -> None:
        """Close the files."""
        for file, _ in self._files.values():
            file.close()
        self._files.clear()
        self._lock.release()

    def _locked(self) -> FileLock:
        """The right to write to the folder; it ends with the process."""
        self._folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(self._folder / ".receiver.lock")
        try:
            lock.acquire(blocking=False)
        except Timeout as error:
            raise ConfigurationError(
                f"Another receiver writes to {self._folder}: stop it, or give the system another connection.path."
            ) from error
        return lock

    def _write(self, pending: list[_Pending]) -> None:
        lines: dict[str, list[bytes]] = {}
        for delivery in pending:
            lines.setdefault(delivery.stream, []).append(delivery.line)
        written: list[tuple[str, int]] = []
        try:
            for stream, found in lines.items():
                file = self._file(stream)
                written.append((stream, file.tell()))
                file.write(b"".join(found))
                file.flush()
                os.fsync(file.fileno())
        except OSError:
            for stream, size in written:
                self._give_up(stream, size)
            raise

    def _file(self, stream: str) -> BinaryIO:
        file, begun = self._files.get(stream, (None, 0.0))
        if file is not None and time.monotonic() - begun < _FILE_SECONDS:
            return file
        if file is not None:
            file.close()
        folder = self._folder / stream
        folder.mkdir(parents=True, exist_ok=True)
        name = f"{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}-{os.getpid()}{ENDING}"
        file = (folder / name).open("xb", buffering=0)
        _sync_folder(folder)
        self._files[stream] = (file, time.monotonic())
        return file

    def _give_up(self, stream: str, size: int) -> None:
        """Leave a file that could not be written as it was before, and go on in another one."""
        file, _ = self._files.pop(stream)
        try:
            file.truncate(size)
        finally:
            file.close()

    def _recover(self) -> None:
        """Cut off half lines, and know the ids of what came lately."""
        oldest = time.time() - self._remember
        for stream in self._streams:
            for path in sorted((self._folder / stream).glob(f"*{ENDING}")):
                modified = path.stat().st_mtime
                if modified < oldest:
                    continue
                _cut_half_line(path)
                with path.open("rb") as lines:
                    for line in lines:
                        if found := _ID.match(line):
                            self._remember_id((stream, json.loads(found[1])), modified)

    def _remember_id(self, key: tuple[str, str], moment: float) -> None:
        self._known[key] = moment
        oldest = time.time() - self._remember
        while self._known and next(iter(self._known.values())) < oldest:
            self._known.popitem(last=False)


def _line(identifier: str | None, body: bytes) -> bytes:
    """A delivery in one line; a line break in JSON can only be a blank between its parts."""
    delivery = {"id": identifier, "received_at": datetime.now(UTC).isoformat()}
    plain = body.replace(b"\r", b" ").replace(b"\n", b" ")
    return b'{"delivery": ' + json.dumps(delivery).encode() + b', "body": ' + plain + b"}\n"


def _cut_half_line(path: Path) -> None:
    with path.open("r+b") as file:
        content = file.read()
        if not content.endswith(b"\n"):
            file.truncate(content.rfind(b"\n") + 1)


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
