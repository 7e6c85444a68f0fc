"""A throwaway MariaDB server for tests, from the binaries that are installed."""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pymysql
import pytest

MISSING = "MariaDB is not installed: install the Debian packages mariadb-server-core and mariadb-client-core"


@pytest.fixture(scope="session")
def mariadb_port() -> Iterator[int]:
    """The port of a server that lets `root` in without a password."""
    server, install = shutil.which("mariadbd", path="/usr/sbin:/usr/bin"), shutil.which("mariadb-install-db")
    if server is None or install is None:
        pytest.skip(MISSING)
    home = Path(tempfile.mkdtemp(prefix="staged_assets_mariadb_"))
    user = ["--user=root"] if os.getuid() == 0 else []
    common = ["--no-defaults", f"--datadir={home / 'data'}", *user]
    try:
        subprocess.run(
            [install, *common, "--auth-root-authentication-method=normal", "--skip-test-db"],
            check=True, capture_output=True,
        )  # fmt: skip
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        with (home / "server.log").open("wb") as log:
            process = subprocess.Popen(
                [server, *common, f"--port={port}", "--bind-address=127.0.0.1", f"--socket={home / 'socket'}"],
                stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        try:
            _wait(port, process, home / "server.log")
            yield port
        finally:
            process.terminate()
            process.wait(timeout=30)
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _wait(port: int, process: subprocess.Popen[bytes], log: Path, seconds: float = 30.0) -> None:
    until = time.monotonic() + seconds
    while process.poll() is None and time.monotonic() < until:
        try:
            pymysql.connect(host="127.0.0.1", port=port, user="root").close()
            return
        except pymysql.OperationalError:
            time.sleep(0.05)
    raise RuntimeError(f"MariaDB did not start:\n{log.read_text(errors='replace')}")
