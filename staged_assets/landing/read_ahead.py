"""Reading the next batch while the one before is landed."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from staged_assets.sources.batch import Batch


class ReadAhead:
    """The same batches, read in one thread of its own. To be closed.

    The next one is read when it is asked for, or from `read_on` on: while what was read is landed.
    """

    def __init__(self, batches: Iterator[Batch]) -> None:
        self._batches = batches
        self._thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="source")
        self._next: Future[Batch | None] | None = None

    def __iter__(self) -> "ReadAhead":
        return self

    def __next__(self) -> Batch:
        waiting = self._next or self._begin()
        self._next = None
        batch = waiting.result()
        if batch is None:
            raise StopIteration
        return batch

    def read_on(self) -> None:
        """Begin to read the next one."""
        self._next = self._next or self._begin()

    def _begin(self) -> "Future[Batch | None]":
        return self._thread.submit(next, self._batches, None)

    def close(self) -> None:
        """Let go of the source."""
        # What the connector has open is closed where it was opened.
        self._thread.submit(_close, self._batches)
        self._thread.shutdown()


def _close(batches: Iterator[Batch]) -> None:
    close = getattr(batches, "close", None)
    if close is not None:
        close()
