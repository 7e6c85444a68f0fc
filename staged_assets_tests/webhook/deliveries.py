"""Deliveries to a receiver: signed as a sender does it, and sent without a network."""

import asyncio
import hashlib
import hmac
import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from staged_assets.sources.config import Sources
from staged_assets.webhook.app import Receiver
from staged_assets_tests.sources.described import described

SECRET = "hunter2"


def shop(folder: Path, feed: dict[str, Any] | None = None, **connection: Any) -> Sources:
    """A system `shop` with the stream `visits`, whose files are in the folder."""
    said = {"path": "spool", "secret": "${SHOP_SECRET}", **connection}
    environ = {"SHOP_SECRET": SECRET, "SHOP_OLD_SECRET": "hunter1"}
    return described(folder, "webhook", said, {"from": "visits", **(feed or {})}, environ=environ)


@dataclass
class Delivery:
    """A request as a sender makes it; the rest is made from body and time."""

    body: bytes = b'{"id": 1}'
    id: str = "a"
    sent: float = field(default_factory=time.time)
    secret: str = SECRET
    path: str = "/shop/visits"
    method: str = "POST"
    headers: dict[str, str] | None = None

    def signed(self) -> dict[str, str]:
        if self.headers is not None:
            return self.headers
        timestamp = str(self.sent)
        signature = hmac.digest(self.secret.encode(), f"{timestamp}.".encode() + self.body, hashlib.sha256).hex()
        return {"X-Timestamp": timestamp, "X-Signature": signature, "X-Delivery-Id": self.id}


Answer = tuple[int, dict[str, Any]]


def send(sources: Sources, *deliveries: Delivery) -> list[Answer]:
    """Start a receiver, send everything at once, stop it: status and content of each answer."""
    return asyncio.run(_send(Receiver(sources), deliveries))


async def _send(receiver: Receiver, deliveries: Sequence[Delivery]) -> list[Answer]:
    messages = asyncio.Queue[dict[str, Any]]()
    answers = asyncio.Queue[dict[str, Any]]()
    life = asyncio.create_task(receiver({"type": "lifespan"}, messages.get, answers.put))
    await messages.put({"type": "lifespan.startup"})
    await answers.get()
    found = await asyncio.gather(*(_request(receiver, delivery) for delivery in deliveries))
    await messages.put({"type": "lifespan.shutdown"})
    await life
    return found


async def _request(receiver: Receiver, delivery: Delivery) -> Answer:
    headers = [(k.lower().encode(), v.encode()) for k, v in delivery.signed().items()]
    parts = [delivery.body[:5], delivery.body[5:]]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

    async def answer(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {"type": "http", "path": delivery.path, "method": delivery.method, "headers": headers}
    await receiver(scope, receive, answer)
    return sent[0]["status"], json.loads(sent[1]["body"])
