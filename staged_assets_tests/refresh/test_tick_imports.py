"""A sensor's tick loads nothing heavy and opens no database, whichever connector it asks through."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from staged_assets.settings import Settings
from staged_assets_tests.command_line import share_parsed_project

HEAVY = ("dagster_dbt", "dbt", "pandera", "ibis", "pandas", "polars")

SYSTEM = """
  {name}:
    connector: {connector}
    connection: {connection}
    requirements: {{max_staleness: 1m}}
    feeds:
      - {{dataset: touchpoints, from: {source}, key: [id], updated_at: at, columns: {{touchpoint_id: id}}}}
"""
SOURCES = {
    "in_sqlite": ("sqlite", "{path: in.sqlite}", "visit"),
    "in_duckdb": ("duckdb", "{path: in.duckdb}", "visit"),
    "by_events": ("event_files", "{path: events}", "visit"),
    "by_webhook": ("webhook", '{path: spool, secret: "${SECRET}"}', "visit"),
    "by_csv": ("csv_files", "{path: events}", '"*.csv"'),
    "by_parquet": ("parquet", "{path: events}", '"*.parquet"'),
    "by_rest": ("rest", '{url: "${API_URL}"}', "visit"),
}


class _Api(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = b'{"items": [], "next_page": null}'
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def api() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Api) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()


def test_a_tick_loads_nothing_heavy_and_opens_no_database(shared_home: Path, tmp_path: Path, api: str) -> None:
    with closing(sqlite3.connect(tmp_path / "in.sqlite")) as database:
        database.execute("create table visit (id, at)")
    (tmp_path / "in.duckdb").touch()
    for folder in ("events/visit", "spool/visit"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "events" / "visit" / "1.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "events" / "1.csv").write_text("id,at\n1,2\n")
    systems = "".join(
        SYSTEM.format(name=name, connector=connector, connection=connection, source=source)
        for name, (connector, connection, source) in SOURCES.items()
    )
    path = tmp_path / "sources.yaml"
    path.write_text(f"version: 1\ndefaults: {{owner: owner@example.com}}\nsystems:{systems}")
    share_parsed_project(shared_home, Settings(home=tmp_path))
    environ = {
        **os.environ,
        "STAGED_ASSETS_HOME": str(tmp_path),
        "STAGED_ASSETS_SOURCES": str(path),
        "SECRET": "not secret, 32 characters at least",
        "API_URL": api,
    }
    command = [sys.executable, "-m", "staged_assets_tests.refresh.one_tick", *HEAVY]
    for _ in range(2):
        # The first time, what was made of the dbt project is made.
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False, timeout=300)
        assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["said"].keys() == SOURCES.keys()
    for system, (first, second) in found["said"].items():
        assert first == 1, f"{system} was never landed: a run is requested"
        assert second == f"{system} has nothing new.", "what was landed is not requested again"
    assert found["loaded"] == []
    assert found["connected"] == []
