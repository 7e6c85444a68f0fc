"""Which process it is, so that a pid that another process has by now is never taken for it (Linux alone)."""

import json
import os
import signal
import socket
import sys
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Self


def supported() -> bool:
    """Whether this platform can fork safely and tell processes apart."""
    return sys.platform == "linux" and hasattr(os, "pidfd_open") and Path("/proc/self/stat").exists()


@dataclass(frozen=True)
class Process:
    """One process, as nothing else will ever be.

    Attributes:
        pid: its number, as it is seen in its namespace.
        ticks: clock ticks between the start of the machine and its own.
        boot: of which start of the machine, in which namespace of processes.
        host: the machine's name.
    """

    pid: int
    ticks: int
    boot: str
    host: str

    @classmethod
    def of(cls, pid: int) -> Self | None:
        """The process that has this number now; None where there is none, or only what is left of one."""
        ticks = _started(pid)
        return None if ticks is None else cls(pid, ticks, _boot(), socket.gethostname())

    @classmethod
    def from_json(cls, text: str) -> Self:
        """What `as_json` wrote."""
        return cls(**json.loads(text))

    def as_json(self) -> str:
        """For a tag."""
        return json.dumps(asdict(self))

    @property
    def is_here(self) -> bool:
        """Whether this machine can know about it."""
        return self.host == socket.gethostname()

    @property
    def is_alive(self) -> bool:
        """Whether it runs still. Only where `is_here`."""
        return self.boot == _boot() and _started(self.pid) == self.ticks

    def send(self, number: signal.Signals) -> bool:
        """Send a signal to it and to no other.

        Returns:
            whether it was there to take it.
        """
        try:
            handle = os.pidfd_open(self.pid)
        except ProcessLookupError:
            return False
        try:
            # The handle is of one process: if it is ours now, it is ours when the signal arrives.
            if not self.is_alive:
                return False
            signal.pidfd_send_signal(handle, number)
            return True
        except ProcessLookupError:
            return False
        finally:
            os.close(handle)


def _started(pid: int) -> int | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    # Of proc(5): field 3 is the state, 22 the start.
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


@cache
def _boot() -> str:
    return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {Path('/proc/self/ns/pid').readlink()}"
