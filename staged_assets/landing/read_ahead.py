"""Making the next ones while the one before is used."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Generic, TypeVar

Item = TypeVar("Item")

#: batches that are read and wait: with one, the source would pause while the engine does what takes longest
AHEAD = 2


class ReadAhead(Generic[Item]):
    """The same batches, read in one thread of its own. To be closed.

    The next one is read when it is asked for, the next two from `read_on` on: while what was read is landed.
    """

    def __init__(self, items: Iterator[Item]) -> None:
        self._items = items
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="source")
        self._coming: deque[Future[Item | None]] = deque()

    def __iter__(self) -> "ReadAhead[Item]":
        return self

    def __next__(self) -> Item:
        if not self._coming:
            self._begin()
        item = self._coming.popleft().result()
        if item is None:
            raise StopIteration
        return item

    def read_on(self) -> None:
        """Begin to read the next ones."""
        while len(self._coming) < AHEAD:
            self._begin()

    def _begin(self) -> None:
        self._coming.append(self._thread.submit(next, self._items, None))

    def close(self) -> None:
        """Let go of the source."""
        for reading in self._coming:
            reading.cancel()
        # What the connector has open is closed where it was opened.
        self._thread.submit(_close, self._items)
        self._thread.shutdown()


@contextmanager
def closing_if_it_can_be(items: Iterator[Item]) -> Iterator[None]:
    """At the end a generator is closed; another iterator holds nothing."""
    try:
        yield
    finally:
        _close(items)


def _close(items: Iterator[Item]) -> None:
    close = getattr(items, "close", None)
    if close is not None:
        close()
