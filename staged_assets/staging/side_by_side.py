"""Two datasets at a time: planning and the small ones keep one core busy, no more."""

from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from duckdb import DuckDBPyConnection

Do = Callable[[str, DuckDBPyConnection], None]


def side_by_side(connection: DuckDBPyConnection, rows: Mapping[str, int], do: Do) -> None:
    """Do something with each dataset, the largest first; one at a time where the engine has one thread.

    When it fails, or is interrupted, no other one is begun.

    Args:
        connection: one of the two that are used; the other one is of its kind.
        rows: dataset → how many it is about.
        do: gets a dataset and the connection to use; two are under way at a time, never two of a dataset.
    """
    ended = Event()

    def each(names: Iterable[str], its: DuckDBPyConnection) -> None:
        try:
            for name in names:
                if ended.is_set():
                    return
                do(name, its)
        except BaseException:
            ended.set()
            raise

    waiting = iter(sorted(rows, key=lambda name: -rows[name]))
    if len(rows) < 2 or _threads(connection) == 1:
        return each(waiting, connection)
    with connection.cursor() as beside, ThreadPoolExecutor(1) as pool:
        beside.execute("set TimeZone = 'UTC'")
        others = pool.submit(each, waiting, beside)
        try:
            each(waiting, connection)
            others.result()
        except BaseException:
            ended.set()
            beside.interrupt()
            raise


def _threads(connection: DuckDBPyConnection) -> int:
    ((threads,),) = connection.execute("select current_setting('threads')").fetchall()
    return int(threads)
