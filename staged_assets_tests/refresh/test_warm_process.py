"""The warm process itself: whom it answers, when it ends, that it neither grows nor forks what is not safe."""

import contextlib
import os
import shutil
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from staged_assets.refresh.processes import supported
from staged_assets.refresh.warm_home import LOG_BYTES, Message, WarmHome, receive, send
from staged_assets_tests.command_line import ROOT

pytestmark = pytest.mark.skipif(
    not supported(), reason="only Linux can fork safely; elsewhere the stock launcher is used"
)


@contextmanager
def _process(home: Path, idle_seconds: float = 600.0) -> Iterator["subprocess.Popen[str]"]:
    process = subprocess.Popen(
        [sys.executable, "-m", "staged_assets_tests.refresh.bare_process", str(home), str(idle_seconds)],
        cwd=ROOT, text=True, stdout=subprocess.PIPE,
    )  # fmt: skip
    assert process.stdout is not None
    try:
        assert process.stdout.readline() == "ready\n"
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.fixture(scope="module")
def process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, int]]:
    """The home and the pid of one that the tests share."""
    home = tmp_path_factory.mktemp("home")
    with _process(home) as process:
        yield home, process.pid


def _ask(home: Path, **changed: object) -> list[Message | None]:
    """Both answers to a request."""
    request = {"run_id": "x", "instance": "y", "fingerprint": "loaded", **changed}
    with WarmHome(home).connect(30) as connection:
        send(connection, request)
        return [receive(connection), receive(connection)]


def test_a_request_is_answered_by_a_forked_process(process: tuple[Path, int]) -> None:
    assert _ask(process[0]) == [{"fresh": True}, {"forked": True}]


def test_messages_that_arrive_together_are_received_one_by_one() -> None:
    here, there = socket.socketpair()
    with here, there:
        messages: list[Message] = [{"fresh": True}, {"long": "x" * 100_000}, {"forked": True}]
        for message in messages:
            send(there, message)
        assert [receive(here) for _ in messages] == messages


def test_only_its_owner_can_speak_to_it(process: tuple[Path, int]) -> None:
    home = WarmHome(process[0])
    assert stat.S_IMODE(home.socket_path.stat().st_mode) == 0o600
    assert stat.S_IMODE(home.folder.stat().st_mode) == 0o700


@pytest.mark.skipif(os.getuid() != 0, reason="only root can pretend to be somebody else")
def test_another_user_is_not_answered_even_where_the_socket_can_be_opened(
    process: tuple[Path, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    home = WarmHome(process[0])
    home.folder.chmod(0o711)
    home.socket_path.chmod(0o666)
    monkeypatch.chdir(home.folder)
    with socket.socket(socket.AF_UNIX) as connection:
        os.seteuid(65534)
        try:
            connection.connect(home.socket_path.name)
        finally:
            os.seteuid(0)
        # It hangs up, perhaps before all that was said is read.
        with contextlib.suppress(ConnectionResetError, BrokenPipeError):
            send(connection, {"run_id": "x", "instance": "y", "fingerprint": "loaded"})
            assert receive(connection) is None
    home.socket_path.chmod(0o600)
    home.prepare()


@pytest.mark.parametrize("sent", [b"", b"nonsense\n", b"[1]\n", b'{"run_id": "x"}\n', b"\xff\n"])
def test_nonsense_is_not_answered_and_does_no_harm(process: tuple[Path, int], sent: bytes) -> None:
    with WarmHome(process[0]).connect(30) as connection:
        connection.sendall(sent)
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(10) == b""
    assert _ask(process[0])[0] == {"fresh": True}


def test_it_does_not_grow(process: tuple[Path, int]) -> None:
    home, pid = process
    for _ in range(20):
        _ask(home)
    memory, handles = _memory(pid), _handles_when_idle(pid)
    for _ in range(300):
        _ask(home)
    assert _memory(pid) - memory < 500_000
    assert _handles_when_idle(pid) == handles


def test_it_refuses_what_is_not_what_it_has_loaded_and_ends(tmp_path: Path) -> None:
    with _process(tmp_path) as process:
        assert _ask(tmp_path, fingerprint="changed") == [{"fresh": False}, None]
        assert not WarmHome(tmp_path).socket_path.exists()
        assert process.wait(30) == 0


def test_it_ends_when_its_home_is_gone(tmp_path: Path) -> None:
    with _process(tmp_path / "home") as process:
        shutil.rmtree(tmp_path / "home")
        assert process.wait(30) == 0


def test_it_ends_when_it_has_been_idle(tmp_path: Path) -> None:
    with _process(tmp_path, idle_seconds=0.1) as process:
        assert process.wait(30) == 0
        assert not WarmHome(tmp_path).socket_path.exists()


def test_it_ends_when_it_is_told_to(tmp_path: Path) -> None:
    with _process(tmp_path) as process:
        process.terminate()
        assert process.wait(30) == 0
        assert not WarmHome(tmp_path).socket_path.exists()


def test_its_log_is_put_aside_before_it_is_large(tmp_path: Path) -> None:
    home = WarmHome(tmp_path)
    home.prepare()
    for expected in (False, True):
        os.close(home.fresh_log())
        assert home.log_path.with_suffix(".old.log").exists() == expected
        home.log_path.write_bytes(b"x" * (LOG_BYTES + 1))


def _memory(pid: int) -> int:
    """Bytes that a process has for itself."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return 1024 * sum(int(line.split()[1]) for line in lines if line.startswith("Anonymous"))


def _handles_when_idle(pid: int) -> int:
    """When all that it has forked is reaped: what has answered keeps a handle until then."""
    counted = []
    for _ in range(20):
        counted.append(_handles(pid))
        time.sleep(0.05)
    return min(counted)


def _handles(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))
