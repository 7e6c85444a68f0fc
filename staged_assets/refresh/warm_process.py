"""The warm process: loads the code location once, then forks a process for each run. It executes nothing itself.

Started by the launcher, shared by all launchers of a Dagster home. It has one thread, also none of a library, whenever
it forks. It ends by itself: when what it has loaded has changed, when nobody needs it, when its home is gone.
"""

import contextlib
import gc
import importlib
import os
import selectors
import signal
import socket
import struct
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from staged_assets.refresh.processes import Process
from staged_assets.refresh.warm_home import Message, WarmHome, receive, send

#: Seconds between two looks at whether it is needed.
LOOK_SECONDS = 2.0

#: Seconds that it stays after the last process which had runs forked is gone.
LINGER_SECONDS = 30.0

#: Seconds that a launcher may take to write or to read a message.
CLIENT_SECONDS = 5.0

#: Seconds that a forked process waits for its launcher to have noted whose run it is.
GO_SECONDS = 60.0

#: Libraries that would start a thread when they are imported, and what keeps them from it.
_NO_THREADS = {"OPENBLAS_NUM_THREADS": "1", "JE_ARROW_MALLOC_CONF": "background_thread:false"}

_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True)
class Child:
    """A forked process, and what is to be said should it crash."""

    process: Process
    run_id: str
    instance: str


@dataclass
class WarmProcess:
    """Answers launchers until it is not needed.

    Attributes:
        home: whose launchers.
        fingerprint: of what is loaded.
        idle_seconds: without a run, after which it ends.
        work: what a forked process does with a request; it returns the exit code.
    """

    home: WarmHome
    fingerprint: str
    idle_seconds: float
    work: Callable[[socket.socket, Message], int]
    children: dict[int, Child] = field(default_factory=dict)
    users: set[Process] = field(default_factory=set)
    needed_at: float = field(default_factory=time.monotonic)
    retired: bool = False

    def serve(self, ready: Callable[[], None]) -> None:
        """Listen, fork, and see to what was forked, until the end."""
        self._listener = self.home.listen()
        self._inode = self.home.socket_path.stat().st_ino
        self._wakeup, wakeup = socket.socketpair()
        for end in (self._wakeup, wakeup):
            end.setblocking(False)
        signal.set_wakeup_fd(wakeup.fileno(), warn_on_full_buffer=False)
        self._wakeup_sender = wakeup
        signal.signal(signal.SIGCHLD, lambda *_: None)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._end)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._selector.register(self._wakeup, selectors.EVENT_READ)
        gc.collect()
        gc.freeze()
        try:
            ready()
            while not self._is_done():
                for key, _ in self._selector.select(LOOK_SECONDS):
                    if key.fileobj is self._wakeup:
                        with contextlib.suppress(BlockingIOError):
                            self._wakeup.recv(4096)
                    elif not self.retired:
                        self._accept()
                self._reap()
        finally:
            self._retire()

    def _end(self, *_: Any) -> NoReturn:
        """What was forked goes on without it."""
        raise SystemExit(0)

    def _is_done(self) -> bool:
        now = time.monotonic()
        self.users = {user for user in self.users if user.is_alive}
        if self.children:
            self.needed_at = now
        elif not self.retired:
            limit = self.idle_seconds if self.users else min(self.idle_seconds, LINGER_SECONDS)
            if now - self.needed_at > limit or not self._is_found():
                self._retire()
        return self.retired and not self.children

    def _is_found(self) -> bool:
        """Whether launchers would find it: its home is there, and its socket is not another's."""
        try:
            return self.home.socket_path.stat().st_ino == self._inode
        except FileNotFoundError:
            return False

    def _retire(self) -> None:
        """Take no more runs; those under way go on, and are seen to."""
        if self.retired:
            return
        self.retired = True
        if self._is_found():
            self.home.socket_path.unlink()
        self._selector.unregister(self._listener)
        self._listener.close()

    def _accept(self) -> None:
        connection, _ = self._listener.accept()
        with connection:
            connection.settimeout(CLIENT_SECONDS)
            with contextlib.suppress(OSError):
                self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
        pid, user, _ = _CREDENTIALS.unpack(credentials)
        request = receive(connection) if user == os.getuid() else None
        if request is None or not {"run_id", "instance", "fingerprint"} <= request.keys():
            return
        if request.get("fingerprint") != self.fingerprint:
            # Before the answer: who is told starts the next one.
            self._retire()
            send(connection, {"fresh": False})
            return
        client = Process.of(pid)
        if client is not None:
            self.users.add(client)
        send(connection, {"fresh": True})
        threads = _threads()
        if threads != 1:
            # Cannot be mended here: the next launch has a new process started.
            self._retire()
            send(connection, {"refused": f"the warm process has {threads} threads and can't fork safely"})
            return
        process = self._fork(lambda: self.work(connection, request))
        if process is not None:
            self.children[process.pid] = Child(process, str(request["run_id"]), str(request["instance"]))

    def _fork(self, work: Callable[[], int]) -> Process | None:
        pid = os.fork()
        if pid == 0:
            self._become_child(work)
        # It is not reaped yet, so it is there, unless it was ended already.
        return Process.of(pid)

    def _become_child(self, work: Callable[[], int]) -> NoReturn:
        code = 1
        try:
            os.setsid()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            signal.signal(signal.SIGINT, signal.default_int_handler)
            self._selector.close()
            for end in (self._listener, self._wakeup, self._wakeup_sender):
                end.close()
            code = work()
        except BaseException:
            traceback.print_exc()
            raise
        finally:
            # What is registered to be done at exit is the warm process's to do.
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
            os._exit(code)

    def _reap(self) -> None:
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            code = os.waitstatus_to_exitcode(status)
            if child is not None and code != 0:
                self._fork(lambda child=child, code=code: report(child, code))  # type: ignore[misc]


