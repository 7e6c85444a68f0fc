"""A receiver that is killed while deliveries come in has lost none that it answered."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from staged_assets_tests.webhook.deliveries import SECRET, Delivery, shop


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    environ = {**os.environ, "STAGED_ASSETS_SOURCES": str(folder / "sources.yaml"), "SHOP_SECRET": SECRET}
    process = subprocess.Popen([sys.executable, "-m", "staged_assets.cli", "webhook", "--port", str(port)], env=environ)
    until = time.monotonic() + 30
    while time.monotonic() < until:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/health")
            assert connection.getresponse().status == 200
            return process
        except ConnectionError:
            time.sleep(0.05)
    raise AssertionError("the receiver did not start")


def _deliver(port: int, name: str, taken: list[str]) -> None:
    """Send one after the other until the receiver is gone."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        for number in range(100_000):
            delivery = Delivery(b'{"id": 1}', f"{name}-{number}")
            connection.request("POST", delivery.path, delivery.body, delivery.signed())
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 202
            taken.append(delivery.id)
    except (OSError, http.client.HTTPException):
        return


def test_what_was_answered_is_there_after_a_kill(tmp_path: Path) -> None:
    shop(tmp_path)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    taken: list[str] = []
    for _ in range(2):
        before = len(taken)
        process = _start(tmp_path, port)
        names = [f"{process.pid}-{number}" for number in range(4)]
        senders = [threading.Thread(target=_deliver, args=(port, name, taken)) for name in names]
        for sender in senders:
            sender.start()
        while len(taken) < before + 100:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
        for sender in senders:
            sender.join()
    written = b"".join(path.read_bytes() for path in tmp_path.rglob("*.ndjson"))
    assert [identifier for identifier in taken if written.count(f'"{identifier}"'.encode()) != 1] == []
