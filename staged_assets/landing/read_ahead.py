"""Reading the next batch while the one before is landed."""

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor

from staged_assets.sources.batch import Batch


def read_ahead(batches: Iterator[Batch]) -> Generator[Batch, None, None]:
    """The same batches; each is read, in one thread of its own, while its predecessor is used. To be closed."""
    with ThreadPoolExecutor(max_workers=1, thread_name_prefix="source") as thread:
        waiting = thread.submit(next, batches, None)
        try:
            while (batch := waiting.result()) is not None:
                waiting = thread.submit(next, batches, None)
                yield batch
        finally:
            # What the connector has open is closed where it was opened.
            thread.submit(_close, batches)


def _close(batches: Iterator[Batch]) -> None:
    close = getattr(batches, "close", None)
    if close is not None:
        close()
