"""The warehouse: one DuckDB file, opened for as long as it is used and no longer."""

import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import duckdb
from filelock import FileLock, Timeout

from staged_assets.errors import WarehouseError
from staged_assets.settings import Settings

_PAUSE = 0.2
_in_transaction: set[int] = set()
_HELD = re.compile(r"Conflicting lock is held in (?P<command>.*?) \(PID (?P<pid>\d+)\)")


@contextmanager
def connect(
    where: Settings | Path | str, *, read_only: bool = False, timeout: float | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection to the warehouse, its session in UTC.

    Args:
        where: the settings, or the DuckDB file.
        read_only: beside other readers; a missing file is then an error.
        timeout: seconds to wait while another process holds the file; by default the settings' `lock_timeout`.

    Raises:
        WarehouseError: it can't be opened, or (while it is used) written.
    """
    settings = where if isinstance(where, Settings) else Settings(warehouse=Path(where))
    path = settings.warehouse_path
    connection = _open(settings, read_only, settings.lock_timeout if timeout is None else timeout)
    try:
        yield connection
    except (duckdb.IOException, duckdb.FatalException, duckdb.OutOfMemoryException) as error:
        raise _in_use_error(path, error) from error
    except duckdb.TransactionException as error:
        if "Failed to commit" not in str(error):
            raise
        raise _in_use_error(path, error) from error
    finally:
        connection.close()


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """All or nothing; within another one of the connection it is a part of that."""
    if id(connection) in _in_transaction:
        yield
        return
    connection.begin()
    _in_transaction.add(id(connection))
    try:
        yield
    except BaseException:
        with suppress(duckdb.Error):  # after a full disk there is nothing left to roll back
            connection.rollback()
        raise
    else:
        connection.commit()
    finally:
        _in_transaction.discard(id(connection))


@contextmanager
def exclusive(
    where: Settings | Path | str,
    *,
    timeout: float | None = None,
    on_wait: Callable[[str], None] = lambda message: None,
) -> Iterator[None]:
    """The right to write to the warehouse: of several processes that ask, one has it and the others queue.

    Args:
        where: the settings, or the DuckDB file.
        timeout: seconds to wait; by default the settings' `lock_timeout`.
        on_wait: told once, in a sentence, when someone else has it.

    Raises:
        WarehouseError: it was not free in time.
    """
    settings = where if isinstance(where, Settings) else Settings(warehouse=Path(where))
    path = settings.warehouse_path
    seconds = settings.lock_timeout if timeout is None else timeout
    holder = path.with_name(path.name + ".holder")
    _make_folder(path)
    lock = FileLock(path.with_name(path.name + ".lock"))
    try:
        try:
            lock.acquire(blocking=False)
        except Timeout:
            on_wait(f"{path} is being written by {_read_holder(holder)}: waiting for at most {seconds:g} s.")
            lock.acquire(timeout=seconds)
    except Timeout as error:
        raise WarehouseError(
            f"{path} was still being written by {_read_holder(holder)} after {seconds:g} s:"
            " wait for that run to end, or raise STAGED_ASSETS_LOCK_TIMEOUT."
        ) from error
    try:
        holder.write_text(f"process {os.getpid()} ({Path(sys.argv[0]).name or 'python'})", encoding="utf-8")
        yield
    finally:
        holder.unlink(missing_ok=True)
        lock.release()


def _open(settings: Settings, read_only: bool, timeout: float) -> duckdb.DuckDBPyConnection:
    path = settings.warehouse_path
    if not read_only:
        _make_folder(path)
    deadline = time.monotonic() + timeout
    while True:
        try:
            connection = duckdb.connect(path, read_only=read_only)
            break
        except (duckdb.Error, RuntimeError) as error:
            if not _is_held(error) or time.monotonic() >= deadline:
                raise _open_error(path, error, timeout) from error
        time.sleep(_PAUSE)
    # Set afterwards: connections of one process to one file must be opened with the same configuration.
    connection.execute("set TimeZone = 'UTC'")
    connection.execute(f"set threads = {settings.threads}")
    if settings.memory_limit:
        connection.execute("set memory_limit = ?", [settings.memory_limit])
    return connection


def _make_folder(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WarehouseError(
            f"The folder {path.parent} of the warehouse can't be created: {error.strerror}; choose another one by"
            " STAGED_ASSETS_WAREHOUSE."
        ) from error


def _is_held(error: Exception) -> bool:
    """Whether another process has the file, or this one has it open in another mode."""
    return "Could not set lock" in str(error) or "different configuration" in str(error)


def _open_error(path: Path, error: Exception, timeout: float) -> WarehouseError:
    message = str(error)
    if _is_held(error):
        found = _HELD.search(message)
        holder = f"process {found['pid']} ({found['command']})" if found else "another connection"
        return WarehouseError(
            f"{path} was still held by {holder} after {timeout:g} s: end that process, or raise"
            " STAGED_ASSETS_LOCK_TIMEOUT."
        )
    if "not a valid DuckDB database" in message or path.is_dir():
        return WarehouseError(
            f"{path} is not a DuckDB file: move it away, or choose another file by STAGED_ASSETS_WAREHOUSE."
        )
    if "version number" in message or "newer version" in message or "Serialization Error" in message:
        return WarehouseError(
            f"{path} was written by another version of DuckDB than the installed {duckdb.__version__}, which can't read"
            " it: upgrade duckdb."
        )
    return WarehouseError(f"{path} can't be opened: {_first_line(error)}.")


def _in_use_error(path: Path, error: Exception) -> WarehouseError:
    message = str(error)
    if isinstance(error, duckdb.OutOfMemoryException):
        return WarehouseError(
            f"The memory did not suffice for {path}: {_first_line(error)}; raise STAGED_ASSETS_MEMORY_LIMIT or free"
            f" space in {path.parent}."
        )
    if "No space left" in message or "File too large" in message or "Disk quota" in message:
        return WarehouseError(
            f"The disk of {path} is full: free space and run again; what was landed or published before is kept."
        )
    return WarehouseError(f"{path} could not be read or written: {_first_line(error)}.")


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")


def _read_holder(holder: Path) -> str:
    try:
        return holder.read_text(encoding="utf-8") or "another process"
    except OSError:
        return "another process"
