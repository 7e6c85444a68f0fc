"""A throwaway PostgreSQL server for tests, from the binaries that are installed.

`from staged_assets_tests.postgres import postgres_server` in a conftest makes the fixture known there.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Any

import psycopg2
import pytest

#: Debian keeps the server's binaries out of the search path, one folder for each version.
DEBIAN_BINARIES = Path("/usr/lib/postgresql")
MISSING = "PostgreSQL's server binaries are not installed: install the Debian package postgresql"
USER = "postgres"

_numbers = count(1)


@dataclass(frozen=True)
class PostgresServer:
    """A running server; every local connection is trusted."""

    port: int
    host: str = "127.0.0.1"
    user: str = USER

    def create_database(self, encoding: str = "") -> str:
        """A new, empty database (in UTF-8 unless it is to have another encoding); its name."""
        name = f"test_{os.getpid()}_{next(_numbers)}"
        connection = self.connect()
        try:
            connection.autocommit = True
            with connection.cursor() as cursor:
                other = f" encoding '{encoding}' template template0" if encoding else ""
                cursor.execute(f"create database {name}{other}")
        finally:
            connection.close()
        return name

    def connect(self, database: str = "postgres") -> "psycopg2.extensions.connection":
        return psycopg2.connect(host=self.host, port=self.port, user=self.user, dbname=database)

    def dagster_storage(self, database: str) -> dict[str, object]:
        """The `storage` section of a `dagster.yaml` that keeps everything in this database."""
        return {
            "postgres": {
                "postgres_db": {
                    "hostname": self.host,
                    "port": self.port,
                    "username": self.user,
                    "password": "",
                    "db_name": database,
                    # With SQLAlchemy 2.1 `postgresql://` means psycopg 3, which dagster-postgres does not use.
                    "scheme": "postgresql+psycopg2",
                }
            }
        }


class Database:
    """An empty database, and a connection to it that commits each statement."""

    def __init__(self, server: PostgresServer, encoding: str = "") -> None:
        self.name = server.create_database(encoding)
        self.url = f"postgresql://{server.user}@{server.host}:{server.port}/{self.name}"
        self.connection = server.connect(self.name)
        self.connection.autocommit = True

    def execute(self, sql: str, values: Any = None) -> None:
        with self.connection.cursor() as cursor:
            cursor.execute(sql, values)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with self.connection.cursor() as cursor:
            cursor.execute(sql)
            return list(cursor.fetchall())


def binaries() -> Path | None:
    """The folder of `initdb` and `postgres`, the newest version's."""
    found = sorted(DEBIAN_BINARIES.glob("*/bin/initdb"), key=lambda path: float(path.parts[-3]))
    if found:
        return found[-1].parent
    on_path = shutil.which("initdb")
    return Path(on_path).resolve().parent if on_path else None


@contextmanager
def running_server(options: Mapping[str, str] | None = None) -> Iterator[PostgresServer]:
    """A server with a data folder of its own, gone afterwards.

    Args:
        options: server settings, as in `postgresql.conf`.

    Raises:
        RuntimeError: it did not start.
    """
    folder = binaries()
    if folder is None:
        pytest.skip(MISSING)
    # Not below pytest's folder: that one is closed to the user postgres.
    home = Path(tempfile.mkdtemp(prefix="staged_assets_postgres_"))
    account = {"user": USER, "group": USER, "extra_groups": []} if os.getuid() == 0 else {}
    if account:
        shutil.chown(home, USER, USER)
    log = home / "server.log"
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(_free_port()),
        "unix_socket_directories": str(home),
        "fsync": "off",
        "wal_level": "logical",
        **(options or {}),
    }
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    try:
        subprocess.run(
            [folder / "initdb", "-D", home / "data", "-U", USER, "-A", "trust", "-E", "UTF8", "--locale=C", "-N"],
            check=True, capture_output=True, cwd=home, **account,
        )  # fmt: skip
        with log.open("wb") as output:
            process = subprocess.Popen(
                [folder / "postgres", "-D", home / "data", *flags],
                stdout=output, stderr=subprocess.STDOUT, cwd=home, **account,
            )  # fmt: skip
        try:
            server = PostgresServer(int(settings["port"]))
            _wait(server, process, log)
            yield server
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """One server for the whole session; take a database of one's own with `create_database`."""
    with running_server() as server:
        yield server


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _wait(server: PostgresServer, process: subprocess.Popen[bytes], log: Path, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            server.connect().close()
            return
        except psycopg2.OperationalError:
            time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text(errors='replace')}")
