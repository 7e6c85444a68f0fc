"""Which record gets which treatment: exact numbers, spread over all records, without remembering any."""

from bisect import bisect_right
from collections.abc import Sequence
from itertools import accumulate
from math import gcd
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class Treated(NamedTuple, Generic[T]):
    """A treatment, and how many positions had it before (in an order of its own)."""

    by: T
    turn: int


class Plan(Generic[T]):
    """Assigns each treatment to exactly as many of `size` positions as it wants, at most one to each.

    An affine permutation scatters the positions; the first ones after it are the treated.

    Args:
        size: number of positions.
        wanted: (treatment, how many positions get it).
        stride: share of the size by which neighbours are torn apart; plans with different ones are unrelated.
        offset: turns the permutation.
    """

    def __init__(self, size: int, wanted: Sequence[tuple[T, int]], stride: float, offset: int = 0) -> None:
        self._size = size
        self._wanted = wanted
        self._ends = list(accumulate(count for _, count in wanted))
        self.treated = self._ends[-1] if self._ends else 0
        if self.treated > size:
            raise ValueError(f"{self.treated} of {size} records cannot be treated.")
        self._factor = max(1, int(size * stride))
        while gcd(self._factor, size) != 1:
            self._factor += 1
        self._offset = offset

    def at(self, position: int) -> Treated[T] | None:
        """The treatment of a position; None for most."""
        place = (position * self._factor + self._offset) % self._size
        if place >= self.treated:
            return None
        index = bisect_right(self._ends, place)
        return Treated(self._wanted[index][0], self._ends[index] - place - 1)
