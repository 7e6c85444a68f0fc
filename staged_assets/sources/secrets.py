"""Secrets stand in the environment, never in `sources.yaml`: finding those that do, and hiding those that are used."""

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, quote, urlsplit

REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")

_SECRET_NAME = re.compile(
    r"authori[sz]ation|cookie|passw|passphrase|pwd|secret|token|api.?key|access.?key|account.?key|sas|connection.?string|private.?key|credential|signature",
    re.IGNORECASE,
)
#: endings of names that only speak of a secret
_ABOUT = re.compile(r"(url|uri|header|name|param|parameter|prefix|encoding)$", re.IGNORECASE)
#: a reference, with at most a scheme before it, as in `Bearer ${TOKEN}`
_REFERRED = re.compile(r"^(?:[A-Za-z][\w-]*[ =:] ?)?\$\{[A-Za-z_][A-Za-z0-9_]*\}$")
_PASSWORD = re.compile(r"(://[^/?#\s]*?:)([^/?#\s]*)@")

Place = tuple[str | int, ...]


def literal_secrets(systems: dict[str, Any]) -> Iterator[Place]:
    """Where connections, and parameters of feeds, hold a secret itself."""
    for name, system in systems.items():
        yield from _within(system.get("connection"), ("systems", name, "connection"))
        for index, feed in enumerate(system.get("feeds") or ()):
            yield from _within(feed.get("params"), ("systems", name, "feeds", index, "params"))


def _within(value: Any, place: Place) -> Iterator[Place]:
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _within(part, (*place, key))
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _within(part, (*place, index))
    elif isinstance(value, str) and value and _is_secret(str(place[-1]), value):
        yield place


def _is_secret(name: str, value: str) -> bool:
    if _names_secret(name) and not _REFERRED.match(value):
        return True
    found = _PASSWORD.search(value)
    if found and found[2] and not REFERENCE.fullmatch(found[2]):
        return True
    if "://" not in value:
        return False
    parameters = parse_qsl(urlsplit(value).query)
    return any(_names_secret(key) and not _REFERRED.match(text) for key, text in parameters)


def _names_secret(name: str) -> bool:
    return bool(_SECRET_NAME.search(name)) and not _ABOUT.search(name)


def in_url(written: str, position: int, value: str) -> str:
    """What a reference within a URL stands for, percent-encoded where the URL's syntax asks for it.

    Args:
        position: of the reference in what is written.
    """
    scheme, _, rest = written[:position].rpartition("://")
    if not scheme:
        return value
    in_user_part = "@" in written[position:].split("/", 1)[0] and "/" not in rest
    return quote(value, safe="") if in_user_part or "?" in rest else value


def masked(text: str) -> str:
    """A text without the passwords of URLs in it."""
    return _PASSWORD.sub(r"\1***@", text)
