"""The webhook receiver under load: signed deliveries over 64 connections, sender and receiver on one machine.

    .venv/bin/python -m benchmarks.webhook [seconds]

Prints one JSON object: deliveries a second, the slowest answers, and how many of the answered ones are on disk.
"""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.command import finish, parser
from benchmarks.ports import free_port, wait_for_port
from staged_assets_tests.webhook.deliveries import SECRET, Delivery, shop

_CONNECTIONS = 64
#: seconds that the receiver may take to start
_PATIENCE = 60.0


async def _sender(port: int, name: int, until: float, taken: list[str], times: list[float]) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    number = 0
    while time.monotonic() < until:
        number += 1
        body = json.dumps({"id": number, "name": "visit", "text": "x" * 200}).encode()
        delivery = Delivery(body, f"{name}-{number}")
        headers = "".join(f"{key}: {value}\r\n" for key, value in delivery.signed().items())
        head = f"POST {delivery.path} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        started = time.perf_counter()
        writer.write(head.encode() + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in answer.split(b"\r\n") if line.lower().startswith(b"content-length:"))
        await reader.readexactly(length)
        if answer.startswith(b"HTTP/1.1 202"):
            taken.append(delivery.id)
            times.append(time.perf_counter() - started)
    writer.close()


async def _send(port: int, seconds: float) -> tuple[list[str], list[float]]:
    taken: list[str] = []
    times: list[float] = []
    until = time.monotonic() + seconds
    await asyncio.gather(*(_sender(port, name, until, taken, times) for name in range(_CONNECTIONS)))
    return taken, times


def measure(seconds: float) -> dict[str, Any]:
    """Start a receiver, send for so long, count."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        shop(Path(folder))
        environ = {**os.environ, "STAGED_ASSETS_SOURCES": f"{folder}/sources.yaml", "SHOP_SECRET": SECRET}
        command = [sys.executable, "-m", "staged_assets.cli", "webhook", "--port", str(port)]
        receiver = subprocess.Popen(command, env=environ)
        try:
            wait_for_port(port, _PATIENCE)
            started = time.perf_counter()
            taken, times = asyncio.run(_send(port, seconds))
            lasted = time.perf_counter() - started
        finally:
            receiver.kill()
            receiver.wait()
        ids = set()
        for path in Path(folder).rglob("*.ndjson"):
            ids |= {json.loads(line)["delivery"]["id"] for line in path.read_bytes().splitlines()}
    times.sort()
    return {
        "seconds": round(lasted, 1),
        "deliveries": len(taken),
        "deliveries_per_second": round(len(taken) / lasted),
        "answer_99_percent_milliseconds": round(times[len(times) * 99 // 100] * 1000, 1),
        "answer_slowest_milliseconds": round(times[-1] * 1000, 1),
        "lost": len(set(taken) - ids),
    }


def main() -> None:
    """The command."""
    given = parser(__doc__)
    given.add_argument("seconds", type=float, nargs="?", default=60)
    options = given.parse_args()
    finish(options, measure(options.seconds))


if __name__ == "__main__":
    main()
