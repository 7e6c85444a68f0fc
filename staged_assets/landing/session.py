"""One connection to the warehouse for as long as several steps need it: opening and closing the file is dear."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import TracebackType

from duckdb import DuckDBPyConnection

from staged_assets.landing.warehouse import connect
from staged_assets.settings import Settings


class Session:
    """A connection that is opened when it is first used, and can be given up in between.

    Within a process, dbt opens the warehouse by itself and with its own configuration: before that, `release`. Blocks
    may be nested: it is closed after the outermost.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = ExitStack()
        self._connection: DuckDBPyConnection | None = None
        self._blocks = 0

    @property
    def connection(self) -> DuckDBPyConnection:
        """The open connection.

        Raises:
            WarehouseError: the warehouse can't be opened.
        """
        if self._connection is None:
            self._connection = self._stack.enter_context(connect(self._settings))
        return self._connection

    def release(self) -> None:
        """Close it; the next use opens it again."""
        self._connection = None
        self._stack.close()

    def __enter__(self) -> "Session":
        self._blocks += 1
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._blocks -= 1
        if not self._blocks:
            self._connection = None
            self._stack.__exit__(kind, error, trace)


@contextmanager
def small_builds(connection: DuckDBPyConnection) -> Iterator[None]:
    """Joins are hashed on their right side, as written.

    Of a few keys that are looked up in a large table the engine may think that they are many, and hash the table.
    """
    connection.execute("set disabled_optimizers = 'build_side_probe_side'")
    try:
        yield
    finally:
        connection.execute("set disabled_optimizers = ''")
