"""Whether a delivery is from who it says: HMAC over timestamp and body, and the timestamp within a window."""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime

from staged_assets.sources.connections import WebhookConnection


class RefusedError(Exception):
    """A delivery that is not taken.

    Attributes:
        status: of the HTTP answer.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status


def verify(connection: WebhookConnection, headers: Mapping[str, str], body: bytes, now: float) -> None:
    """See that a delivery is signed with the secret, and recent.

    Args:
        headers: by names in small letters.
        now: seconds since 1970.

    Raises:
        RefusedError: it is not; what is wrong is not told in detail to who may be forging.
    """
    timestamp = ""
    if connection.timestamp_header is not None:
        timestamp = headers.get(connection.timestamp_header.lower(), "")
        sent = _seconds(timestamp)
        if sent is None:
            raise RefusedError(400, f"the header {connection.timestamp_header} is missing or holds no time")
        if abs(now - sent) > connection.tolerance.total_seconds():
            raise RefusedError(401, "the timestamp is not recent")
    given = _signature(connection, headers.get(connection.signature_header.lower(), ""))
    head, _, tail = connection.signed.partition("{body}")
    signed = head.replace("{timestamp}", timestamp).encode() + body + tail.replace("{timestamp}", timestamp).encode()
    secrets = [connection.secret, *([connection.previous_secret] if connection.previous_secret else [])]
    expected = [hmac.digest(secret.encode(), signed, hashlib.sha256) for secret in secrets]
    # Every one is compared: how long it takes tells nothing.
    if given is None or not any([hmac.compare_digest(given, one) for one in expected]):  # noqa: C419
        raise RefusedError(401, "the signature is wrong")


def _signature(connection: WebhookConnection, written: str) -> bytes | None:
    if not written.startswith(connection.signature_prefix):
        return None
    text = written[len(connection.signature_prefix) :]
    try:
        return bytes.fromhex(text) if connection.signature_encoding == "hex" else base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return None


def _seconds(written: str) -> float | None:
    """A time, as seconds or ISO 8601 with an offset."""
    try:
        return float(written)
    except ValueError:
        pass
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        return None
    return moment.timestamp() if moment.tzinfo else None
