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
        connection: on which the half is done that has the largest; the other half is done on another one of its kind.
        rows: dataset → how many it is about.
        do: gets a dataset and the connection to use; two are under way at a time, never two of a dataset.
    """
    ended = Event()

    def each(names: Iterable[str], its: DuckDBPyConnection) -> None:
        for name in names:
            if ended.is_set():
                return
            do(name, its)

    first, second = _halves(rows)
    if not second or _threads(connection) == 1:
        return each([*first, *second], connection)
    with connection.cursor() as beside, ThreadPoolExecutor(1) as pool:
        beside.execute("set TimeZone = 'UTC'")
        others = pool.submit(each, second, beside)
        try:
            each(first, connection)
            others.result()
        except BaseException:
            ended.set()
            beside.interrupt()
            raise


def _threads(connection: DuckDBPyConnection) -> int:
    ((threads,),) = connection.execute("select current_setting('threads')").fetchall()
    return int(threads)


def _halves(rows: Mapping[str, int]) -> tuple[list[str], list[str]]:
    """Two parts with about as many rows."""
    halves: tuple[list[str], list[str]] = ([], [])
    sums = [0, 0]
    for name in sorted(rows, key=lambda name: -rows[name]):
        half = sums.index(min(sums))
        halves[half].append(name)
        # One without rows is some work, too.
        sums[half] += rows[name] + 1
    return halves
