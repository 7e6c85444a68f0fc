"""The launcher's side: find the warm process of a home, start or replace it, and have it fork a run."""

import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path

from filelock import Timeout

from staged_assets.errors import WarmProcessError
from staged_assets.refresh.fingerprint import fingerprint
from staged_assets.refresh.processes import Process
from staged_assets.refresh.warm_home import Message, WarmHome, receive, send

#: Seconds that a process which has loaded everything may take to answer.
ANSWER_SECONDS = 20.0

#: Seconds for which a process that could not be started is not tried again, unless something was changed.
PAUSE_SECONDS = 60.0


@dataclass(frozen=True)
class WarmSettings:
    """What a warm process is started with.

    Attributes:
        pointer: the code location, as Dagster writes the pointer to it.
        instance: reference to the Dagster instance, as Dagster writes it.
        location: name of the code location.
        warm_up: module whose `warm_up()` is called when the code location is loaded.
        idle_seconds: without a run, after which it ends.
    """

    pointer: str
    instance: str
    location: str
    warm_up: str | None
    idle_seconds: float


class WarmClient:
    """Has runs of one code location forked.

    Args:
        root: the Dagster home.
        target: the code location's module, or the path of its Python file.
        start_seconds: that the process may take to load everything.
    """

    def __init__(self, root: Path, target: str, start_seconds: float) -> None:
        self._home = WarmHome(root)
        self._target = target
        self._start_seconds = start_seconds
        self._refused: tuple[str, float, str] | None = None

    def launch(
        self, run_id: str, settings: WarmSettings, started: Callable[[Process], None], *, resume: bool = False
    ) -> None:
        """Have a run forked.

        Args:
            started: is told of the run's process before that does anything.

        Raises:
            WarmProcessError: there is no warm process, or it can't fork; nothing of the run was done.
            OSError: the forked process was lost.
        """
        mark = fingerprint(self._target)
        request = {"run_id": run_id, "instance": settings.instance, "resume": resume, "fingerprint": mark}
        with closing(self._connected(request, settings)) as connection:
            answer = _answer(connection)
            if "process" not in answer:
                raise WarmProcessError(str(answer.get("refused", "the forked process ended at once")))
            started(Process(**answer["process"]))
            # From here on it may be executing the run: whatever happens now, nobody else must start it again.
            send(connection, {"go": True})

    def _connected(self, request: Message, settings: WarmSettings) -> socket.socket:
        """A connection on which a process that has loaded what is there now has the request."""
        connection = self._ask(request)
        if connection is not None:
            return connection
        mark = str(request["fingerprint"])
        self._home.prepare()
        try:
            with self._home.starting.acquire(timeout=self._start_seconds):
                # Another launcher may have started it in the meantime.
                connection = self._ask(request)
                if connection is not None:
                    return connection
                self._start(mark, settings)
                connection = self._ask(request)
        except Timeout as error:
            raise WarmProcessError("another launcher has been starting the warm process for too long") from error
        if connection is None:
            raise WarmProcessError("the warm process ended as soon as it was started")
        return connection

    def _ask(self, request: Message) -> socket.socket | None:
        """Hand the request over; None where there is no process, or it has loaded what is not so any more."""
        try:
            connection = self._home.connect(ANSWER_SECONDS)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise WarmProcessError(f"the warm process can't be reached: {error}") from error
        try:
            send(connection, request)
            if (receive(connection) or {}).get("fresh"):
                return connection
        except TimeoutError as error:
            connection.close()
            raise WarmProcessError(f"the warm process did not answer within {ANSWER_SECONDS:.0f} s") from error
        except OSError:
            # It ended while it was asked.
            pass
        connection.close()
        return None

    def _start(self, mark: str, settings: WarmSettings) -> None:
        if self._refused and self._refused[0] == mark and time.monotonic() < self._refused[1]:
            raise WarmProcessError(self._refused[2])
        try:
            self._start_now(mark, settings)
        except WarmProcessError as error:
            self._refused = (mark, time.monotonic() + PAUSE_SECONDS, str(error))
            raise

    def _start_now(self, mark: str, settings: WarmSettings) -> None:
        mine, theirs = socket.socketpair()
        log = self._home.fresh_log()
        with closing(mine):
            try:
                # It leaves this process at once (see `warm_process`), so there is nothing to wait for later.
                subprocess.run(
                    [sys.executable, "-m", "staged_assets.refresh.warm_process", str(theirs.fileno())],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log, pass_fds=[theirs.fileno()], check=True,
                    timeout=self._start_seconds,
                )  # fmt: skip
                theirs.close()
                mine.settimeout(self._start_seconds)
                send(mine, {"root": str(self._home.root), "fingerprint": mark, **asdict(settings)})
                answer = receive(mine)
            except TimeoutError as error:
                raise WarmProcessError(f"the warm process was not ready within {self._start_seconds:g} s") from error
            except (OSError, subprocess.SubprocessError) as error:
                raise WarmProcessError(f"the warm process can't be started: {error}") from error
            finally:
                os.close(log)
                theirs.close()
        if not (answer or {}).get("ready"):
            reason = (answer or {}).get("failed", f"see {self._home.log_path}")
            raise WarmProcessError(f"the warm process could not load the code location: {reason}")


def _answer(connection: socket.socket) -> Message:
    try:
        return receive(connection) or {}
    except OSError as error:
        raise WarmProcessError(f"the warm process did not answer: {error or type(error).__name__}") from error