def run_child(connection: socket.socket, request: Message) -> int:
    """In the forked process: execute the run, once the launcher has noted which process does.

    Returns:
        exit code.
    """
    from staged_assets.refresh import run_worker

    _be_nobodys_twin()
    with contextlib.ExitStack() as stack:
        try:
            instance = stack.enter_context(run_worker.open_instance(str(request["instance"])))
        except Exception as error:  # noqa: BLE001 - storages raise what they like; the launcher is told, and takes over
            send(connection, {"refused": f"{type(error).__name__}: {error}"})
            return 0
        send(connection, {"process": asdict(_myself())})
        connection.settimeout(GO_SECONDS)
        if not (receive(connection) or {}).get("go"):
            return 0
        connection.close()
        return 0 if run_worker.execute(instance, str(request["run_id"]), resume=bool(request.get("resume"))) else 1


def report(child: Child, exit_code: int) -> int:
    """In a forked process: say that a run's process has crashed, unless the run was finished."""
    from staged_assets.refresh import run_worker

    with run_worker.open_instance(child.instance) as instance:
        run_worker.report_crash(instance, child.run_id, child.process, exit_code)
    return 0


def _threads() -> int:
    """Threads of this process, also those that Python knows nothing of."""
    return len(list(Path("/proc/self/task").iterdir()))


def _myself() -> Process:
    process = Process.of(os.getpid())
    if process is None:
        raise ProcessLookupError("/proc does not know this process")
    return process


def _be_nobodys_twin() -> None:
    """What a process must not have in common with the next one forked: output and random numbers.

    Python's own generator seeds itself anew.
    """
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (sys.stdin, sys.stdout, sys.stderr):
        os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
    if "numpy" in sys.modules:
        sys.modules["numpy"].random.seed()


def load(settings: Message) -> None:
    """Import and prepare all that runs have in common.

    Raises:
        RuntimeError: this process can't be forked afterwards.
    """
    from staged_assets.refresh import run_worker

    before = {name: os.environ.get(name) for name in _NO_THREADS}
    os.environ.update(_NO_THREADS)
    with run_worker.open_instance(str(settings["instance"])) as instance:
        run_worker.load_environment(instance, str(settings["location"]))
        instance.get_runs(limit=1)
    run_worker.load_code_location(str(settings["pointer"]))
    if settings["warm_up"]:
        importlib.import_module(str(settings["warm_up"])).warm_up()
    # They have been read; a process that a run starts is to have as many threads as it would have.
    for name, value in before.items():
        if value is None:
            del os.environ[name]
        else:
            os.environ[name] = value
    if _threads() != 1:
        raise RuntimeError(f"loading it leaves {_threads()} threads, and forking is not safe with more than one")


def main() -> None:
    """`python -m staged_assets.refresh.warm_process FD`: settings come over the socket FD, and "ready" goes back."""
    starter = socket.socket(fileno=int(sys.argv[1]))
    # Nobody's child: whoever started it may end before it, or never ask how it ended.
    if os.fork():
        os._exit(0)
    os.setsid()
    settings = receive(starter)
    if settings is None:
        return
    try:
        load(settings)
    except Exception as error:  # noqa: BLE001 - user code is loaded: whatever it raises is told and ends this process
        traceback.print_exc()
        send(starter, {"failed": f"{type(error).__name__}: {' '.join(str(error).split())[:500]}"})
        sys.exit(1)

    def ready() -> None:
        send(starter, {"ready": True})
        starter.close()

    home = WarmHome(Path(str(settings["root"])))
    WarmProcess(home, str(settings["fingerprint"]), float(settings["idle_seconds"]), run_child).serve(ready)


if __name__ == "__main__":
    main()
