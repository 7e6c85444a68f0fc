"""Reading the next batches while the one before is landed."""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from staged_assets.sources.batch import Batch

#: batches that are read and wait: with one, the source would pause while the engine does what takes longest
AHEAD = 2


class ReadAhead:
    """The same batches, read in one thread of its own. To be closed.

    The next one is read when it is asked for, the next two from `read_on` on: while what was read is landed.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="source")
        self._coming: deque[Future[Batch | None]] = deque()

    def __iter__(self) -> "ReadAhead":
        return self

    def __next__(self) -> Batch:
        if not self._coming:
            self._begin()
        batch = self._coming.popleft().result()
        if batch is None:
            raise StopIteration
        return batch

    def read_on(self) -> None:
        """Begin to read the next ones."""
        while len(self._coming) < AHEAD:
            self._begin()

    def _begin(self) -> None:
        self._coming.append(self._thread.submit(next, self._batches, None))

    def close(self) -> None:
        """Let go of the source."""
        for reading in self._coming:
            reading.cancel()
        # What the connector has open is closed where it was opened.
        self._thread.submit(_close, self._batches)
        self._thread.shutdown()


def _close(batches: Iterator[Batch]) -> None:
    close = getattr(batches, "close", None)
    if close is not None:
        close()
