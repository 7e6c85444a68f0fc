"""Reproducible choices: a function of the seed and the record alone, whatever came before it."""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

_LOW = 1 << 48


class Dice:
    """A stream of choices, the same in every Python version.

    It is the digits of one large number, so it costs one hash for each record.
    """

    __slots__ = ("_label", "_number", "_round")

    def __init__(self, seed: int, name: str, number: int) -> None:
        self._label = f"{seed}:{name}:{number}:"
        self._round = 0
        self._number = self._hash()

    def _hash(self) -> int:
        digest = blake2b(f"{self._label}{self._round}".encode()).digest()
        self._round += 1
        return int.from_bytes(digest, "big")

    def below(self, limit: int) -> int:
        """A whole number from 0 to limit - 1."""
        if self._number < _LOW:
            self._number = self._hash()
        self._number, choice = divmod(self._number, limit)
        return choice

    def pick(self, choices: Sequence[T]) -> T:
        """One of the choices."""
        if self._number < _LOW:
            self._number = self._hash()
        self._number, choice = divmod(self._number, len(choices))
        return choices[choice]

    def digits(self, pattern: str) -> str:
        """The pattern with every `#` replaced by a digit."""
        return "".join(str(self.below(10)) if sign == "#" else sign for sign in pattern)
