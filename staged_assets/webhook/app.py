"""The receiver as an ASGI application: `POST /<system>/<stream>`, and `GET /health`.

A delivery is answered 202 once it is on disk, 200 where its id is known, and refused otherwise: 400 (a header is
missing), 401 (signature, timestamp), 404, 405, 413 (too large), 429 (too many), 503 (it could not be written).
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from staged_assets.errors import ConfigurationError
from staged_assets.sources.config import Sources
from staged_assets.sources.models import WebhookSystem
from staged_assets.webhook.signature import RefusedError, verify
from staged_assets.webhook.spool import Spool

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]


class _Endpoint:
    """One system's deliveries.

    Args:
        system: resolved.
    """

    def __init__(self, system: WebhookSystem) -> None:
        self.connection = system.connection
        self.streams = {str(feed.source) for feed in system.feeds}
        folder, remember = Path(self.connection.path), self.connection.remember.total_seconds()
        self.spool = Spool(folder, self.streams, remember)
        self._allowed, self._counted_at = float(self.connection.rate or 0), time.monotonic()

    def admit(self) -> None:
        """Count a delivery.

        Raises:
            RefusedError: there were too many within a second.
        """
        rate = self.connection.rate
        if rate is None:
            return
        now = time.monotonic()
        self._allowed = min(float(rate), self._allowed + (now - self._counted_at) * rate)
        self._counted_at = now
        if self._allowed < 1:
            raise RefusedError(429, "too many deliveries at once")
        self._allowed -= 1


class Receiver:
    """The application.

    Raises:
        ConfigurationError: no system is received by webhook, or one refers to something that is not set.
    """

    def __init__(self, sources: Sources) -> None:
        systems = {name: sources.resolve(name) for name, s in sources.systems.items() if s.connector == "webhook"}
        if not systems:
            raise ConfigurationError(
                f"{sources.path}: no system has the connector 'webhook': there is nothing to receive."
            )
        self._endpoints = {name: _Endpoint(s) for name, s in systems.items() if isinstance(s, WebhookSystem)}
        self._refused = 0
        self._writers: list[asyncio.Task[None]] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request, or the server's start and end."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        while True:
            message = await receive()
            if message["type"] == "lifespan.startup":
                self._writers = [asyncio.create_task(e.spool.write()) for e in self._endpoints.values()]
                await send({"type": "lifespan.startup.complete"})
            elif message["type"] == "lifespan.shutdown":
                for writer in self._writers:
                    writer.cancel()
                    with suppress(asyncio.CancelledError):
                        await writer
                for endpoint in self._endpoints.values():
                    endpoint.spool.close()
                await send({"type": "lifespan.shutdown.complete"})
                return

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            status, content = await self._handle(scope, receive)
        except RefusedError as error:
            self._refused += 1
            status, content = error.status, {"error": str(error)}
        except OSError as error:
            status, content = 503, {"error": f"the delivery could not be written: {error.strerror}"}
        body = json.dumps(content).encode()
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        if status in (429, 503):
            headers.append((b"retry-after", b"1"))
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _handle(self, scope: Scope, receive: Receive) -> tuple[int, dict[str, Any]]:
        path, method = scope["path"].strip("/"), scope["method"]
        if path == "health":
            return self._health()
        system, _, stream = path.partition("/")
        endpoint = self._endpoints.get(system)
        if endpoint is None or stream not in endpoint.streams:
            raise RefusedError(404, "there is nothing here")
        if method != "POST":
            raise RefusedError(405, "deliveries are POST requests")
        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        endpoint.admit()
        body = await _body(receive, headers, endpoint.connection.max_bytes)
        verify(endpoint.connection, headers, body, time.time())
        identifier = None
        if endpoint.connection.id_header is not None:
            identifier = headers.get(endpoint.connection.id_header.lower())
            if not identifier:
                raise RefusedError(400, f"the header {endpoint.connection.id_header} is missing")
        is_new = await endpoint.spool.take(stream, identifier, body)
        return (202, {"status": "accepted"}) if is_new else (200, {"status": "known"})

    def _health(self) -> tuple[int, dict[str, Any]]:
        problems = [e.spool.problem for e in self._endpoints.values() if e.spool.problem is not None]
        spools = [endpoint.spool for endpoint in self._endpoints.values()]
        content = {
            "status": "failing" if problems else "ok",
            "received": sum(spool.received for spool in spools),
            "repeated": sum(spool.repeated for spool in spools),
            "refused": self._refused,
        }
        return (503, {**content, "problems": problems}) if problems else (200, content)


async def _body(receive: Receive, headers: Mapping[str, str], most: int) -> bytes:
    length = headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most:
        raise RefusedError(413, f"a delivery may have {most} bytes")
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise RefusedError(400, "the delivery broke off")
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > most:
            raise RefusedError(413, f"a delivery may have {most} bytes")
        if not message.get("more_body"):
            return b"".join(parts)
