"""Where a warm process of a Dagster home is found, and how one speaks to it: a line of JSON there, one back."""

import contextlib
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from filelock import FileLock

FOLDER = "warm"

#: Of a log, before it is put aside when the next process starts.
LOG_BYTES = 1_000_000

#: A request is some kilobytes.
_LINE_BYTES = 1 << 20

Message = dict[str, Any]


class WarmHome:
    """The folder `warm` of a Dagster home, for its owner alone.

    Args:
        root: the Dagster home.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / FOLDER
        # A home may be on a disk that machines share, and each has its own processes and its own installation.
        self._host = socket.gethostname()

    def prepare(self) -> None:
        """Make the folder."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.folder.chmod(0o700)

    @property
    def starting(self) -> FileLock:
        """Held while a process is started, so that one is."""
        return FileLock(self.folder / f"{self._host}.lock", mode=0o600)

    @property
    def socket_path(self) -> Path:
        """On which the process listens."""
        return self.folder / f"{self._host}.socket"

    @property
    def log_path(self) -> Path:
        """What the process writes: why it did not start, or why it ended."""
        return self.folder / "process.log"

    def fresh_log(self) -> int:
        """A handle to append to the log, which is put aside when it is large."""
        if self.log_path.exists() and self.log_path.stat().st_size > LOG_BYTES:
            self.log_path.replace(self.log_path.with_suffix(".old.log"))
        return os.open(self.log_path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def listen(self) -> socket.socket:
        """Listen in the place of whatever listened before."""
        self.socket_path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX)
        with self._address() as address:
            listener.bind(address)
        self.socket_path.chmod(0o600)
        listener.listen(64)
        return listener

    def connect(self, timeout: float) -> socket.socket:
        """Speak to the process.

        Raises:
            OSError: there is none.
        """
        connection = socket.socket(socket.AF_UNIX)
        connection.settimeout(timeout)
        try:
            with self._address() as address:
                connection.connect(address)
        except OSError:
            connection.close()
            raise
        return connection

    @contextlib.contextmanager
    def _address(self) -> Iterator[str]:
        """A short name of the socket: an address holds 107 bytes, a home's path may be longer."""
        folder = os.open(self.folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            yield f"/proc/self/fd/{folder}/{self.socket_path.name}"
        finally:
            os.close(folder)


def send(connection: socket.socket, message: Message) -> None:
    """Send one message."""
    connection.sendall(json.dumps(message).encode() + b"\n")


def receive(connection: socket.socket) -> Message | None:
    """The next message; None where the other side has ended, or said something else.

    Raises:
        TimeoutError: it took longer than the connection's timeout.
    """
    line = bytearray()
    while not line.endswith(b"\n"):
        # What comes after the line is the next message's.
        there = connection.recv(65536, socket.MSG_PEEK)
        if not there or len(line) > _LINE_BYTES:
            return None
        line += connection.recv(there.find(b"\n") + 1 or len(there))
    try:
        message = json.loads(line)
    except ValueError:
        return None
    return message if isinstance(message, dict) else None
